internal import Platform
internal import SessionCodec
internal import SessionStore

/// `sessionctl restore`: makes a data directory from a backup.
struct RestoreCommand: ControlCommand {
  static let name = "restore"
  static let summary = "makes a data directory from a backup"
  static let help = """
    sessionctl restore: makes a data directory from a backup, with the daemon stopped

    usage: sessionctl [--data-dir DIR] restore BACKUP [--json]

    Proves the backup first: its chain, and that it is all that it was. Then copies the log into the data directory, which
    must be empty or missing, builds the projections, syncs all of it and puts it in place with a rename. Stopped before
    that, there is no store in the directory, and it can be restored again.

    examples:
      sessionctl --data-dir /var/lib/sessiond restore /backup/sessiond-2026-03-01

    exit status: 1 when the backup is damaged; then nothing was restored

    """

  let path: String
  let isJSON: Bool

  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    isJSON = arguments.takeFlag("--json")
    guard let path = arguments.takeWord() else { throw Arguments.Problem(text: "the backup is missing") }
    self.path = path
  }

  func run(in directory: DataDirectory) throws -> ExitStatus {
    let marks = try Backup.marks(of: path)
    let restore = try Restore(path, into: directory)
    let report = try GuardedVerification(directory: DataDirectory(path)).run()
    guard report.findings.isEmpty, report.marks == marks else {
      for finding in report.findings { complain(printable(finding.description)) }
      throw CommandFailure.finding("the backup \(printable(path)) isn't what it was; nothing was restored")
    }
    let total = Files.size(DataDirectory(path).log + "/data.mdb")
    try CopyProgress.run("copy", file: restore.file, total: total) { try restore.copy() }
    var bar = ProgressBar("rebuild", total: report.events, unit: .events)
    let events = try restore.build(marks) { bar.advance($0) }
    bar.finish()
    try restore.finish()
    try printAll { output in
      if isJSON {
        output.appendObject { json in
          json.appendMember("store", marks.storeID)
          json.appendMember("tenants", marks.tails.count)
          json.appendMember("events", events)
        }
        output.append(UInt8(ascii: "\n"))
      } else {
        let text = "\(counted(marks.tails.count, "tenant")), \(counted(events, "event")): restored into "
        output.append(contentsOf: (text + "\(printable(directory.path))\n").utf8)
      }
    }
    return .fine
  }
}
