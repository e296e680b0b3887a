internal import CCjose

/// A key that checks signatures of one algorithm.
///
/// Threads share it: cjose_jws_verify takes a `const` key and neither retains nor changes it, and OpenSSL guards what
/// it computes lazily inside an RSA or EC key with the key's own lock (openssl-threads(7)). cjose's reference count is
/// not atomic, so that it stays at one, and Swift counts the references instead.
@safe final class VerificationKey: Sendable {
  /// The only algorithm that it may be used with.
  let algorithm: SignatureAlgorithm
  // The length that each of its signatures has; cjose leaves it unchecked for ECDSA.
  private let signatureByteCount: Int
  private nonisolated(unsafe) let key: OpaquePointer

  /// The key in the JWK `object` (RFC 7517), or nil when its values are no key. The caller has checked its members.
  init?(_ object: JSONObject, algorithm: SignatureAlgorithm, signatureByteCount: Int) {
    // cjose/jwk.h, cjose_jwk_import_json: copies what it needs; the new key is ours to release.
    let imported = unsafe object.withUnsafeValue { unsafe cjose_jwk_import_json($0, nil) }
    ERR_clear_error()
    guard let imported = unsafe imported else { return nil }
    unsafe key = imported
    self.algorithm = algorithm
    self.signatureByteCount = signatureByteCount
  }

  deinit { _ = unsafe cjose_jwk_release(key) }

  /// Whether `token` is signed by this key, under the algorithm that its header names.
  ///
  /// The caller has checked that the header's algorithm is this key's, that the token is three parts of strict
  /// base64url, and has decoded the signature's length.
  func verifies(_ token: Span<UInt8>, signatureByteCount: Int) -> Bool {
    guard signatureByteCount == self.signatureByteCount else { return false }
    return unsafe token.withUnsafeBufferPointer { bytes in
      unsafe bytes.withMemoryRebound(to: CChar.self) { text in
        // cjose/jws.h: the import copies the text; the JWS is ours to release, and is verified once.
        let imported = unsafe cjose_jws_import(text.baseAddress, text.count, nil)
        guard let jws = unsafe imported else { return false }
        defer { unsafe cjose_jws_release(jws) }
        let verified = unsafe cjose_jws_verify(jws, key, nil)
        // ERR_clear_error(3): a failed check leaves its reasons in the thread's error queue, where they'd mislead others.
        if !verified { ERR_clear_error() }
        return verified
      }
    }
  }
}
