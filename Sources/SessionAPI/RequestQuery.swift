internal import Platform
internal import SessionCodec
internal import SessionModel

/// The parameters of a target's query. Those that no operation has are passed over, since clients add their own.
struct RequestQuery {
  /// A parameter that an operation has, by its name in the query.
  enum Parameter: String {
    case after, asOf, before, customerId, from, limit, sessionId, to, type, upsert, version
  }

  /// More than any client sends. Taking parameters apart costs much more than to send them, and needs no token.
  private static let maximumParameters = 64

  // A few at most, so that looking through them is the least work.
  private var values: [(parameter: Parameter, text: String)] = []

  /// A query without parameters.
  init() {}

  /// Takes a query apart, without its question mark. Throws when an escape is broken or a parameter comes twice.
  init(_ query: ArraySlice<UInt8>) throws(RequestTarget.Problem) {
    var rest = query
    var count = 0
    while !rest.isEmpty {
      count += 1
      guard count <= Self.maximumParameters else {
        throw .invalid("query: must have at most \(Self.maximumParameters) parameters")
      }
      let pair = rest.prefix { $0 != UInt8(ascii: "&") }
      rest = rest[pair.endIndex...].dropFirst()
      let encodedName = pair.prefix { $0 != UInt8(ascii: "=") }
      guard let name = percentDecoded(encodedName) else { throw .invalid("query: holds a broken percent escape") }
      guard let parameter = Parameter(spelled: name) else { continue }
      guard let text = percentDecoded(pair[encodedName.endIndex...].dropFirst()) else {
        throw .invalid("\(name): must be URL-encoded UTF-8")
      }
      guard self.text(parameter) == nil else { throw .invalid("\(name): is given twice") }
      values.append((parameter, text))
    }
  }

  /// A parameter's text, nil when it isn't there.
  func text(_ parameter: Parameter) -> String? { values.first { $0.parameter == parameter }?.text }

  /// Whether the query asks for a session's past.
  var asksForPast: Bool { text(.version) != nil || text(.asOf) != nil }

  /// Whether the query says `upsert=true`. Throws when it says something that is neither that nor `false`.
  func isUpsert() throws(RequestTarget.Problem) -> Bool {
    guard let text = text(.upsert) else { return false }
    if text.utf8.elementsEqual("true".utf8) { return true }
    guard text.utf8.elementsEqual("false".utf8) else { throw .invalid("upsert: must be true or false") }
    return false
  }

  /// A customer's id, nil when the parameter isn't there. Throws when it can't be one.
  func customer() throws(RequestTarget.Problem) -> String? {
    guard let text = text(.customerId) else { return nil }
    guard text.isName else { throw .noName("customerId") }
    return text
  }

  /// A whole number within `range`, nil when the parameter isn't there. Throws when it is anything else.
  func number<Number: FixedWidthInteger>(
    _ parameter: Parameter, in range: ClosedRange<Number>
  ) throws(RequestTarget.Problem) -> Number? {
    guard let text = text(parameter) else { return nil }
    guard let number = Number(digits: text), range.contains(number) else {
      throw .invalid("\(parameter): must be a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// A point in time, nil when the parameter isn't there. Throws when it isn't RFC 3339.
  func instant(_ parameter: Parameter) throws(RequestTarget.Problem) -> Instant? {
    guard let text = text(parameter) else { return nil }
    guard let instant = Instant(rfc3339: text) else {
      throw .invalid("\(parameter): must be a time such as 2026-03-01T14:03:00Z (RFC 3339)")
    }
    return instant
  }
}
