internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

/// The words of a command line: those that stand alone, and options with what they are given.
///
/// `--option VALUE` and `--option=VALUE` are the same; what follows `--` are words, whatever they begin with.
struct Arguments {
  /// What can't be meant, in words.
  struct Problem: Error, Equatable {
    let text: String
  }

  /// Options that take no value.
  private static let flags: Set<String> = ["--json", "--help"]

  private(set) var words: [String] = []
  private var options: [String: String] = [:]

  /// Takes arguments apart, the program's name left out.
  init(_ arguments: [String]) throws(Problem) {
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      if argument == "--" {
        words += rest
        return
      }
      if argument == "-h" {
        try add("--help", "")
        continue
      }
      guard argument.hasPrefix("--") else {
        words.append(argument)
        continue
      }
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      // In front of the command --version asks for the program's; behind it, it is an option like others.
      if Self.flags.contains(parts[0]) || parts[0] == "--version" && words.isEmpty {
        guard parts.count == 1 else { throw Problem(text: "\(parts[0]) takes no value") }
        try add(argument, "")
      } else {
        // Another option in the value's place is a value that was forgotten; with = it can be meant.
        guard let value = parts.count == 2 ? parts[1] : rest.popFirst(), parts.count == 2 || !value.hasPrefix("--"),
          !value.isEmpty
        else { throw Problem(text: "\(parts[0]) needs a value") }
        try add(parts[0], value)
      }
    }
  }

  private mutating func add(_ option: String, _ value: String) throws(Problem) {
    guard options.updateValue(value, forKey: option) == nil else { throw Problem(text: "\(option) is given twice") }
  }

  /// Takes an option's value out; nil when it isn't there.
  mutating func take(_ option: String) -> String? { options.removeValue(forKey: option) }

  /// Takes a flag out.
  mutating func takeFlag(_ flag: String) -> Bool {
    // Values are never empty.
    guard options[flag] == "" else { return false }
    return options.removeValue(forKey: flag) != nil
  }

  /// Whether an option is there.
  func has(_ option: String) -> Bool { options[option] != nil }

  /// Takes the next word out; nil when there is none.
  mutating func takeWord() -> String? { words.isEmpty ? nil : words.removeFirst() }

  /// Takes an option's whole number out.
  mutating func takeNumber<Number: FixedWidthInteger>(
    _ option: String, in range: ClosedRange<Number>
  ) throws(Problem) -> Number? {
    guard let text = take(option) else { return nil }
    guard let number = Number(digits: text), range.contains(number) else {
      throw Problem(text: "\(option) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// Takes an option's time out.
  mutating func takeInstant(_ option: String) throws(Problem) -> Instant? {
    guard let text = take(option) else { return nil }
    guard let instant = Instant(rfc3339: text) else {
      throw Problem(text: "\(option) must be a time such as 2026-03-01T12:00:00Z (RFC 3339)")
    }
    return instant
  }

  /// Takes an option's tenant out.
  mutating func takeTenant(_ option: String = "--tenant") throws(Problem) -> TenantID? {
    guard let name = take(option) else { return nil }
    return try Self.tenant(name)
  }

  /// Takes the option out that names a chain.
  mutating func takeHead() throws(Problem) -> ChainHead? {
    guard let text = take("--head") else { return nil }
    guard let head = ChainHead(text) else {
      throw Problem(text: "--head must be a position, a colon and the chain there, of 64 hexadecimal digits")
    }
    return head
  }

  /// Takes the words TENANT and SESSION out.
  mutating func takeSession() throws(Problem) -> (tenant: TenantID, session: SessionID) {
    guard let tenant = takeWord() else { throw Problem(text: "the tenant is missing") }
    guard let session = takeWord() else { throw Problem(text: "the session is missing") }
    return (try Self.tenant(tenant), try Self.session(session))
  }

  static func tenant(_ name: String) throws(Problem) -> TenantID {
    guard let tenant = TenantID(name) else { throw Problem(text: "\(printable(name)) is no tenant's name") }
    return tenant
  }

  static func session(_ name: String) throws(Problem) -> SessionID {
    guard let session = SessionID(name) else { throw Problem(text: "\(printable(name)) can't be a session's id") }
    return session
  }

  /// Refuses what nobody has taken out.
  func finish() throws(Problem) {
    if let option = options.keys.min() { throw Problem(text: "there is no option \(printable(option)) here") }
    if let word = words.first { throw Problem(text: "\(printable(word)) is one word too many") }
  }
}
