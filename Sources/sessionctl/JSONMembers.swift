internal import SessionCodec

// Members of JSON objects, put behind each other: each adds the comma that divides it from the one before.
extension [UInt8] {
  /// Begins a member or an element: adds a comma unless it is the first one.
  mutating func beginItem() {
    guard let last, last != UInt8(ascii: "{"), last != UInt8(ascii: "["), last != UInt8(ascii: ":") else { return }
    append(UInt8(ascii: ","))
  }

  /// Appends a member's name.
  mutating func appendName(_ name: String) {
    beginItem()
    appendJSONString(name)
    append(UInt8(ascii: ":"))
  }

  /// Appends a member with a text; null when there is none.
  mutating func appendMember(_ name: String, _ text: String?) {
    appendName(name)
    if let text { appendJSONString(text) } else { append(contentsOf: "null".utf8) }
  }

  /// Appends a member with a number; null when there is none.
  mutating func appendMember(_ name: String, _ number: (some FixedWidthInteger)?) {
    appendName(name)
    if let number { appendDecimal(number) } else { append(contentsOf: "null".utf8) }
  }

  /// Appends a member with true or false.
  mutating func appendMember(_ name: String, _ value: Bool) {
    appendName(name)
    append(contentsOf: value ? "true".utf8 : "false".utf8)
  }

  /// Appends a member with an object whose members `body` appends.
  mutating func appendObject<Failure: Error>(
    _ name: String? = nil, _ body: (inout [UInt8]) throws(Failure) -> Void
  ) throws(Failure) {
    if let name { appendName(name) } else { beginItem() }
    append(UInt8(ascii: "{"))
    try body(&self)
    append(UInt8(ascii: "}"))
  }

  /// Appends a member with a list whose elements `body` appends.
  mutating func appendList(_ name: String, _ body: (inout [UInt8]) -> Void) {
    appendName(name)
    append(UInt8(ascii: "["))
    body(&self)
    append(UInt8(ascii: "]"))
  }
}
