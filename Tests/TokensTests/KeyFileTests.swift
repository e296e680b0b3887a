import Testing

@testable import Tokens

@Suite("Key files")
struct KeyFileTests {
  private func load(_ jwks: String...) throws -> IssuerKeys {
    try IssuerKeys(parsing: Array(KeyFile.set(jwks).utf8))
  }

  private func problem(_ jwks: String...) -> String {
    problem(file: KeyFile.set(jwks))
  }

  private func problem(file: String) -> String {
    do throws(KeyProblem) {
      _ = try IssuerKeys(parsing: Array(file.utf8))
      return "accepted"
    } catch {
      return error.text
    }
  }

  @Test("a file that is not a JWK set is refused")
  func form() {
    for text in ["", "x", "[]", "{\"keys\":[],\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"kty\":\"oct\"}]}"] {
      #expect(problem(file: text).contains("not a JSON object with distinct names"))
    }
    for text in ["{}", "{\"keys\":1}", "{\"keys\":{}}", "{\"keys\":[1]}", "{\"keys\":[null]}"] {
      #expect(problem(file: text).contains("no array 'keys' of objects"))
    }
    #expect(problem(file: "{\"keys\":[]}").contains("no key that can verify"))
  }

  @Test("private key material is refused, and the message does not repeat it")
  func privateMaterial() {
    for key in [SigningKey.ec, .rsa] {
      let text = problem(key.jwk(#""kid":"k""#, withPrivateMembers: true))
      #expect(text.contains("key 'k' holds private key material (d)") && text.utf8.count < 200)
    }
    #expect(problem(SigningKey.ec.jwk(#""k":"AAAA""#)).contains("private key material (k)"))
    // In a key that would be skipped, too.
    #expect(problem(#"{"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}"#).contains("private key material"))
    #expect(problem(SigningKey.rsa.jwk(#""use":"enc""#, withPrivateMembers: true)).contains("private key material"))
  }

  @Test("two keys with one kid are refused, be one of them unused")
  func duplicates() {
    #expect(
      problem(SigningKey.ec.jwk(#""kid":"a""#), SigningKey.rsa.jwk(#""kid":"a""#)).contains("two keys have the kid 'a'")
    )
    #expect(
      problem(SigningKey.ec.jwk(#""kid":"a""#), SigningKey.rsa.jwk(#""kid":"a","use":"enc""#)).contains("two keys"))
  }

  @Test("weak keys are refused")
  func weak() {
    #expect(problem(SigningKey(.rsa(bits: 1024)).jwk()).contains("1024 bits"))
    #expect(problem(SigningKey(.rsa(bits: 2040)).jwk()).contains("2040 bits"))
    #expect(problem(SigningKey(.secret(bytes: 31)).jwk()).contains("secret of 31 bytes"))
    #expect(problem(#"{"kty":"oct","k":""}"#).contains("secret of 0 bytes"))
  }

  @Test("an RSA key whose exponent or modulus no RSA key has is refused")
  func badRSA() {
    let modulus = base64URL([0x80] + [UInt8](repeating: 1, count: 255))
    for exponent in [[], [0], [1], [2], [1, 0, 0], [UInt8](repeating: 0xff, count: 9)] as [[UInt8]] {
      #expect(problem(#"{"kty":"RSA","n":"\#(modulus)","e":"\#(base64URL(exponent))"}"#).contains("no RSA key has"))
    }
    let even = base64URL([0x80] + [UInt8](repeating: 0, count: 255))
    #expect(problem(#"{"kty":"RSA","n":"\#(even)","e":"AQAB"}"#).contains("no RSA key has"))
    #expect(problem(#"{"kty":"RSA","n":"\#(modulus)=","e":"AQAB"}"#).contains("member n that is not base64url"))
    #expect(problem(#"{"kty":"RSA","n":"\#(modulus)"}"#).contains("lacks the member e"))
    let huge = base64URL([UInt8](repeating: 0xff, count: 2049))
    #expect(problem(#"{"kty":"RSA","n":"\#(huge)","e":"AQAB"}"#).contains("16384 at most"))
  }

  @Test("a point that is not on the curve, or not of its length, is refused")
  func badEC() {
    let one = base64URL([UInt8](repeating: 1, count: 32))
    #expect(problem(#"{"kty":"EC","crv":"P-256","x":"\#(one)","y":"\#(one)"}"#).contains("values that are no key"))
    #expect(problem(#"{"kty":"EC","crv":"P-256","x":"AQ","y":"\#(one)"}"#).contains("coordinate x"))
    #expect(problem(#"{"kty":"EC","crv":"P-256","x":"\#(one)"}"#).contains("lacks the member y"))
    #expect(problem(#"{"kty":"EC","x":"\#(one)","y":"\#(one)"}"#).contains("lacks the member crv"))
  }

  @Test("a member of another type is refused")
  func memberTypes() {
    #expect(problem(SigningKey.ec.jwk(#""kid":1"#)).contains("kid that is not a string"))
    #expect(problem(SigningKey.ec.jwk(#""alg":1"#)).contains("member alg that is not a string"))
    #expect(problem(SigningKey.ec.jwk(#""use":null"#)).contains("member use that is not a string"))
    #expect(problem(SigningKey.ec.jwk(#""key_ops":"verify""#)).contains("key_ops"))
    #expect(problem(#"{"kty":1}"#).contains("member kty"))
    #expect(problem(#"{"kid":"x"}"#).contains("lacks the member kty"))
  }

  @Test("a key for something else is skipped, with the reason")
  func skipped() throws {
    let good = SigningKey.ec.jwk(#""kid":"good","alg":"ES256","key_ops":["verify"],"x5c":["AAAA"]"#)
    let others = [
      (SigningKey.rsa.jwk(#""use":"enc""#), "its use is 'enc'"), (SigningKey.ec.jwk(#""key_ops":["sign"]"#), "key_ops"),
      (SigningKey(.p384).jwk(), "its curve is 'P-384'"), (SigningKey.ec.jwk(#""alg":"ES384""#), "its alg is 'ES384'"),
      (SigningKey.rsa.jwk(#""alg":"RS512""#), "its alg is 'RS512'"), (SigningKey.rsa.jwk(#""alg":"none""#), "'none'"),
      (SigningKey.rsa.jwk(#""alg":"HS256""#), "its alg is 'HS256'"),
      (SigningKey.secret.jwk(#""alg":"RS256""#), "'RS256'"),
      (#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#, "its kty is 'OKP'"),
    ]
    for (jwk, reason) in others {
      let keys = try load(good, jwk)
      #expect(keys.count == 1)
      #expect(keys.skipped.count == 1 && keys.skipped[0].contains(reason), "\(keys.skipped)")
      let alone = problem(jwk)
      #expect(alone.contains("no key that can verify") && alone.contains(reason))
    }
  }

  @Test("an RSA key without alg is for RS256")
  func defaultAlgorithm() throws {
    let keys = try load(SigningKey.rsa.jwk(#""kid":"a""#))
    #expect(try keys.key(id: "a", algorithm: .rs256).algorithm == .rs256)
    #expect(throws: Refusal.self) { try keys.key(id: "a", algorithm: .ps256) }
  }

  @Test("without kid, a token is verified when just one key has its algorithm")
  func noKeyID() throws {
    let one = KeyFile(SigningKey.ec.jwk(#""kid":"a""#), SigningKey.rsa.jwk())
    let verifier = try TokenVerifier(issuers: [issuer(one)])
    let ec = SigningKey.ec.sign(header: #"{"alg":"ES256"}"#, payload: payload())
    let rsa = SigningKey.rsa.sign(header: #"{"alg":"RS256"}"#, payload: payload())
    let pss = SigningKey.rsa.sign(header: #"{"alg":"PS256"}"#, payload: payload())
    #expect(verifier.verify(ec, nowSeconds: now).token != nil)
    #expect(verifier.verify(rsa, nowSeconds: now).token != nil)
    #expect(verifier.verify(pss, nowSeconds: now).rejection == .algorithmNotAllowed)
    let two = KeyFile(SigningKey.ec.jwk(#""kid":"a""#), SigningKey.otherEC.jwk())
    #expect(try TokenVerifier(issuers: [issuer(two)]).verify(ec, nowSeconds: now).rejection == .unknownKey)
  }

  @Test(
    "a kid that is not known is refused, though one of the keys would fit", arguments: ["b", "A", "", "a ", "../a"])
  func unknownKeyID(id: String) throws {
    let keys = KeyFile(SigningKey.ec.jwk(#""kid":"a""#))
    let verifier = try TokenVerifier(issuers: [issuer(keys)])
    let token = SigningKey.ec.sign(header: #"{"alg":"ES256","kid":"\#(id)"}"#, payload: payload())
    #expect(verifier.verify(token, nowSeconds: now).rejection == .unknownKey)
  }

  @Test("one issuer's keys do not verify another's tokens")
  func issuersApart() throws {
    let first = KeyFile(SigningKey.ec.jwk(#""kid":"a""#))
    let second = KeyFile(SigningKey.otherEC.jwk(#""kid":"a""#))
    var other = issuer(second)
    other.issuer = "https://other.example"
    other.tenants = .only(["zoo"])
    let verifier = try TokenVerifier(issuers: [issuer(first), other])
    func outcome(_ key: SigningKey, _ name: String) -> TokenOutcome {
      verifier.verify(
        key.sign(header: #"{"alg":"ES256","kid":"a"}"#, payload: payload(["iss": "\"\(name)\""])), nowSeconds: now)
    }
    // Nor do one's rules count for another's.
    #expect(outcome(.ec, issuerName).token?.tenants == ["acme"])
    #expect(outcome(.otherEC, other.issuer).token?.tenants == [])
    #expect(outcome(.otherEC, issuerName).rejection == .badSignature)
    #expect(outcome(.ec, other.issuer).rejection == .badSignature)
  }

  @Test("a file that is missing or bad is named in the error")
  func errors() {
    let gone = KeyFile()
    gone.remove()
    #expect {
      try TokenVerifier(issuers: [issuer(gone)])
    } throws: {
      "\($0)".contains(gone.path) && "\($0)".contains(issuerName) && "\($0)".contains("No such file")
    }
    let bad = KeyFile()
    #expect {
      try TokenVerifier(issuers: [issuer(bad)])
    } throws: {
      "\($0)".contains(bad.path) && "\($0)".contains("no key that can verify")
    }
  }

  @Test("an issuer that is configured twice is refused")
  func twice() throws {
    let keys = KeyFile(SigningKey.ec.jwk())
    #expect(throws: TokensError.self) { try TokenVerifier(issuers: [issuer(keys), issuer(keys)]) }
    #expect(throws: Never.self) { try TokenVerifier(issuers: []) }
  }
}
