internal import Platform

/// A token in compact form (RFC 7515 section 7.1), taken apart but not believed yet.
struct CompactToken {
  /// Its header's `alg`.
  let algorithm: SignatureAlgorithm
  /// Its header's `kid`.
  let keyID: String?
  /// Its payload: what it claims.
  let claims: JSONObject
  /// The length of its signature, decoded.
  let signatureByteCount: Int

  /// Header parameters that would let a token bring its own key, or change how it's to be read (RFC 7515 sections 4.1.2
  /// to 4.1.6 and 4.1.11, RFC 7797).
  private static let forbidden = ["crit", "jku", "jwk", "x5u", "x5c", "b64"]

  init(_ token: Span<UInt8>) throws(Refusal) {
    guard let first = token.firstIndex(of: UInt8(ascii: ".")),
      let second = token.firstIndex(of: UInt8(ascii: "."), from: first + 1),
      let header = Base64URL.decode(token.extracting(..<first)),
      let payload = Base64URL.decode(token.extracting((first + 1)..<second)),
      // A third dot is no base64url.
      let signature = Base64URL.decode(token.extracting((second + 1)...))
    else { throw Refusal(.malformed) }
    guard let headerObject = JSONObject(parsing: header.span) else { throw Refusal(.malformedHeader) }
    for name in Self.forbidden where headerObject[name] != .absent { throw Refusal(.headerNotAllowed(name: name)) }
    switch headerObject["typ"] {
    case .absent: break
    case .string(let type):
      // RFC 7519 section 5.1, RFC 9068 section 2.1; media types have no case. Long texts aren't compared as such, since
      // Unicode's equality of them may take quadratic time, and nobody has signed this yet.
      guard type.utf8.count <= 18, ["jwt", "at+jwt", "application/at+jwt"].contains(type.lowercased()) else {
        throw Refusal(.typeNotAllowed)
      }
    default: throw Refusal(.malformedHeader)
    }
    guard case .string(let name) = headerObject["alg"], let algorithm = SignatureAlgorithm(spelled: name) else {
      throw Refusal(.algorithmNotAllowed)
    }
    self.algorithm = algorithm
    switch headerObject["kid"] {
    case .absent: keyID = nil
    case .string(let id): keyID = id
    default: throw Refusal(.malformedHeader)
    }
    guard let claims = JSONObject(parsing: payload.span) else { throw Refusal(.malformedPayload) }
    self.claims = claims
    signatureByteCount = signature.count
  }
}
