internal import Platform
internal import SessionCodec
internal import SessionStore

/// `sessionctl restore`: makes a data directory from a backup.
struct RestoreCommand: ControlCommand {
  static let name = "restore"
  static let summary = "makes a data directory from a backup"
  static let help = """
    sessionctl restore: makes a data directory from a backup, with the daemon stopped

    usage: sessionctl [--data-dir DIR] restore BACKUP [--erasures FILE] [--json]

    Proves the backup first: its chain, and that it is all that it was. Then copies the log into the data directory, which
    must hold no store, builds the projections, syncs all of it and puts it in place with a rename. Stopped before
    that, there is no store in the directory, and it can be restored again.

      --erasures FILE   erase again what was erased after the backup was made, before the store goes to its place. FILE
                        holds events a line each, as GET /events?type=session.erased.v1 gives them with the media type
                        application/x-ndjson, or replay does as ndjson for the type erased: keep it apart from the store

    A backup holds what was erased after it was made. Restored without --erasures, that is there again.

    examples:
      sessionctl --data-dir /srv/restored restore /backup/sessiond-2026-03-01
      sessionctl --data-dir /srv/restored restore /backup/sessiond-2026-03-01 --erasures /ledger/erased.ndjson

    exit status: 1 when the backup is damaged; then nothing was restored

    """

  let path: String
  let ledger: String?
  let isJSON: Bool

  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    isJSON = arguments.takeFlag("--json")
    ledger = arguments.take("--erasures")
    guard let path = arguments.takeWord() else { throw Arguments.Problem(text: "the backup is missing") }
    self.path = path
  }

  func run(in directory: DataDirectory) throws -> ExitStatus {
    let ledger = try ledger.map { path in
      let erasures = try ErasureLedger.read(path)
      if erasures.isEmpty {
        complain("\(printable(path)) tells of no erasure: what was erased since the backup comes back")
      }
      return erasures
    }
    let marks = try Backup.marks(of: path)
    let restore = try Restore(path, into: directory)
    let report = try GuardedVerification(directory: DataDirectory(path)).run()
    guard report.findings.isEmpty, report.marks == marks else {
      for finding in report.findings { complain(printable(finding.description)) }
      throw CommandFailure.finding("the backup \(printable(path)) isn't what it was; nothing was restored")
    }
    let total = Files.size(DataDirectory(path).logFile)
    try CopyProgress.run("copy", file: restore.file, total: total) { try restore.copy() }
    var bar = ProgressBar("rebuild", total: report.events, unit: .events)
    let events = try restore.build(marks) { bar.advance($0) }
    bar.finish()
    let erasures = try ledger.map { ledger in
      var bar = ProgressBar("erase", total: report.events, unit: .events)
      defer { bar.finish() }
      return try restore.erase(ledger, after: marks) { bar.advance($0) }
    }
    try restore.finish()
    try printAll { output in
      if isJSON {
        output.appendObject { json in
          json.appendMember("store", marks.storeID)
          json.appendMember("tenants", marks.tails.count)
          json.appendMember("events", events)
          if let erasures { Self.append(erasures, to: &json) }
        }
        output.append(UInt8(ascii: "\n"))
      } else {
        let text = "\(counted(marks.tails.count, "tenant")), \(counted(events, "event")): restored into "
        output.append(contentsOf: (text + "\(printable(directory.path))\n").utf8)
        if let erasures { output.append(contentsOf: Self.text(erasures).utf8) }
      }
    }
    return .fine
  }

  private static func append(_ erasures: Restore.Erasures, to json: inout [UInt8]) {
    json.appendObject("erasures") { json in
      json.appendMember("known", erasures.known)
      json.appendMember("needless", erasures.needless)
      json.appendMember("sessions", erasures.sessions)
      json.appendMember("events", erasures.events)
    }
  }

  private static func text(_ erasures: Restore.Erasures) -> String {
    "erased again: \(counted(erasures.sessions, "session")) with \(counted(erasures.events, "event")); "
      + "\(counted(erasures.known, "erasure")) of the file in the backup itself, \(erasures.needless) of sessions without "
      + "anything in it\n"
  }
}
