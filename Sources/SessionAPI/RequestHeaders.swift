internal import HTTPServer
internal import Platform
internal import SessionModel

/// What a request asks of the version that is there (RFC 9110, 13.1).
struct Conditions {
  let ifMatch: Precondition.Versions?
  let ifNoneMatch: Precondition.Versions?
  /// `If-Match` and `If-None-Match` as sent.
  fileprivate let texts: (ifMatch: String?, ifNoneMatch: String?)

  /// Reads the fields of `exchange`. Throws what is wrong with one.
  init(_ exchange: HTTPExchange) throws(RequestTarget.Problem) {
    texts = (exchange.headerList(.ifMatch), exchange.headerList(.ifNoneMatch))
    ifMatch = try Self.versions(.ifMatch, texts.ifMatch, weak: false)
    ifNoneMatch = try Self.versions(.ifNoneMatch, texts.ifNoneMatch, weak: true)
  }

  private static func versions(
    _ name: HTTPFieldName, _ text: String?, weak: Bool
  ) throws(RequestTarget.Problem) -> Precondition.Versions? {
    guard let text else { return nil }
    guard let versions = parseEntityTags(text, weak: weak) else {
      throw .invalid("\(name): must be * or a list of at most \(maximumEntityTags) entity tags such as \"4\"")
    }
    return versions
  }
}

/// The header fields that a change depends on, read before the request leaves its worker.
struct RequestHeaders {
  /// What it asks of the version; as sent, it belongs to what makes a request the same as another.
  let conditions: Conditions
  private(set) var idempotencyKey: Fingerprint?

  /// The longest idempotency key in bytes (API contract).
  private static let maximumKeyBytes = 64

  /// Reads the fields of `exchange`. Throws what is wrong with one.
  init(_ exchange: HTTPExchange) throws(RequestTarget.Problem) {
    conditions = try Conditions(exchange)
    // By its bytes, whatever they are: what isn't UTF-8 would be one key with others as text.
    let key = exchange.withHeader(.idempotencyKey) { key -> Fingerprint? in
      guard (1...Self.maximumKeyBytes).contains(key.count),
        key.indices.allSatisfy({ key[$0] >= 0x20 && key[$0] != 0x7f })
      else { return nil }
      return Fingerprint(sha256(key))
    }
    if let key {
      guard let key else {
        throw .invalid("Idempotency-Key: must be 1 to \(Self.maximumKeyBytes) bytes, none of them a control character")
      }
      idempotencyKey = key
    }
  }

  /// What tells this request from others: caller, method, target, conditions and body. Zero bytes keep the parts apart.
  func mark(_ exchange: HTTPExchange, actor: String, sessionID: SessionID) -> RequestMark {
    var head: [UInt8] = []
    head.reserveCapacity(256)
    for part in [actor, exchange.methodName, sessionID.description] {
      part.withBytes { head.append(copying: $0) }
      head.append(0)
    }
    head.append(contentsOf: exchange.target)
    head.append(0)
    conditions.texts.ifMatch?.withBytes { head.append(copying: $0) }
    head.append(0)
    conditions.texts.ifNoneMatch?.withBytes { head.append(copying: $0) }
    head.append(0)
    let body = exchange.body
    var hasher = DigestHasher()
    hasher.update(head.span)
    hasher.update(body.span)
    return RequestMark(fingerprint: Fingerprint(hasher.finish()), key: idempotencyKey)
  }
}

extension Fingerprint {
  /// The first half of a digest.
  fileprivate init(_ digest: Digest) {
    let (low, high) = digest.prefix
    self.init(low: low, high: high)
  }
}

/// How a request can be followed through other systems.
struct RequestTrace {
  /// `X-Request-Id`, given back in the answer; nil when none was sent or it can't be one.
  let requestID: String?
  /// `traceparent` (W3C Trace Context), empty when none was sent or it can't be one.
  let traceParent: String

  private static let maximumRequestIDBytes = 128

  init(_ exchange: HTTPExchange) {
    requestID = exchange.header("X-Request-Id").flatMap { id in
      (1...Self.maximumRequestIDBytes).contains(id.utf8.count) && id.utf8.allSatisfy({ 0x21...0x7e ~= $0 }) ? id : nil
    }
    traceParent = exchange.header(.traceparent).flatMap { Self.isTraceParent($0) ? $0 : nil } ?? ""
  }

  /// W3C Trace Context, 3.2: version, trace id, parent id and flags in lower-case hexadecimal, the ids not all zero.
  private static func isTraceParent(_ value: String) -> Bool {
    // Before anything is compared as text, which may take quadratic time.
    guard value.utf8.count == 55 else { return false }
    let parts = value.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 4, parts.map(\.utf8.count) == [2, 32, 16, 2], parts[0] != "ff" else { return false }
    let isHexadecimal = value.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) || byte == UInt8(ascii: "-")
    }
    return isHexadecimal && parts[1].contains { $0 != "0" } && parts[2].contains { $0 != "0" }
  }
}
