internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

/// `sessionctl history`: the events of a session.
struct HistoryCommand: ControlCommand {
  static let name = "history"
  static let summary = "lists a session's events, newest first"
  static let help = """
    sessionctl history: lists a session's events, newest first, those of its earlier lives too

    usage: sessionctl [--data-dir DIR] history TENANT SESSION [--limit N] [--json]

      --limit N   at most so many events; default 50
      --json      one object: "events" holds CloudEvents, "hasOlder" whether there are more

    examples:
      sessionctl history acme 6f1c2d
      sessionctl history acme 6f1c2d --limit 1000 --json

    exit status: 1 when the session never had an event

    """

  let tenant: TenantID
  let session: SessionID
  let limit: Int
  let isJSON: Bool

  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    isJSON = arguments.takeFlag("--json")
    limit = try arguments.takeNumber("--limit", in: 1...1_000_000) ?? 50
    (tenant, session) = try arguments.takeSession()
  }

  func run(in directory: DataDirectory) throws -> ExitStatus {
    let reader = try StoreReader(directory: directory)
    let history = try reader.history(session, of: tenant, limit: limit) { complainOfUnread($0, of: tenant) }
    guard !history.events.isEmpty else {
      throw CommandFailure.finding("tenant \(tenant) has no session \(printable(session.description))")
    }
    try printAll { output in
      if isJSON {
        output.appendObject { json in
          json.appendList("events") { json in
            for recorded in history.events {
              json.beginItem()
              recorded.event.appendCloudEvent(of: tenant, isErased: recorded.isErased, to: &json)
            }
          }
          json.appendMember("hasOlder", history.hasOlder)
        }
        output.append(UInt8(ascii: "\n"))
      } else {
        output.append(contentsOf: table(history.events).utf8)
      }
    }
    if history.hasOlder && !isJSON { complain("there are older events; raise --limit to see them") }
    return .fine
  }

  private func table(_ events: [RecordedEvent]) -> String {
    var table = TextTable([
      ("POSITION", .right), ("TIME", .left), ("LIFE", .right), ("VERSION", .right), ("TYPE", .left), ("ACTOR", .left),
      ("CHANGES", .left),
    ])
    for recorded in events {
      let event = recorded.event
      table.add([
        "\(event.position)", event.recordedAt.rfc3339, "\(event.life)", "\(event.version)", event.kind.shortName,
        recorded.actorText, recorded.changesText,
      ])
    }
    return table.text
  }
}
