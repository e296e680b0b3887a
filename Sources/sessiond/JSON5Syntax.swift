/// Finds where a text stops being JSON5 (spec.json5.org), and keys that an object has twice.
///
/// The decoder of FoundationEssentials says neither: of a syntax error only that there is one, and of equal keys it takes
/// the last. This reads nothing out of the text, and what it lets through still has to please the decoder.
struct JSON5Syntax {
  /// What is wrong, and where.
  struct Problem: Error, Equatable {
    /// The line, from 1.
    let line: Int
    /// What is wrong, in words.
    let message: String
  }

  private let text: [UInt8]
  private var place = 0
  private var depth = 0
  /// Deeper nesting can't be meant by a file of settings.
  private static let maximumDepth = 64

  private init(_ text: [UInt8]) {
    self.text = text
  }

  /// Goes through `text`. Throws the first problem.
  static func check(_ text: [UInt8]) throws(Problem) {
    var syntax = JSON5Syntax(text)
    try syntax.encoding()
    try syntax.blanks()
    try syntax.value()
    try syntax.blanks()
    if let byte = syntax.next { throw syntax.problem("there is \(shown(byte)) behind the end") }
  }

  /// That the text is UTF-8, which the decoder takes for granted: it ends the process over a name that isn't.
  private func encoding() throws(Problem) {
    do throws(UTF8.ValidationError) {
      _ = try UTF8Span(validating: text.span)
    } catch {
      let place = error.byteOffsets.lowerBound
      throw problem("there is \(Self.shown(text[place])) where UTF-8 is expected", at: place)
    }
  }

  private var next: UInt8? { place < text.count ? text[place] : nil }

  private func problem(_ message: String, at place: Int? = nil) -> Problem {
    let end = min(place ?? self.place, text.count)
    return Problem(line: 1 + text[..<end].count { $0 == UInt8(ascii: "\n") }, message: message)
  }

  private func unexpected(_ wanted: String) -> Problem {
    guard let next else { return problem("the file ends where \(wanted) is expected") }
    return problem("there is \(Self.shown(next)) where \(wanted) is expected")
  }

  private static func shown(_ byte: UInt8) -> String {
    (0x21...0x7e).contains(byte) ? "`\(Character(UnicodeScalar(byte)))`" : "byte \(byte)"
  }

  private mutating func take(_ byte: Character) -> Bool {
    guard next == byte.asciiValue else { return false }
    place += 1
    return true
  }

  private mutating func take(_ word: String) -> Bool {
    guard text[place...].starts(with: word.utf8) else { return false }
    place += word.utf8.count
    return true
  }

  /// Blanks, line ends and comments.
  private mutating func blanks() throws(Problem) {
    while true {
      if take("//") {
        while let byte = next, byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "\r") { place += 1 }
      } else if take("/*") {
        let start = place
        while !take("*/") {
          guard next != nil else { throw problem("the comment that begins here has no end", at: start) }
          place += 1
        }
      } else if let byte = next, byte == 0x20 || (0x09...0x0d).contains(byte) {
        place += 1
      } else if !(take("\u{a0}") || take("\u{feff}") || take("\u{2028}") || take("\u{2029}")) {
        return
      }
    }
  }

  private mutating func value() throws(Problem) {
    switch next {
    case UInt8(ascii: "{"): try nested { syntax throws(Problem) in try syntax.object() }
    case UInt8(ascii: "["): try nested { syntax throws(Problem) in try syntax.array() }
    case UInt8(ascii: "\""), UInt8(ascii: "'"): _ = try string()
    default:
      guard take("true") || take("false") || take("null") else { return try number() }
    }
  }

  private mutating func nested(_ body: (inout Self) throws(Problem) -> Void) throws(Problem) {
    depth += 1
    guard depth <= Self.maximumDepth else { throw problem("the values are nested too deeply") }
    place += 1
    try body(&self)
    depth -= 1
  }

  private mutating func object() throws(Problem) {
    var keys: Set<String> = []
    try blanks()
    while !take("}") {
      let start = place
      let key = try key()
      guard keys.insert(key).inserted else { throw problem("\(key) is given twice", at: start) }
      try blanks()
      guard take(":") else { throw unexpected("a colon after \(key)") }
      try blanks()
      try value()
      try blanks()
      if take("}") { return }
      guard take(",") else { throw unexpected("a comma or the end of the object") }
      try blanks()
    }
  }

  private mutating func array() throws(Problem) {
    try blanks()
    while !take("]") {
      try value()
      try blanks()
      if take("]") { return }
      guard take(",") else { throw unexpected("a comma or the end of the array") }
      try blanks()
    }
  }

  private mutating func key() throws(Problem) -> String {
    if next == UInt8(ascii: "\"") || next == UInt8(ascii: "'") { return try string() }
    let start = place
    while let byte = next, Self.isNamePart(byte), place > start || !Self.isDigit(byte) { place += 1 }
    guard place > start else { throw unexpected("a name") }
    return String(decoding: text[start..<place], as: UTF8.self)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

  /// Whether the byte can be in a name without quotes. All letters beyond ASCII can; the decoder looks closer.
  private static func isNamePart(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "$"), UInt8(ascii: "_"), UInt8(ascii: "\\"), 0x80...: true
    default: false
    }
  }

  /// A string, as it stands between its quotes.
  private mutating func string() throws(Problem) -> String {
    let quote = next
    place += 1
    let start = place
    while let byte = next, byte != quote {
      if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
        throw problem("the text that begins here has no closing quote on its line", at: start)
      }
      // An escape, also of a quote or a line's end.
      place += byte == UInt8(ascii: "\\") ? 2 : 1
    }
    guard place < text.count else { throw problem("the text that begins here has no closing quote", at: start) }
    place += 1
    return String(decoding: text[start..<(place - 1)], as: UTF8.self)
  }

  private mutating func number() throws(Problem) {
    let start = place
    if !take("-") { _ = take("+") }
    if take("Infinity") || take("NaN") { return }
    if take("0x") || take("0X") {
      guard digits({ Self.isDigit($0) || (0x41...0x46).contains($0 & 0xdf) }) else { throw unexpected("a digit") }
      return
    }
    let hasWhole = digits(Self.isDigit)
    let hasFraction = take(".") && digits(Self.isDigit)
    guard hasWhole || hasFraction else {
      place = start
      throw unexpected("a value")
    }
    guard take("e") || take("E") else { return }
    if !take("-") { _ = take("+") }
    guard digits(Self.isDigit) else { throw unexpected("a digit") }
  }

  private mutating func digits(_ isDigit: (UInt8) -> Bool) -> Bool {
    let start = place
    while let byte = next, isDigit(byte) { place += 1 }
    return place > start
  }
}
