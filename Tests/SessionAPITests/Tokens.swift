import Platform
import SessionAPI
import TestSupport
import Tokens

/// An issuer with one shared key, and tokens of its own (HS256).
struct Issuer {
  private static let secret = Array("a secret of thirty-two bytes, ok".utf8)
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    folder.write(
      Array(#"{"keys":[{"kty":"oct","alg":"HS256","kid":"k","k":"\#(base64URL(Self.secret))"}]}"#.utf8), to: "keys.json"
    )
  }

  /// Lets in who has one of its tokens.
  func authorizer(requiresCustomerToken: Bool = true) throws -> Authorizer {
    let issuer = IssuerConfiguration(
      issuer: "https://id.example", keyFile: folder("keys.json"), audiences: .anyOf(["sessiond"]),
      tenants: .only(["acme", "rival"]))
    return .tokens(try TokenVerifier(issuers: [issuer]), requiresCustomerToken: requiresCustomerToken)
  }

  /// A token with these claims, as JSON texts, besides the usual ones.
  static func token(_ claims: [String: String], tenant: String = "acme", expired: Bool = false) -> String {
    let now = currentMicroseconds() / 1_000_000
    var all = [
      "iss": #""https://id.example""#, "aud": #""sessiond""#, "exp": "\(expired ? now - 100 : now + 1000)",
      "tenant": "\"\(tenant)\"",
    ]
    all.merge(claims) { _, new in new }
    let payload = "{" + all.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
    let signed = base64URL(Array(#"{"alg":"HS256","kid":"k"}"#.utf8)) + "." + base64URL(Array(payload.utf8))
    return signed + "." + base64URL(hmac(secret, Array(signed.utf8)))
  }

  /// The token of a program with these scopes.
  static func service(_ scope: String = "sessioncontext.context_manage", tenant: String = "acme") -> String {
    token(["sub": #""backoffice""#, "client_id": #""backoffice""#, "scope": "\"\(scope)\""], tenant: tenant)
  }

  /// The token of a visitor.
  static func anonymous(_ session: String, tenant: String = "acme") -> String {
    token(["session_id": "\"\(session)\""], tenant: tenant)
  }

  /// The token of a customer, with a session or, as a `saas-token` may be, without.
  static func customer(_ customer: String, _ session: String? = nil, tenant: String = "acme") -> String {
    var claims = ["sub": "\"\(customer)\""]
    if let session { claims["session_id"] = "\"\(session)\"" }
    return token(claims, tenant: tenant)
  }

  /// HMAC (RFC 2104) with SHA-256, for keys of at most 64 bytes.
  private static func hmac(_ key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    let padded = key + [UInt8](repeating: 0, count: 64 - key.count)
    let inner = sha256((padded.map { $0 ^ 0x36 } + message).span).bytes
    return sha256((padded.map { $0 ^ 0x5c } + inner).span).bytes
  }
}

/// Base64url without padding (RFC 4648, 5).
private func base64URL(_ bytes: [UInt8]) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
  var text = ""
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let chunk = bytes[start..<min(start + 3, bytes.count)]
    let bits = chunk.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - chunk.count))
    for digit in 0...chunk.count { text.append(alphabet[bits >> (18 - 6 * digit) & 63]) }
  }
  return text
}
