internal import Archive
internal import EventLog
internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

/// `sessionctl archive`: writes logs as compressed segments.
struct ArchiveCommand: ControlCommand {
  static let name = "archive"
  static let summary = "writes logs as compressed NDJSON that proves itself, to keep or hand on"
  static let help = """
    sessionctl archive: writes logs to FOLDER as compressed NDJSON, beside the running daemon

    usage: sessionctl [--data-dir DIR] archive FOLDER [--tenant TENANT] [--json]

      --tenant TENANT   this tenant alone

    Each tenant has a folder of its own in FOLDER, with segments that are named for the positions that they hold, such as
    acme/00000000000000000001-00000000000000100000.ndjson.gz, and a manifest. Each line of a segment holds the record as
    it is stored and the event as the API has it, so that verify can prove the archive without the store.

    All events up to the end of the log are archived, whatever became of their sessions, so that the chain can prove that
    none is missing. Run again, it goes on where it ended. Each record is proved before it is written. An archive keeps
    what is erased from the log later: archive before retention removes payloads, and remove the archive of a customer's
    time when an erasure must reach that, too.

    examples:
      sessionctl --data-dir /var/lib/sessiond archive /archive/sessiond
      sessionctl --data-dir /var/lib/sessiond archive /archive/sessiond --tenant acme --json
      zcat /archive/sessiond/acme/*.ndjson.gz | jq -c .event

    exit status: 1 when a log is damaged, or there is no such tenant

    """

  let path: String
  let tenant: TenantID?
  let isJSON: Bool

  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    isJSON = arguments.takeFlag("--json")
    tenant = try arguments.takeTenant()
    guard let path = arguments.takeWord() else {
      throw Arguments.Problem(text: "the folder for the archive is missing")
    }
    self.path = path
  }

  func run(in directory: DataDirectory) throws -> ExitStatus {
    let reader = try StoreReader(directory: directory)
    let archiving = try Archiving(path, of: tenant, in: reader.log)
    try printAll { output in
      if isJSON { Self.appendJSON(archiving, path, to: &output) } else { Self.appendText(archiving, to: &output) }
    }
    return archiving.status
  }

  private static func appendText(_ archiving: Archiving, to output: inout [UInt8]) {
    for case (let tenant, let outcome?) in archiving.outcomes {
      var text = "\(tenant): "
      if let added = outcome.added {
        text += "positions \(added.lowerBound) to \(added.upperBound) in \(counted(outcome.segments, "new segment")), "
        text += byteText(outcome.bytes)
      } else {
        text += "nothing new behind position \(outcome.tail.position)"
      }
      output.append(contentsOf: (text + "\n").utf8)
    }
  }

  private static func appendJSON(_ archiving: Archiving, _ path: String, to json: inout [UInt8]) {
    json.appendObject { json in
      json.appendMember("archive", path)
      json.appendMember("store", archiving.storeID)
      json.appendObject("tenants") { json in
        for case (let tenant, let outcome?) in archiving.outcomes {
          json.appendObject(tenant.description) { json in
            json.appendMember("from", outcome.added?.lowerBound)
            json.appendMember("to", outcome.added?.upperBound)
            json.appendMember("segments", outcome.segments)
            json.appendMember("bytes", outcome.bytes)
            json.appendMember("position", outcome.tail.position)
            json.appendMember("chain", outcome.tail.chain.hexadecimal)
          }
        }
      }
    }
    json.append(UInt8(ascii: "\n"))
  }
}
