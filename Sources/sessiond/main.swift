internal import Platform

// LMDB reads its files through memory: a page that is damaged while they are open may end the process so.
Process.explainFaults(
  lead: "<2>",
  """
  want of memory may be why, or a damaged page of log/data.mdb or projections/data.mdb; the next start recovers, and \
  checks the pages as sessionctl verify does
  """)
Process.occupyStandardDescriptors()
let log = Log()
do throws(SettingsError) {
  let options = try CommandLineOptions(arguments: Array(CommandLine.arguments.dropFirst()))
  switch options.mode {
  case .help:
    Process.write(CommandLineOptions.help)
  case .version:
    Process.write("sessiond \(version)\n")
  case .checkConfiguration:
    try options.completed(by: ServiceEnvironment.options()).settings(isForCheck: true).checkIssuers()
    Process.write("the settings are fine\n")
  case .serve:
    let complete = options.completed(by: try ServiceEnvironment.options())
    let settings = try complete.settings()
    let status = Daemon(settings: settings, log: log) { () throws(SettingsError) in try complete.settings() }.run()
    if status == .stopped { log(.info, "stopped") }
    Process.exit(status.rawValue)
  }
} catch {
  log(.error, "sessiond: \(error)")
  Process.exit(Daemon.ExitStatus.wrongUse.rawValue)
}
