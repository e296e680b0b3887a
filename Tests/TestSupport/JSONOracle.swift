public import SessionCodec
internal import SessionModel

/// A second reading of request bodies, written as plainly as can be, for comparison: recursive, slow, without limits of
/// its own on size.
public struct JSONOracle {
  /// A JSON value and the bytes that it was sent as.
  public struct Value {
    /// What a value is.
    public enum Kind {
      case null
      case boolean
      case number
      case string(String)
      case array
      case object([(name: String, value: Value)])
    }

    /// What it is.
    public var kind: Kind
    /// The bytes.
    public var raw: ArraySlice<UInt8>
  }

  private struct Invalid: Error {}

  private let bytes: [UInt8]
  private var place = 0
  private let maximumDepth: Int

  private init(_ bytes: [UInt8], maximumDepth: Int) {
    self.bytes = bytes
    self.maximumDepth = maximumDepth
  }

  /// The members of the object that `bytes` are, nil when they are something else or break a rule of the document.
  public static func members(_ bytes: [UInt8], maximumDepth: Int = 32) -> [(name: String, value: Value)]? {
    guard String(validating: bytes, as: UTF8.self) != nil else { return nil }
    var oracle = JSONOracle(bytes, maximumDepth: maximumDepth)
    oracle.skipWhitespace()
    guard let value = try? oracle.value(depth: 0) else { return nil }
    oracle.skipWhitespace()
    guard oracle.place == bytes.count, case .object(let members) = value.kind else { return nil }
    return members
  }

  private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

  private mutating func skipWhitespace() {
    while let next, [0x20, 0x09, 0x0a, 0x0d].contains(next) { place += 1 }
  }

  private mutating func take(_ byte: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: byte) else { return false }
    place += 1
    return true
  }

  private mutating func require(_ byte: Unicode.Scalar) throws {
    guard take(byte) else { throw Invalid() }
  }

  private mutating func word(_ word: String) throws {
    for byte in word.unicodeScalars { try require(byte) }
  }

  private mutating func value(depth: Int) throws -> Value {
    let start = place
    let kind: Value.Kind
    switch next {
    case UInt8(ascii: "{"): kind = .object(try object(depth: depth + 1))
    case UInt8(ascii: "["):
      try array(depth: depth + 1)
      kind = .array
    case UInt8(ascii: "\""): kind = .string(try string())
    case UInt8(ascii: "n"):
      try word("null")
      kind = .null
    case UInt8(ascii: "t"):
      try word("true")
      kind = .boolean
    case UInt8(ascii: "f"):
      try word("false")
      kind = .boolean
    default:
      try number()
      kind = .number
    }
    return Value(kind: kind, raw: bytes[start..<place])
  }

  private mutating func object(depth: Int) throws -> [(name: String, value: Value)] {
    guard depth <= maximumDepth else { throw Invalid() }
    try require("{")
    skipWhitespace()
    var members: [(name: String, value: Value)] = []
    if take("}") { return [] }
    repeat {
      skipWhitespace()
      let name = try string()
      guard !members.contains(where: { $0.name.utf8.elementsEqual(name.utf8) }) else { throw Invalid() }
      skipWhitespace()
      try require(":")
      skipWhitespace()
      members.append((name, try value(depth: depth)))
      skipWhitespace()
    } while take(",")
    try require("}")
    return members
  }

  private mutating func array(depth: Int) throws {
    guard depth <= maximumDepth else { throw Invalid() }
    try require("[")
    skipWhitespace()
    if take("]") { return }
    repeat {
      skipWhitespace()
      _ = try value(depth: depth)
      skipWhitespace()
    } while take(",")
    try require("]")
  }

  private mutating func digits() throws {
    let start = place
    while let next, (0x30...0x39).contains(next) { place += 1 }
    guard place > start else { throw Invalid() }
  }

  private mutating func number() throws {
    _ = take("-")
    if !take("0") { try digits() }
    if take(".") { try digits() }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      try digits()
    }
  }

  private mutating func string() throws -> String {
    try require("\"")
    // UTF-16 code units of escapes, as JSON means them, and UTF-8 of the rest.
    var text: [UInt16] = []
    var run: [UInt8] = []
    func flush() {
      text += String(decoding: run, as: UTF8.self).utf16
      run = []
    }
    while let byte = next {
      place += 1
      switch byte {
      case UInt8(ascii: "\""):
        flush()
        guard let string = String(validating: text, as: UTF16.self) else { throw Invalid() }
        return string
      case UInt8(ascii: "\\"):
        flush()
        text.append(try escape())
      case 0..<0x20:
        throw Invalid()
      default:
        run.append(byte)
      }
    }
    throw Invalid()
  }

  private mutating func escape() throws -> UInt16 {
    let plain: [UInt8: UInt16] = [
      0x22: 0x22, 0x5c: 0x5c, 0x2f: 0x2f, 0x62: 0x08, 0x66: 0x0c, 0x6e: 0x0a, 0x72: 0x0d, 0x74: 0x09,
    ]
    guard let byte = next else { throw Invalid() }
    place += 1
    if let unit = plain[byte] { return unit }
    guard byte == UInt8(ascii: "u"), bytes.count - place >= 4 else { throw Invalid() }
    let digits = bytes[place..<place + 4]
    guard digits.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x46).contains($0) || (0x61...0x66).contains($0) }),
      let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw Invalid() }
    place += 4
    return unit
  }
}

