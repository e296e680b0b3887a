internal import Archive
internal import Platform
internal import SessionStore

/// Reads the command line and does what it says.
func run() throws -> ExitStatus {
  var arguments = try Arguments(Array(CommandLine.arguments.dropFirst()))
  let wantsHelp = arguments.takeFlag("--help")
  if arguments.takeFlag("--version") {
    _ = arguments.take("--data-dir")
    try arguments.finish()
    try printAll { $0.append(contentsOf: "sessionctl \(version)\n".utf8) }
    return .fine
  }
  guard let name = arguments.takeWord() else {
    guard wantsHelp else { throw Arguments.Problem(text: "a command is missing") }
    _ = arguments.take("--data-dir")
    try arguments.finish()
    try printAll { $0.append(contentsOf: Catalog.help.utf8) }
    return .fine
  }
  if let work = ChildWork(name) {
    let directory = takeDirectory(&arguments)
    return try work.run(&arguments, in: directory)
  }
  guard let command = Catalog.command(name) else {
    throw Arguments.Problem(text: "there is no command \(printable(name))")
  }
  if wantsHelp {
    try printAll { $0.append(contentsOf: command.help.utf8) }
    return .fine
  }
  // LMDB reads its files through memory: a damaged page may end the process so. Of its children's ends, it tells itself.
  Process.explainFaults(
    lead: "sessionctl: ",
    "a damaged page of log/data.mdb or projections/data.mdb may be why; sessionctl verify looks at each of them")
  let made = try command.init(&arguments)
  let directory = takeDirectory(&arguments)
  try arguments.finish()
  return try made.run(in: directory)
}

/// Takes the data directory out of the command line: the option, else the variable, else a folder here.
func takeDirectory(_ arguments: inout Arguments) -> DataDirectory {
  DataDirectory(
    arguments.take("--data-dir") ?? Process.environment(prefix: "SESSIOND_DATA_DIR")["SESSIOND_DATA_DIR"]
      ?? "./sessiond-data")
}

func complain(_ text: String) {
  Process.write("sessionctl: \(text)\n", toStandardError: true)
}

Process.occupyStandardDescriptors()
Process.ignoreBrokenPipes()
do {
  Process.exit(try run().rawValue)
} catch let problem as Arguments.Problem {
  complain("\(problem.text); see sessionctl --help")
  Process.exit(ExitStatus.wrongUse.rawValue)
} catch let failure as CommandFailure {
  if !failure.text.isEmpty { complain(failure.text) }
  Process.exit(failure.status.rawValue)
} catch let error as StoreError {
  complain("\(error)")
  Process.exit(error.isDamage ? ExitStatus.finding.rawValue : ExitStatus.failed.rawValue)
} catch let error as ArchiveError {
  complain("\(error)")
  Process.exit(error.isDamage ? ExitStatus.finding.rawValue : ExitStatus.failed.rawValue)
} catch let error as SystemError where error.isBrokenPipe {
  // Whoever reads has seen enough.
  Process.exit(ExitStatus.fine.rawValue)
} catch {
  complain("\(error)")
  Process.exit(ExitStatus.failed.rawValue)
}
