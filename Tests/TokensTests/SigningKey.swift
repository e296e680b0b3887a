internal import CCjose

/// A private key that signs tokens, as an issuer would; made with cjose.
@safe final class SigningKey: Sendable {
  /// The kinds of keys that tests sign with.
  enum Kind: Sendable {
    case p256, p384
    case rsa(bits: Int)
    case secret(bytes: Int)
  }

  // Only signed with after it's made, one signature object each: the key is read only.
  private nonisolated(unsafe) let key: OpaquePointer

  static let ec = SigningKey(.p256)
  static let otherEC = SigningKey(.p256)
  static let rsa = SigningKey(.rsa(bits: 2048))
  static let secret = SigningKey(.secret(bytes: 32))

  init(_ kind: Kind) {
    let made =
      switch kind {
      case .p256: unsafe cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, nil)
      case .p384: unsafe cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_384, nil)
      case .rsa(let bits): unsafe cjose_jwk_create_RSA_random(bits, nil, 0, nil)
      case .secret(let bytes): unsafe cjose_jwk_create_oct_random(bytes * 8, nil)
      }
    guard let made = unsafe made else { fatalError("cjose makes no key") }
    unsafe key = made
  }

  /// A shared secret of the given bytes.
  init(secret bytes: [UInt8]) {
    guard let made = unsafe cjose_jwk_create_oct_spec(bytes, bytes.count, nil) else { fatalError("no secret") }
    unsafe key = made
  }

  deinit { _ = unsafe cjose_jwk_release(key) }

  /// The key as a JWK: its public members, the secret of a shared key, and `members` (JSON text like `"kid":"a"`).
  func jwk(_ members: String = "", withPrivateMembers: Bool = false) -> String {
    let isSecret = unsafe cjose_jwk_get_kty(key, nil) == CJOSE_JWK_KTY_OCT
    guard let text = unsafe cjose_jwk_to_json(key, isSecret || withPrivateMembers, nil) else { fatalError("no JWK") }
    defer { unsafe free(text) }
    let json = unsafe String(cString: text)
    return members.isEmpty ? json : json.dropLast() + "," + members + "}"
  }

  /// A token with the JSON texts `header` and `payload`, signed under the algorithm that the header names.
  func sign(header: String, payload: String) -> [UInt8] {
    sign(header: header, payload: Array(payload.utf8))
  }

  /// A token with the JSON text `header` and any bytes as payload.
  func sign(header: String, payload: [UInt8]) -> [UInt8] {
    guard let headerValue = unsafe json_loads(header, 0, nil) else { fatalError("no header: \(header)") }
    defer { unsafe json_decref(headerValue) }
    guard let jws = unsafe cjose_jws_sign(key, headerValue, payload, payload.count, nil) else {
      fatalError("cjose does not sign \(header)")
    }
    defer { unsafe cjose_jws_release(jws) }
    var text: UnsafePointer<CChar>?
    guard unsafe cjose_jws_export(jws, &text, nil), let text = unsafe text else { fatalError("no compact form") }
    return unsafe Array(String(cString: text).utf8)
  }
}
