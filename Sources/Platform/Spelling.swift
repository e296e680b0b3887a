// What texts from outside spell. They are looked at byte by byte: Swift compares texts by Unicode's equivalence, for which
// whoever writes them can have it take quadratic time.

extension FixedWidthInteger {
  /// The number that decimal digits spell. Nil for no text, for anything else in it, such as the sign that Swift takes, and
  /// for a number that is too large.
  public init?(digits text: some StringProtocol) {
    guard text.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else { return nil }
    self.init(text)
  }
}

extension RawRepresentable<String> {
  /// The value whose raw value is the same bytes as `text`, nil when there is none. Raw values are ASCII.
  public init?(spelled text: String) {
    // Texts of ASCII alone are equal when their bytes are, so that `init(rawValue:)` needn't be written anew.
    guard text.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
    self.init(rawValue: text)
  }
}
