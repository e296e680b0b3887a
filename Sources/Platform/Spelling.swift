// What texts from outside spell. They are looked at byte by byte: Swift compares texts by Unicode's equivalence, for which
// whoever writes them can have it take quadratic time.

extension FixedWidthInteger {
  /// The number that decimal digits spell. Nil for no text, for anything else in it, such as the sign that Swift takes, and for
  /// a number that is too large.
  public init?(digits text: some StringProtocol) {
    guard text.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else { return nil }
    self.init(text)
  }
}

extension CaseIterable where Self: RawRepresentable, RawValue == String {
  /// The case whose raw value is the same bytes as `text`, nil when there is none.
  public init?(spelled text: String) {
    guard let match = Self.allCases.first(where: { $0.rawValue.utf8.elementsEqual(text.utf8) }) else { return nil }
    self = match
  }
}
