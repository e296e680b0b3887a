import Testing

@testable import Tokens

@Suite("The form of a token")
struct FormTests {
  private let verifying: Verifying

  init() throws { verifying = try Verifying() }

  private func rejection(_ token: [UInt8]) -> TokenRejection? {
    verifying.verifier.verify(token, nowSeconds: now).rejection
  }

  private func token(header: String = #"{"alg":"ES256","kid":"ec"}"#) -> [UInt8] {
    SigningKey.ec.sign(header: header, payload: payload())
  }

  @Test("no token is missing, and one above 8 KiB is too large")
  func size() {
    #expect(rejection([]) == .missing)
    let empty = verifying.outcome(["pad": #""""#])
    #expect(empty.token != nil)
    // Base64url makes 4 characters of 3 bytes; the largest padding that still fits, and a token just above it.
    var fitting: [UInt8] = []
    var oversized: [UInt8] = []
    for length in 5_700...6_200 {
      let padded = payload(["pad": "\"\(String(repeating: "x", count: length))\""])
      let signed = SigningKey.ec.sign(header: #"{"alg":"ES256","kid":"ec"}"#, payload: padded)
      guard signed.count <= 8192 else { oversized = signed; break }
      fitting = signed
    }
    #expect(fitting.count > 8188)
    #expect(verifying.verifier.verify(fitting, nowSeconds: now).token != nil)
    #expect(rejection(oversized) == .tooLarge)
    #expect(rejection([UInt8](repeating: UInt8(ascii: "."), count: 1 << 20)) == .tooLarge)
  }

  @Test(
    "other than three parts of base64url is malformed",
    arguments: [".", "..", "...", "a.b", "a.b.c", "e30", "e30.e30", "e30.e30.e30.e30", "e30.e30.AA.", ".e30.AA", " "])
  func parts(text: String) {
    let refused = rejection(Array(text.utf8))
    #expect(refused == .malformed || refused == .malformedHeader)
  }

  @Test("another spelling of the same bytes is malformed")
  func strictBase64() {
    let good = token()
    let dots = good.indices.filter { good[$0] == UInt8(ascii: ".") }
    for end in dots + [good.count] {
      for insertion in ["=", "==", "\n", " ", "\t", "+", "/", "%3D", "\0", "é"] {
        #expect(rejection(good[..<end] + Array(insertion.utf8) + good[end...]) == .malformed, "\(insertion) at \(end)")
      }
    }
    #expect(rejection([UInt8(ascii: " ")] + good) == .malformed)
    // 64 bytes of signature leave 4 bits over, that must be zero.
    var leftover = good
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    let last = alphabet.firstIndex(of: good[good.count - 1]) ?? 0
    for offset in 1..<16 {
      leftover[good.count - 1] = alphabet[last + offset]
      #expect(rejection(leftover) == .malformed)
    }
  }

  @Test("base64url is decoded as it was encoded, at every length, and at an impossible length not at all")
  func base64() {
    var random = SeededGenerator(seed: 7)
    for length in 0..<70 {
      let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
      #expect(Base64URL.decode(Array(base64URL(bytes).utf8).span) == bytes)
    }
    #expect(Base64URL.decode(Array("A".utf8).span) == nil)
    #expect(Base64URL.decode(Array("AAAAA".utf8).span) == nil)
    #expect(Base64URL.decode(Array("AB".utf8).span) == nil)
    #expect(Base64URL.decode(Array("AAB".utf8).span) == nil)
  }

  @Test(
    "a header that is not a JSON object with distinct names is refused",
    arguments: [
      "", " ", "[]", "1", "\"ES256\"", "null", "{", "{}{}", "{\"alg\":\"ES256\"}x",
      "{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
      "{\"alg\":\"none\",\"alg\":\"ES256\"}", "{\"alg\":\"ES256\",\"kid\":\"ec\",\"kid\":\"ec\"}", "{alg:\"ES256\"}",
      "\u{FEFF}{\"alg\":\"ES256\"}", "{\"alg\":\"ES256\",\"kid\":1}", "{\"alg\":\"ES256\",\"kid\":null}",
      "{\"alg\":\"ES256\",\"typ\":1}", "{\"alg\":\"ES256\",\"kid\":\"e\\u0000c\"}", "{\"alg\":\"ES256\",\"x\":1e999}",
    ])
  func header(text: String) {
    let parts = token().split(separator: UInt8(ascii: "."))
    let changed =
      Array(base64URL(Array(text.utf8)).utf8) + [UInt8(ascii: ".")] + parts[1] + [UInt8(ascii: ".")] + parts[2]
    #expect(rejection(changed) == .malformedHeader)
  }

  @Test("a header that is not UTF-8 is refused")
  func headerEncoding() {
    let text = Array(#"{"alg":"ES256","kid":""#.utf8) + [0xff] + Array(#""}"#.utf8)
    #expect(rejection(Array("\(base64URL(text)).e30.AA".utf8)) == .malformedHeader)
  }

  @Test(
    "a header parameter that brings a key or changes the rules is refused, though the signature is good",
    arguments: [
      #""crit":["exp"]"#, #""crit":[]"#, #""jku":"https://evil.example/k""#, #""x5u":"https://evil.example/c""#,
      #""x5c":["AAAA"]"#, #""jwk":{"kty":"oct","k":"AAAA"}"#, #""jwk":null"#, #""b64":false"#,
    ])
  func forbidden(member: String) throws {
    let header = #"{"alg":"ES256","kid":"ec",\#(member)}"#
    let parts = token().split(separator: UInt8(ascii: "."))
    let changed =
      Array(base64URL(Array(header.utf8)).utf8) + [UInt8(ascii: ".")] + parts[1] + [UInt8(ascii: ".")] + parts[2]
    let name = try #require(member.split(separator: "\"").first)
    #expect(rejection(changed) == .headerNotAllowed(name: String(name)))
  }

  @Test("typ may be JWT or at+jwt in any case, and nothing else")
  func type() {
    for type in ["JWT", "jwt", "Jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
      let outcome = verifying.verifier.verify(
        token(header: #"{"alg":"ES256","kid":"ec","typ":"\#(type)"}"#), nowSeconds: now)
      #expect(outcome.token != nil, "\(type)")
    }
    for type in ["", "JWE", "JWT ", "dpop+jwt", "logout+jwt", "JOSE", "secevent+jwt"] {
      #expect(rejection(token(header: #"{"alg":"ES256","kid":"ec","typ":"\#(type)"}"#)) == .typeNotAllowed, "\(type)")
    }
  }

  @Test("members of the header that mean nothing here are ignored")
  func otherMembers() {
    let header = #"{"alg":"ES256","kid":"ec","x5t":"AAAA","cty":"x","other":{"a":[1]}}"#
    #expect(verifying.verifier.verify(token(header: header), nowSeconds: now).token != nil)
  }

  @Test(
    "a signed payload that is not a JSON object with distinct names is refused",
    arguments: [
      "", "[]", "1", "null", "\"x\"", "{", "{}{}", "{\"iss\":1,\"iss\":2}", "{\"a\":{\"b\":1,\"b\":2}}",
      "{\"a\":\"\\ud800\"}", "{\"a\":\"\\u0000\"}", "{\"exp\":1e999}", "{\"exp\":99999999999999999999}",
      "{\"exp\":NaN}",
      "{\"exp\":01}", "{'exp':1}", "{\"exp\":1,}",
    ])
  func payloadForm(text: String) {
    #expect(verifying.outcome(payload: text).rejection == .malformedPayload)
  }

  @Test("a signed payload that is not UTF-8 is refused")
  func payloadEncoding() {
    for bytes in [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x80]] as [[UInt8]] {
      let text = Array(#"{"sub":""#.utf8) + bytes + Array(#""}"#.utf8)
      let token = SigningKey.ec.sign(header: #"{"alg":"ES256","kid":"ec"}"#, payload: text)
      #expect(rejection(token) == .malformedPayload)
    }
  }

  @Test("a payload nested as deep as a token can be does no harm")
  func nesting() {
    let nested = String(repeating: "[", count: 2_800) + String(repeating: "]", count: 2_800)
    #expect(verifying.outcome(["deep": nested]).rejection == .malformedPayload)
    let allowed = String(repeating: "[", count: 2_000) + String(repeating: "]", count: 2_000)
    #expect(verifying.outcome(["deep": allowed]).token != nil)
  }

  @Test("every reason may stand in a WWW-Authenticate field")
  func reasons() {
    let all: [TokenRejection] = [
      .missing, .tooLarge, .malformed, .malformedHeader, .malformedPayload, .headerNotAllowed(name: "crit"),
      .typeNotAllowed, .algorithmNotAllowed, .unknownKey, .badSignature, .wrongIssuer, .wrongAudience, .expired,
      .notYetValid, .claimMissing(name: "exp"), .claimInvalid(name: "exp"),
    ]
    for rejection in all {
      let isPlain = rejection.reason.utf8.allSatisfy { (0x20...0x7e).contains($0) && !"\"\\".utf8.contains($0) }
      #expect(!rejection.reason.isEmpty && isPlain)
    }
    #expect(Set(all.map(\.reason)).count == all.count)
  }
}
