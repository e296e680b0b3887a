import Testing

@testable import Tokens

@Suite("Signatures and algorithms")
struct SignatureTests {
  private let verifying: Verifying

  init() throws { verifying = try Verifying() }

  private func rejection(_ token: [UInt8]) -> TokenRejection? {
    verifying.verifier.verify(token, nowSeconds: now).rejection
  }

  private func esToken() -> [UInt8] {
    SigningKey.ec.sign(header: #"{"alg":"ES256","kid":"ec"}"#, payload: payload())
  }

  @Test("a token of each accepted algorithm is verified")
  func accepted() {
    let signed: [(SigningKey, String)] = [
      (.ec, #"{"alg":"ES256","kid":"ec"}"#), (.rsa, #"{"alg":"RS256","kid":"rsa"}"#),
      (.rsa, #"{"alg":"PS256","kid":"pss"}"#), (.secret, #"{"alg":"HS256","kid":"secret"}"#),
    ]
    for (key, header) in signed {
      let outcome = verifying.verifier.verify(key.sign(header: header, payload: payload()), nowSeconds: now)
      #expect(outcome.token?.tenants == ["acme"], "\(header)")
    }
  }

  @Test("none is refused in every spelling", arguments: ["none", "None", "NONE", "nOnE", "none ", "", "\\u006eone"])
  func none(name: String) {
    for signature in [[], signature(of: esToken())] as [[UInt8]] {
      #expect(rejection(compact(#"{"alg":"\#(name)","kid":"ec"}"#, payload(), signature)) == .algorithmNotAllowed)
    }
  }

  @Test(
    "an algorithm that is not the key's is refused",
    arguments: [
      ("PS256", "rsa"), ("RS256", "pss"), ("RS256", "ec"), ("ES256", "rsa"), ("HS256", "rsa"), ("HS256", "ec"),
      ("ES256", "secret"), ("RS384", "rsa"), ("RS512", "rsa"), ("HS512", "secret"), ("ES384", "ec"), ("es256", "ec"),
      ("EdDSA", "ec"), ("RSA-OAEP", "rsa"), ("ES256K", "ec"), ("dir", "secret"),
    ])
  func confusion(algorithm: String, keyID: String) {
    let header = #"{"alg":"\#(algorithm)","kid":"\#(keyID)"}"#
    #expect(rejection(compact(header, payload(), signature(of: esToken()))) == .algorithmNotAllowed)
  }

  @Test("a header's algorithm must be a string", arguments: ["1", "null", "[\"ES256\"]", "{}", "true"])
  func algorithmType(value: String) {
    #expect(rejection(compact(#"{"alg":\#(value)}"#, payload(), [1])) == .algorithmNotAllowed)
  }

  @Test("a public RSA key used as an HMAC secret signs nothing")
  func publicKeyAsSecret() {
    let forger = SigningKey(secret: Array(SigningKey.rsa.jwk().utf8))
    for header in [#"{"alg":"HS256","kid":"rsa"}"#, #"{"alg":"HS256","kid":"secret"}"#, #"{"alg":"HS256"}"#] {
      #expect(rejection(forger.sign(header: header, payload: payload())) != nil, "\(header)")
    }
  }

  @Test("PS256 needs a signature by PSS, RS256 one by PKCS #1 v1.5, though the RSA key is the same")
  func padding() {
    let pss = SigningKey.rsa.sign(header: #"{"alg":"PS256","kid":"pss"}"#, payload: payload())
    let forged = compact(#"{"alg":"RS256","kid":"rsa"}"#, payload(), signature(of: pss))
    #expect(rejection(forged) == .badSignature)
  }

  @Test("another key's signature is refused")
  func wrongKey() {
    let forged = SigningKey.otherEC.sign(header: #"{"alg":"ES256","kid":"ec"}"#, payload: payload())
    #expect(rejection(forged) == .badSignature)
  }

  @Test("a signature of any other length is refused")
  func length() {
    for (key, header) in [
      (SigningKey.ec, #"{"alg":"ES256","kid":"ec"}"#), (.rsa, #"{"alg":"RS256","kid":"rsa"}"#),
      (.rsa, #"{"alg":"PS256","kid":"pss"}"#), (.secret, #"{"alg":"HS256","kid":"secret"}"#),
    ] {
      let token = key.sign(header: header, payload: payload())
      let good = signature(of: token)
      for bad in [[], Array(good.dropLast()), good + [0], [0] + good, good + good, Array(good.dropLast(16))] {
        #expect(rejection(replacingSignature(of: token, with: bad)) == .badSignature, "\(header) \(bad.count)")
      }
    }
  }

  @Test("an ECDSA signature of zeros, of one zero half, of the order, or in DER is refused")
  func ecdsaForgeries() {
    let token = esToken()
    let good = signature(of: token)
    let zeros = [UInt8](repeating: 0, count: 32)
    // The order of P-256 (FIPS 186-4 D.1.2.3).
    let order: [UInt8] = [
      0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ]
    let der: [UInt8] = [0x30, 0x44, 0x02, 0x20] + good[..<32] + [0x02, 0x20] + good[32...]
    let r = Array(good[..<32])
    let s = Array(good[32...])
    for bad in [zeros + zeros, zeros + s, r + zeros, order + order, r + order, s + r, der, Array(der.prefix(64))] {
      #expect(rejection(replacingSignature(of: token, with: bad)) == .badSignature)
    }
  }

  @Test("no change of a single bit leaves a token good")
  func bitFlips() {
    for (key, header) in [
      (SigningKey.ec, #"{"alg":"ES256","kid":"ec"}"#), (.secret, #"{"alg":"HS256","kid":"secret"}"#),
    ] {
      let token = key.sign(header: header, payload: payload())
      for index in token.indices {
        for bit in 0..<8 {
          var changed = token
          changed[index] ^= 1 << UInt8(bit)
          #expect(rejection(changed) != nil, "byte \(index), bit \(bit) of \(header)")
        }
      }
    }
  }

  @Test("no random change leaves a token good, and none crashes")
  func randomChanges() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    let token = esToken()
    for _ in 0..<3_000 {
      var changed = token
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let index = Int.random(in: 0..<changed.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: changed[index] = UInt8.random(in: 0...255, using: &random)
        case 1: changed.remove(at: index)
        case 2: changed.insert(UInt8.random(in: 33...126, using: &random), at: index)
        default: changed.replaceSubrange(index..., with: changed[..<Int.random(in: 0...index, using: &random)])
        }
        if changed.isEmpty { changed = [0] }
      }
      if changed != token { #expect(rejection(changed) != nil, "seed \(seed)") }
    }
  }
}
