internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

/// `sessionctl status`: what is in a store and how it stands.
struct StatusCommand: ControlCommand {
  static let name = "status"
  static let summary = "tells what is in the store and how it stands"
  static let help = """
    sessionctl status: tells what is in the store and how it stands

    usage: sessionctl [--data-dir DIR] status [--json]

    For each tenant: its events, how far the projections are (checkpoint) and how many events they lack (lag), and the
    sessions that are open at the checkpoint, as far as events tell. For both environments: the size of the file, the
    part in use, the last commit, and the oldest commit that another process still reads, which keeps the pages freed
    since from being used again. Looks at a few places only, however large the store is.

    examples:
      sessionctl --data-dir /var/lib/sessiond status
      sessionctl --data-dir /var/lib/sessiond status --json

    exit status: 1 when the projections are there and can't be used

    """

  let isJSON: Bool

  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    isJSON = arguments.takeFlag("--json")
  }

  func run(in directory: DataDirectory) throws -> ExitStatus {
    let status = try StoreReader(directory: directory).status()
    try printAll { output in
      if isJSON { Self.appendJSON(status, to: &output) } else { output.append(contentsOf: Self.text(status).utf8) }
    }
    return status.projectionsProblem == nil ? .fine : .finding
  }

  private static func appendJSON(_ status: StoreStatus, to json: inout [UInt8]) {
    json.appendObject { json in
      json.appendMember("store", status.storeID)
      json.appendObject("formats") { json in
        json.appendMember("log", status.logFormat)
        json.appendMember("record", status.recordFormat)
        json.appendMember("projections", status.projectionsFormat)
      }
      json.appendMember("events", status.eventCount)
      json.appendMember("sessions", status.sessions)
      json.appendMember("openSessions", status.openSessionCount)
      json.appendMember("lag", status.lag)
      json.appendMember("projectionsProblem", status.projectionsProblem)
      json.appendObject("tenants") { json in
        for tenant in status.tenants {
          json.appendObject(tenant.id.description) { json in
            json.appendMember("position", tenant.position)
            json.appendMember("checkpoint", tenant.checkpoint)
            json.appendMember("lag", tenant.lag)
            json.appendMember("openSessions", tenant.openSessions)
          }
        }
      }
      append("log", status.log, to: &json)
      append("projections", status.projections, to: &json)
    }
    json.append(UInt8(ascii: "\n"))
  }

  private static func append(_ name: String, _ files: StoreStatus.Files?, to json: inout [UInt8]) {
    guard let files else { return json.appendMember(name, String?.none) }
    json.appendObject(name) { json in
      json.appendMember("fileBytes", files.fileBytes)
      json.appendMember("usedBytes", files.usedBytes)
      json.appendMember("lastCommit", files.lastCommit)
      json.appendMember("readers", files.readers.count)
      guard let oldest = files.oldestReader else { return json.appendMember("oldestReader", String?.none) }
      json.appendObject("oldestReader") { json in
        json.appendMember("process", oldest.process)
        json.appendMember("commit", oldest.commit)
        json.appendMember("commitsBehind", files.lastCommit - min(oldest.commit, files.lastCommit))
      }
    }
  }

  private static func text(_ status: StoreStatus) -> String {
    func shown(_ number: (some FixedWidthInteger)?) -> String { number.map { "\($0)" } ?? "-" }
    var text = TextTable(pairs: [
      ("store", status.storeID),
      (
        "formats",
        "log \(status.logFormat), record \(status.recordFormat), projections "
          + (status.projectionsFormat ?? "-")
      ),
      ("events", "\(status.eventCount)"),
      ("sessions", "\(shown(status.openSessionCount)) open, \(shown(status.sessions)) in all, at the checkpoints"),
      ("lag", shown(status.lag)),
      ("log", status.log.text),
      ("projections", status.projections?.text ?? status.projectionsProblem.map(printable) ?? "none"),
    ]).text
    guard !status.tenants.isEmpty else { return text }
    var table = TextTable([
      ("TENANT", .left), ("POSITION", .right), ("CHECKPOINT", .right), ("LAG", .right), ("OPEN SESSIONS", .right),
    ])
    for tenant in status.tenants {
      table.add([
        tenant.id.description, "\(tenant.position)", shown(tenant.checkpoint), shown(tenant.lag),
        shown(tenant.openSessions),
      ])
    }
    text += "\n" + table.text
    return text
  }
}

extension StoreStatus {
  fileprivate var eventCount: UInt64 { tenants.reduce(0) { $0 + $1.position } }

  fileprivate var openSessionCount: UInt64? {
    projections == nil ? nil : tenants.reduce(0) { $0 + ($1.openSessions ?? 0) }
  }

  fileprivate var lag: UInt64? { projections == nil ? nil : tenants.reduce(0) { $0 + ($1.lag ?? 0) } }
}

extension StoreStatus.Files {
  fileprivate var text: String {
    var text = "\(byteText(fileBytes)), \(byteText(UInt64(usedBytes))) used, commit \(lastCommit)"
    if let oldest = oldestReader {
      text +=
        ", oldest reader \(lastCommit - min(oldest.commit, lastCommit)) commits behind (process \(oldest.process))"
    } else {
      text += ", no readers"
    }
    return text
  }
}
