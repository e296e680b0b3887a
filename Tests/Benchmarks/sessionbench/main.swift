internal import Platform

/// The command line, read.
func run() throws {
  var options = try Options(CommandLine.arguments.dropFirst())
  switch options.command {
  case "append": try appendEvents(&options)
  case "replay": try replayLog(&options)
  case "fill": try fillStore(&options)
  default: throw Options.Problem("there is no command \(options.command)")
  }
}

do {
  try run()
} catch let problem as Options.Problem {
  Process.write("sessionbench: \(problem.description)\n\n\(Options.usage)", toStandardError: true)
  Process.exit(2)
} catch {
  Process.write("sessionbench: \(error)\n", toStandardError: true)
  Process.exit(1)
}
