internal import HTTPServer

/// Which web pages of other origins may call (Fetch Standard, "CORS protocol"). Off without origins.
public struct CORSPolicy: Sendable, Equatable {
  private let origins: Set<String>
  private let isAny: Bool

  /// The policy that lets pages of these origins call, such as `https://shop.example`; `*`: all pages.
  public init(origins: [String]) {
    self.origins = Set(origins)
    isAny = origins.contains("*")
  }

  /// Whether `text` is an origin as browsers send it (RFC 6454, 6.2: scheme, host and a port that isn't the scheme's own,
  /// in small letters), or `*`.
  public static func isOrigin(_ text: String) -> Bool {
    if text == "*" { return true }
    guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { return false }
    let scheme = text[..<colon]
    let host = text[colon...].dropFirst(3)
    let isPlain = text.utf8.allSatisfy { (0x21...0x7e).contains($0) && !(0x41...0x5a).contains($0) }
    return isPlain && scheme.first?.isLetter == true && !host.isEmpty && !host.contains { "/?#@*".contains($0) }
  }

  /// Whether any page of another origin may call at all.
  var isOff: Bool { origins.isEmpty }

  private static let allowedHeaders = [
    "Authorization", "Content-Type", "saas-token", "If-Match", "If-None-Match", "Idempotency-Key", "Accept-Language",
    "Content-Language", "session-id", "Emporix-Tenant", "Last-Event-ID",
  ].joined(separator: ", ")
  private static let preflightSeconds = "600"
  /// No origin is longer: a host has 253 characters at most. What is sent comes back in the answer.
  private static let maximumOriginBytes = 300

  /// Whether pages of `origin` may call. A field of the answer holds it then, which not every text that is sent may.
  private func isAllowed(_ origin: String) -> Bool {
    origin.utf8.count <= Self.maximumOriginBytes && origin.utf8.allSatisfy { (0x21...0x7e).contains($0) }
      && (isAny || origins.contains(origin))
  }

  /// What every answer to a page of `origin` carries; nothing when it may not call.
  func fields(origin: String?) -> [HTTPResponse.Field] {
    guard !isOff else { return [] }
    // The answer differs by origin, so a cache must not give one's to another.
    let vary = HTTPResponse.Field(.vary, "Origin")
    guard let origin, isAllowed(origin) else { return [vary] }
    return [
      HTTPResponse.Field(.accessControlAllowOrigin, origin), HTTPResponse.Field(.accessControlExposeHeaders, "ETag"),
      vary,
    ]
  }

  /// What the answer to a preflight carries besides.
  func preflightFields(origin: String?, allowedMethods: String) -> [HTTPResponse.Field] {
    guard let origin, isAllowed(origin) else { return [] }
    return [
      HTTPResponse.Field(.accessControlAllowMethods, allowedMethods),
      HTTPResponse.Field(.accessControlAllowHeaders, Self.allowedHeaders),
      HTTPResponse.Field(.accessControlMaxAge, Self.preflightSeconds),
    ]
  }
}
