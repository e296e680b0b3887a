internal import SessionCodec
internal import SessionModel

/// The parameters of a target's query. Those that nobody asks for are ignored, as clients add their own.
struct RequestQuery: Equatable {
  private var parameters: [String: String] = [:]

  /// A query without parameters.
  init() {}

  /// Takes a query apart, without its question mark. Throws when an escape is broken or a parameter comes twice.
  init(_ query: ArraySlice<UInt8>) throws(RequestTarget.Problem) {
    var rest = query
    while !rest.isEmpty {
      let parameter = rest.prefix { $0 != UInt8(ascii: "&") }
      rest = rest[parameter.endIndex...].dropFirst()
      guard !parameter.isEmpty else { continue }
      let encodedName = parameter.prefix { $0 != UInt8(ascii: "=") }
      guard let name = percentDecoded(encodedName) else { throw .invalid("query: holds a broken percent escape") }
      guard let value = percentDecoded(parameter[encodedName.endIndex...].dropFirst()) else {
        throw .invalid("\(name): must be URL-encoded UTF-8")
      }
      guard parameters.updateValue(value, forKey: name) == nil else { throw .invalid("\(name): is given twice") }
    }
  }

  /// A parameter's text, nil when it isn't there.
  func text(_ name: String) -> String? { parameters[name] }

  /// Whether the query asks for a session's past.
  var asksForPast: Bool { text("version") != nil || text("asOf") != nil }

  /// Whether the query says `upsert=true`. Throws when it says something that is neither that nor `false`.
  func isUpsert() throws(RequestTarget.Problem) -> Bool {
    switch text("upsert") {
    case nil, "false": return false
    case "true": return true
    default: throw .invalid("upsert: must be true or false")
    }
  }

  /// A customer's id, nil when the parameter isn't there. Throws when it can't be one.
  func customer() throws(RequestTarget.Problem) -> String? {
    guard let text = text("customerId") else { return nil }
    guard text.isName else { throw .noName("customerId") }
    return text
  }

  /// A whole number within `range`, nil when the parameter isn't there. Throws when it is anything else.
  func number<Number: FixedWidthInteger>(
    _ name: String, in range: ClosedRange<Number>
  ) throws(RequestTarget.Problem) -> Number? {
    guard let text = text(name) else { return nil }
    guard let number = Number(text), range.contains(number) else {
      throw .invalid("\(name): must be a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// A point in time, nil when the parameter isn't there. Throws when it isn't RFC 3339.
  func instant(_ name: String) throws(RequestTarget.Problem) -> Instant? {
    guard let text = text(name) else { return nil }
    guard let instant = Instant(rfc3339: text) else {
      throw .invalid("\(name): must be a time such as 2026-03-01T14:03:00Z (RFC 3339)")
    }
    return instant
  }
}
