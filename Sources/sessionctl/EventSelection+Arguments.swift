internal import Platform
internal import SessionModel
internal import SessionStore

extension EventSelection {
  /// The options that select events, for the help.
  static let help = """
      --tenant TENANT       this tenant's alone
      --session SESSION     this session's alone
      --customer ID         of the sessions that carry or once carried this customer's id
      --type TYPE           of this type: started, replaced, patched, attribute-set, attribute-removed, touched,
                            expired, ended or erased; or in full, such as session.patched.v1
    """

  /// Takes the options that select events out of a command line.
  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    self.init()
    tenant = try arguments.takeTenant()
    if let name = arguments.take("--session") { session = try Arguments.session(name) }
    customer = arguments.take("--customer")
    if let type = arguments.take("--type") {
      guard let kind = Event.Kind(text: type) else {
        throw Arguments.Problem(text: "there is no event type \(printable(type))")
      }
      self.kind = kind
    }
    let from = try arguments.takeNumber("--from", in: 1...UInt64.max) ?? 1
    let to = try arguments.takeNumber("--to", in: 1...UInt64.max) ?? .max
    guard from <= to else { throw Arguments.Problem(text: "--from must not be after --to") }
    positions = from...to
    since = try arguments.takeInstant("--since")
    until = try arguments.takeInstant("--until")
    if let since, let until, since > until { throw Arguments.Problem(text: "--since must not be after --until") }
  }
}

extension EventFormat {
  /// Takes the option that names a format out of a command line; `--json` is the same as `--format ndjson`.
  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    let isJSON = arguments.takeFlag("--json")
    guard let name = arguments.take("--format") else {
      self = isJSON ? .ndjson : .table
      return
    }
    guard let format = EventFormat(rawValue: name) else {
      throw Arguments.Problem(text: "--format must be table, ndjson or csv")
    }
    guard !isJSON || format == .ndjson else {
      throw Arguments.Problem(text: "--json and --format \(name) can't both be meant")
    }
    self = format
  }
}
