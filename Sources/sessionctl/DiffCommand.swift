internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

/// `sessionctl diff`: what changed between two versions of a session.
struct DiffCommand: ControlCommand {
  static let name = "diff"
  static let summary = "compares two versions of a session, field by field"
  static let help = """
    sessionctl diff: compares two versions of a session, field by field

    usage: sessionctl [--data-dir DIR] diff TENANT SESSION --from N --to M [--json]

    Both versions are of the session's last life that had both. A version that ended the session holds no fields. A
    side on which a field isn't set shows -; in JSON it is left out.

    examples:
      sessionctl diff acme 6f1c2d --from 3 --to 4
      sessionctl diff acme 6f1c2d --from 1 --to 9 --json

    exit status: 0 whether they differ or not, 1 when there is no such session or version

    """

  let tenant: TenantID
  let session: SessionID
  let from: UInt32
  let to: UInt32
  let isJSON: Bool

  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    isJSON = arguments.takeFlag("--json")
    (tenant, session) = try arguments.takeSession()
    guard let from = try arguments.takeNumber("--from", in: 1...UInt32.max),
      let to = try arguments.takeNumber("--to", in: 1...UInt32.max)
    else { throw Arguments.Problem(text: "diff needs both versions: --from N --to M") }
    (self.from, self.to) = (from, to)
  }

  func run(in directory: DataDirectory) throws -> ExitStatus {
    let reader = try StoreReader(directory: directory)
    let comparison = try reader.compare(session, of: tenant, from: from, to: to) { complainOfUnread($0, of: tenant) }
    guard case .versions(let life, let old, let new, let isErased) = comparison else {
      let name = "session \(printable(session.description))"
      if case .noVersion(let version) = comparison {
        throw CommandFailure.finding("\(name) of tenant \(tenant) never had a version \(version)")
      }
      throw CommandFailure.finding("tenant \(tenant) has no \(name)")
    }
    try printAll { output in
      if isJSON {
        output.appendObject { json in
          json.appendMember("sessionId", session.description)
          json.appendMember("life", life)
          json.appendMember("from", from)
          json.appendMember("to", to)
          if isErased { json.appendMember("erased", true) }
          json.appendName("changes")
          json.appendDifference(from: old, to: new)
        }
        output.append(UInt8(ascii: "\n"))
      } else {
        output.append(
          contentsOf: "life \(life), version \(from) to \(to)\(isErased ? ", with erased events" : "")\n".utf8)
        output.append(contentsOf: Self.table(from: old, to: new).utf8)
      }
    }
    return .fine
  }

  static func table(from old: SessionContext, to new: SessionContext) -> String {
    var table = TextTable([("FIELD", .left), ("OLD", .left), ("NEW", .left)])
    for row in ContextRow.differences(from: old, to: new) {
      table.add([printable(row.name), ContextRow.text(row.old), ContextRow.text(row.new)])
    }
    return table.text
  }
}