extension JSONOracle {
  /// What a body asks for by the rules of the fields, nil when one of them is broken.
  public static func context(
    _ members: [(name: String, value: Value)], limits: BodyLimits = BodyLimits()
  ) -> ContextBody? {
    var body = ContextBody()
    for (name, value) in members {
      switch (name, value.kind) {
      case ("sessionId", .null): body.sessionID = nil
      case ("sessionId", .string(let text)):
        guard isText(text, maximumBytes: 200) else { return nil }
        body.sessionID = text
      case ("context", .null): body.changes.attributes = .replaced([])
      case ("context", .object(let members)):
        guard members.count <= limits.maximumAttributes,
          members.allSatisfy({
            isText($0.name, maximumBytes: limits.maximumTextBytes) && $0.value.raw.count <= limits.maximumAttributeBytes
          })
        else { return nil }
        body.changes.attributes = .replaced(members.map { Attribute(name: $0.name, value: Array($0.value.raw)) })
      case ("metadata", .null): break
      case ("metadata", .object(let members)):
        guard let version = members.first(where: { $0.name == "version" })?.value else { continue }
        if case .null = version.kind { continue }
        guard case .number = version.kind, let number = Int64(String(decoding: version.raw, as: UTF8.self)), number >= 0
        else { return nil }
        body.version = number
      case ("sessionId", _), ("context", _), ("metadata", _): return nil
      default:
        guard let field = Field.allCases.first(where: { $0.name == name }) else { continue }
        switch value.kind {
        case .null: body.changes.fields.append(.init(field: field, value: nil))
        case .string(let text):
          guard isText(text, maximumBytes: limits.maximumTextBytes), isWellFormed(text, field) else { return nil }
          body.changes.fields.append(.init(field: field, value: text))
        default: return nil
        }
      }
    }
    return body
  }

  private static func isText(_ text: String, maximumBytes: Int) -> Bool {
    (1...maximumBytes).contains(text.utf8.count)
      && !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f }
  }

  private static func isWellFormed(_ text: String, _ field: Field) -> Bool {
    switch field {
    case .currency: text.wholeMatch(of: /[A-Za-z]{3}/) != nil
    case .targetLocation: text.wholeMatch(of: /[A-Za-z]{2}/) != nil
    case .language: text.wholeMatch(of: /[A-Za-z0-9_\-]{2,35}/) != nil
    case .customerID, .siteCode, .cartID: true
    }
  }
}
