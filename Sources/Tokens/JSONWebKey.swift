/// One entry of a JWK set (RFC 7517 section 4), examined before it becomes a key.
struct JSONWebKey {
  /// What becomes of an entry.
  enum Use {
    case verify(VerificationKey)
    case skip(reason: String)
  }

  /// Its `kid`.
  let id: String?
  /// How messages call it.
  let name: String
  private let object: JSONObject

  /// The members with private parts of RSA, EC and OKP keys (RFC 7518 sections 6.2.2 and 6.3.2, RFC 8037 section 2).
  private static let privateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth"]

  /// The entry at `index` of its set.
  init(_ object: JSONObject, index: Int) throws(KeyProblem) {
    self.object = object
    switch object["kid"] {
    case .absent:
      id = nil
      name = "key number \(index + 1)"
    case .string(let text):
      id = text
      name = "key '\(text)'"
    default:
      throw KeyProblem("key number \(index + 1) has a kid that is not a string")
    }
  }

  /// Makes the key, or says why the entry is none for verifying tokens; throws when nobody can have meant it so.
  func use() throws(KeyProblem) -> Use {
    let type = try string("kty")
    for member in Self.privateMembers + (type == "oct" ? [] : ["k"]) where object[member] != .absent {
      throw problem(
        "holds private key material (\(member)); leave only its public members here, and replace the key pair")
    }
    if let use = try optionalString("use"), use != "sig" { return .skip(reason: "its use is '\(use)', not 'sig'") }
    switch object["key_ops"] {
    case .absent: break
    case .strings(let operations):
      guard operations.contains("verify") else { return .skip(reason: "its key_ops lack 'verify'") }
    default: throw problem("has key_ops that are not an array of strings")
    }
    let algorithmName = try optionalString("alg")
    switch type {
    case "EC":
      let curve = try string("crv")
      guard curve == "P-256" else { return .skip(reason: "its curve is '\(curve)', not 'P-256'") }
      return try make(.es256, named: algorithmName, allowed: [.es256]) { _ throws(KeyProblem) in try checkedEC() }
    case "RSA":
      // Without `alg`, RS256: key sets that leave it out mean that in practice. PS256 must be asked for.
      return try make(.rs256, named: algorithmName, allowed: [.rs256, .ps256]) { _ throws(KeyProblem) in
        try checkedRSA()
      }
    case "oct":
      return try make(.hs256, named: algorithmName, allowed: [.hs256]) { _ throws(KeyProblem) in try checkedSecret() }
    default:
      return .skip(reason: "its kty is '\(type)', not EC, RSA or oct")
    }
  }

  private func make(
    _ standard: SignatureAlgorithm, named name: String?, allowed: [SignatureAlgorithm],
    signatureByteCount: (SignatureAlgorithm) throws(KeyProblem) -> Int
  ) throws(KeyProblem) -> Use {
    var algorithm = standard
    if let name {
      guard let named = SignatureAlgorithm(rawValue: name), allowed.contains(named) else {
        let names = allowed.map { "'\($0.rawValue)'" }.joined(separator: " or ")
        return .skip(reason: "its alg is '\(name)', not \(names)")
      }
      algorithm = named
    }
    let count = try signatureByteCount(algorithm)
    guard let key = VerificationKey(object, algorithm: algorithm, signatureByteCount: count) else {
      throw problem("has values that are no key; export it again")
    }
    return .verify(key)
  }

  /// Checks the members of a P-256 key (RFC 7518 section 6.2.1); whether the point is on the curve is cjose's to check.
  private func checkedEC() throws(KeyProblem) -> Int {
    for member in ["x", "y"] where try bytes(member).count != 32 {
      throw problem("has a coordinate \(member) that is not 32 bytes long")
    }
    return 64
  }

  /// Checks the members of an RSA key (RFC 7518 section 6.3.1); its signatures are as long as its modulus.
  private func checkedRSA() throws(KeyProblem) -> Int {
    let modulus = try bytes("n").drop { $0 == 0 }
    let bitCount = modulus.count * 8 - (modulus.first?.leadingZeroBitCount ?? 0)
    guard bitCount >= 2048 else { throw problem("has \(bitCount) bits; RSA keys must have 2048 at least") }
    // OPENSSL_RSA_MAX_MODULUS_BITS (openssl/rsa.h): OpenSSL verifies nothing with a longer one.
    guard bitCount <= 16384 else { throw problem("has \(bitCount) bits; RSA keys may have 16384 at most") }
    let exponent = try bytes("e").drop { $0 == 0 }
    let isOdd = modulus.last.map { $0 & 1 } == 1 && exponent.last.map { $0 & 1 } == 1
    guard isOdd, exponent.count <= 8, exponent.count > 1 || exponent.first != 1 else {
      throw problem("has a modulus or exponent that no RSA key has; export it again")
    }
    return modulus.count
  }

  /// Checks a shared secret (RFC 7518 sections 3.2 and 6.4.1).
  private func checkedSecret() throws(KeyProblem) -> Int {
    let count = try bytes("k").count
    guard count >= 32 else { throw problem("is a secret of \(count) bytes; HS256 needs 32 at least") }
    return 32
  }

  private func bytes(_ member: String) throws(KeyProblem) -> [UInt8] {
    guard let bytes = Base64URL.decode(Array(try string(member).utf8).span) else {
      throw problem("has a member \(member) that is not base64url without padding")
    }
    return bytes
  }

  private func string(_ member: String) throws(KeyProblem) -> String {
    guard let text = try optionalString(member) else { throw problem("lacks the member \(member)") }
    return text
  }

  private func optionalString(_ member: String) throws(KeyProblem) -> String? {
    switch object[member] {
    case .absent: return nil
    case .string(let text): return text
    default: throw problem("has a member \(member) that is not a string")
    }
  }

  private func problem(_ text: String) -> KeyProblem { KeyProblem("\(name) \(text)") }
}
