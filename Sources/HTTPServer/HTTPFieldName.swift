/// The name of a header field: a constant of the program, so that a lookup allocates nothing.
///
/// Written as a literal: `let traceParent: HTTPFieldName = "traceparent"`. Must be a token (RFC 9110, section 5.1).
public struct HTTPFieldName: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
  let text: StaticString

  /// The field name that the literal spells.
  public init(stringLiteral text: StaticString) {
    precondition(text.hasPointerRepresentation, "a field name of one character is written as a string")
    self.text = text
  }

  /// The name as it was written.
  public var description: String { text.description }

  /// Names are compared without regard to case (RFC 9110, section 5.1).
  public static func == (left: HTTPFieldName, right: HTTPFieldName) -> Bool { left.matches(right.bytes) }

  /// Hashes the name without regard to case.
  public func hash(into hasher: inout Hasher) {
    for index in bytes.indices { hasher.combine(lowercased(bytes[index])) }
  }

  /// The name's bytes.
  var bytes: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      // StaticString.utf8Start: a pointer to bytes that live as long as the program.
      let buffer = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
      return unsafe _overrideLifetime(Span(_unsafeElements: buffer), borrowing: self)
    }
  }

  /// Whether `other` is this name, without regard to case.
  func matches(_ other: Span<UInt8>) -> Bool {
    let bytes = bytes
    guard bytes.count == other.count else { return false }
    for index in bytes.indices where lowercased(bytes[index]) != lowercased(other[index]) { return false }
    return true
  }
}

extension HTTPFieldName {
  /// Accept
  public static let accept: HTTPFieldName = "Accept"
  /// Access-Control-Allow-Headers
  public static let accessControlAllowHeaders: HTTPFieldName = "Access-Control-Allow-Headers"
  /// Access-Control-Allow-Methods
  public static let accessControlAllowMethods: HTTPFieldName = "Access-Control-Allow-Methods"
  /// Access-Control-Allow-Origin
  public static let accessControlAllowOrigin: HTTPFieldName = "Access-Control-Allow-Origin"
  /// Access-Control-Expose-Headers
  public static let accessControlExposeHeaders: HTTPFieldName = "Access-Control-Expose-Headers"
  /// Access-Control-Max-Age
  public static let accessControlMaxAge: HTTPFieldName = "Access-Control-Max-Age"
  /// Allow
  public static let allow: HTTPFieldName = "Allow"
  /// Authorization
  public static let authorization: HTTPFieldName = "Authorization"
  /// Cache-Control
  public static let cacheControl: HTTPFieldName = "Cache-Control"
  /// Content-Length
  public static let contentLength: HTTPFieldName = "Content-Length"
  /// Content-Type
  public static let contentType: HTTPFieldName = "Content-Type"
  /// ETag
  public static let etag: HTTPFieldName = "ETag"
  /// Host
  public static let host: HTTPFieldName = "Host"
  /// Idempotency-Key
  public static let idempotencyKey: HTTPFieldName = "Idempotency-Key"
  /// If-Match
  public static let ifMatch: HTTPFieldName = "If-Match"
  /// If-None-Match
  public static let ifNoneMatch: HTTPFieldName = "If-None-Match"
  /// Last-Event-ID
  public static let lastEventID: HTTPFieldName = "Last-Event-ID"
  /// Origin
  public static let origin: HTTPFieldName = "Origin"
  /// Retry-After
  public static let retryAfter: HTTPFieldName = "Retry-After"
  /// traceparent (W3C Trace Context)
  public static let traceparent: HTTPFieldName = "traceparent"
  /// Transfer-Encoding
  public static let transferEncoding: HTTPFieldName = "Transfer-Encoding"
  /// Vary
  public static let vary: HTTPFieldName = "Vary"
  /// WWW-Authenticate
  public static let wwwAuthenticate: HTTPFieldName = "WWW-Authenticate"
}

/// An ASCII letter in lower case; every other byte as it is.
@inline(__always)
func lowercased(_ byte: UInt8) -> UInt8 {
  byte &- 0x41 < 26 ? byte | 0x20 : byte
}
