/// The signature algorithms that are accepted (RFC 7518 section 3.1): a closed list, `none` is not in it.
enum SignatureAlgorithm: String, Sendable {
  /// ECDSA with P-256 and SHA-256.
  case es256 = "ES256"
  /// RSASSA-PKCS1-v1_5 with SHA-256.
  case rs256 = "RS256"
  /// RSASSA-PSS with SHA-256.
  case ps256 = "PS256"
  /// HMAC with SHA-256.
  case hs256 = "HS256"
}
