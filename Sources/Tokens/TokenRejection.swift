/// Why a token is refused: always answered with 401 (RFC 6750 section 3.1, `invalid_token`).
public enum TokenRejection: Sendable, Equatable {
  /// There is no token.
  case missing
  /// It has more than ``TokenVerifier/maximumTokenBytes`` bytes.
  case tooLarge
  /// It is not three parts of base64url with dots between them (RFC 7515 section 7.1).
  case malformed
  /// Its header is not a JSON object with distinct names.
  case malformedHeader
  /// Its payload is not a JSON object with distinct names.
  case malformedPayload
  /// Its header has a member that would let the token choose its own key or rules.
  case headerNotAllowed(name: String)
  /// Its header's `typ` says that it is something else than a JWT.
  case typeNotAllowed
  /// Its algorithm is none that is accepted, or not its key's.
  case algorithmNotAllowed
  /// Its key is not among the issuer's, or it names none where that leaves a choice.
  case unknownKey
  /// Its signature is not the key's.
  case badSignature
  /// It has no `iss`, or one that is not configured.
  case wrongIssuer
  /// It is not meant for this service.
  case wrongAudience
  /// It was good once.
  case expired
  /// It is good later: its `nbf` or `iat` lies in the future.
  case notYetValid
  /// It lacks a claim that it must have.
  case claimMissing(name: String)
  /// A claim has another JSON type than it must, or a value outside its limits.
  case claimInvalid(name: String)

  /// A short text for the `error_description` of `WWW-Authenticate` (RFC 6750 section 3): printable ASCII without `"` and
  /// `\`.
  public var reason: String {
    switch self {
    case .missing: "a bearer token is required"
    case .tooLarge: "the token is larger than 8 KiB"
    case .malformed: "the token is not a signed JWT in compact form"
    case .malformedHeader: "the header is not a JSON object with distinct names"
    case .malformedPayload: "the payload is not a JSON object with distinct names"
    case .headerNotAllowed(let name): "the header parameter \(name) is not allowed"
    case .typeNotAllowed: "the token's type is neither JWT nor at+jwt"
    case .algorithmNotAllowed: "the algorithm is not allowed for this key"
    case .unknownKey: "the key is not known"
    case .badSignature: "the signature is not valid"
    case .wrongIssuer: "the issuer is not known"
    case .wrongAudience: "the token is meant for another audience"
    case .expired: "the token has expired"
    case .notYetValid: "the token is not valid yet"
    case .claimMissing(let name): "the claim \(name) is missing"
    case .claimInvalid(let name): "the claim \(name) has a wrong type or value"
    }
  }
}
