internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

/// `sessionctl show`: a session as it is or was.
struct ShowCommand: ControlCommand {
  static let name = "show"
  static let summary = "shows a session as it is, or as it was at a version or time"
  static let help = """
    sessionctl show: shows a session as it is, or as it was

    usage: sessionctl [--data-dir DIR] show TENANT SESSION [--version N | --as-of TIME] [--json]

      --version N    as it was after the change that led to this version, in its last life that had one
      --as-of TIME   as it was then; a time that has not come yet is refused
      --json         one object, whose member "document" is what a GET would have answered

    Ended and expired sessions are shown, too. The state is what the events tell: whether the time of an active
    session has run out since its last activity is up to the daemon's settings.

    examples:
      sessionctl show acme 6f1c2d
      sessionctl show acme 6f1c2d --version 3
      sessionctl show acme 6f1c2d --as-of 2026-03-01T12:00:00Z --json

    exit status: 1 when there is no such session, or it had not begun

    """

  let tenant: TenantID
  let session: SessionID
  let moment: Moment?
  let isJSON: Bool

  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    isJSON = arguments.takeFlag("--json")
    (tenant, session) = try arguments.takeSession()
    let version = try arguments.takeNumber("--version", in: 1...UInt32.max)
    let time = try arguments.takeInstant("--as-of")
    if let time, time > Instant(microseconds: currentMicroseconds()) {
      throw Arguments.Problem(text: "--as-of must not lie in the future")
    }
    switch (version, time) {
    case (nil, nil): moment = nil
    case (let version?, nil): moment = .version(version)
    case (nil, let time?): moment = .time(time)
    default: throw Arguments.Problem(text: "name either a version or a time, not both")
    }
  }

  func run(in directory: DataDirectory) throws -> ExitStatus {
    let reader = try StoreReader(directory: directory)
    let past = try reader.session(session, of: tenant, at: moment) { complainOfUnread($0, of: tenant) }
    guard let past else {
      throw CommandFailure.finding(
        moment == nil
          ? "tenant \(tenant) has no session \(printable(session.description))"
          : "session \(printable(session.description)) of tenant \(tenant) was not there then")
    }
    try printAll { output in
      if isJSON { appendJSON(past, to: &output) } else { output.append(contentsOf: text(past).utf8) }
    }
    return .fine
  }

  private func appendJSON(_ past: PastSession, to json: inout [UInt8]) {
    json.appendObject { json in
      json.appendMember("tenant", tenant.description)
      json.appendMember("sessionId", session.description)
      json.appendMember("state", past.session.status.name)
      json.appendMember("life", past.session.life)
      json.appendMember("activeAt", past.session.activeAt.rfc3339)
      json.appendMember("position", past.position)
      json.appendMember("lastPosition", past.session.lastPosition)
      json.appendMember("erased", past.isErased)
      json.appendName("document")
      past.session.appendDocument(of: session, to: &json)
    }
    json.append(UInt8(ascii: "\n"))
  }

  private func text(_ past: PastSession) -> String {
    let state = past.session
    var rows = [
      ("tenant", tenant.description),
      ("session", printable(session.description)),
      ("state", state.status.name + (past.isErased ? ", with erased events" : "")),
      ("version", "\(state.version)" + (state.life > 1 ? " of life \(state.life)" : "")),
      ("created", state.createdAt.rfc3339),
      ("modified", state.modifiedAt.rfc3339),
      ("active", state.activeAt.rfc3339),
      ("position", "\(state.lastPosition)"),
    ]
    for row in ContextRow.list(state.context) { rows.append((printable(row.name), ContextRow.text(row.json))) }
    return TextTable(pairs: rows).text
  }
}

extension Session.Status {
  /// The state's name in output.
  var name: String {
    switch self {
    case .active: "active"
    case .ended: "ended"
    case .expired: "expired"
    case .erased: "erased"
    }
  }
}
