internal import Platform
internal import SessionCodec
internal import SessionStore

/// `sessionctl backup`: copies the log to a folder of its own.
struct BackupCommand: ControlCommand {
  static let name = "backup"
  static let summary = "copies the log, consistent and proved, to a new folder"
  static let help = """
    sessionctl backup: copies the log to a new folder, beside the running daemon

    usage: sessionctl [--data-dir DIR] backup BACKUP [--json]

    The copy is one of a single commit, compact, synced to disk and then proved by its chain before it goes to its place;
    until then it stands in BACKUP.partial. Nothing is overwritten. The projections are left out: restore builds them from
    the log. Beside the log, BACKUP holds a file "chains" with the end of each tenant's log.

    BACKUP must be on a local file system. It can be read like a data directory:
      sessionctl --data-dir BACKUP status

    examples:
      sessionctl --data-dir /var/lib/sessiond backup /backup/sessiond-2026-03-01
      sessionctl --data-dir /var/lib/sessiond backup /backup/sessiond-2026-03-01 --json

    exit status: 1 when the log is damaged; then there is no backup

    """

  let path: String
  let isJSON: Bool

  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    isJSON = arguments.takeFlag("--json")
    guard let path = arguments.takeWord() else { throw Arguments.Problem(text: "the folder for the backup is missing") }
    self.path = path
  }

  func run(in directory: DataDirectory) throws -> ExitStatus {
    let total = try UInt64(StoreReader(directory: directory).status().log.usedBytes)
    let backup = try Backup(at: path)
    let report: Verification.Report
    do {
      try CopyProgress.run("copy", file: backup.file, total: total) { try backup.copy(directory) }
      report = try GuardedVerification(directory: backup.partial).run()
      guard report.findings.isEmpty else {
        for finding in report.findings { complain(printable(finding.description)) }
        throw CommandFailure.finding("the log is damaged; there is no backup")
      }
      try backup.finish(report.marks)
    } catch {
      backup.discard()
      throw error
    }
    let bytes = Files.size(DataDirectory(backup.path).logFile)
    try printAll { output in
      if isJSON {
        output.appendObject { json in
          json.appendMember("backup", backup.path)
          json.appendMember("store", report.storeID)
          json.appendMember("tenants", report.tenants)
          json.appendMember("events", report.events)
          json.appendMember("bytes", bytes)
        }
        output.append(UInt8(ascii: "\n"))
      } else {
        let text = "\(counted(report.tenants, "tenant")), \(counted(report.events, "event")), \(byteText(bytes)): "
        output.append(contentsOf: (text + "proved, in \(printable(backup.path))\n").utf8)
      }
    }
    return .fine
  }
}
