import Testing

@testable import Tokens

@Suite("Claims")
struct ClaimsTests {
  private let verifying: Verifying

  init() throws { verifying = try Verifying() }

  @Test("exp is required, and counts with the leeway")
  func expiry() {
    #expect(verifying.outcome(["exp": nil]).rejection == .claimMissing(name: "exp"))
    #expect(verifying.outcome(["exp": "\(now + 1)"]).token?.goodUntilSeconds == now + 61)
    #expect(verifying.outcome(["exp": "\(now - 59)"]).token != nil)
    #expect(verifying.outcome(["exp": "\(now - 60)"]).rejection == .expired)
    #expect(verifying.outcome(["exp": "0"]).rejection == .expired)
    #expect(verifying.outcome(["exp": "\(now - 61).5"]).rejection == .expired)
    #expect(verifying.outcome(["exp": "\(now + 1).5"]).token?.goodUntilSeconds == now + 61)
  }

  @Test("without leeway, a token ends in the second that it names")
  func noLeeway() throws {
    let strict = try Verifying { $0.leewaySeconds = 0 }
    #expect(strict.outcome(["exp": "\(now + 1)"]).token != nil)
    #expect(strict.outcome(["exp": "\(now)"]).rejection == .expired)
    #expect(strict.outcome(["nbf": "\(now)"]).token != nil)
    #expect(strict.outcome(["nbf": "\(now + 1)"]).rejection == .notYetValid)
  }

  @Test("nbf and iat in the future make a token not valid yet", arguments: ["nbf", "iat"])
  func notBefore(name: String) {
    #expect(verifying.outcome([name: "\(now + 60)"]).token != nil)
    #expect(verifying.outcome([name: "\(now + 61)"]).rejection == .notYetValid)
    #expect(verifying.outcome([name: "0"]).token != nil)
  }

  @Test(
    "a time of another type or outside the calendar is refused",
    arguments: [
      "\"1900000000\"", "null", "true", "[]", "{}", "-1", "-1.5", "1700000600000", "9223372036854775807", "1e300",
      "-9223372036854775808", "253402300800",
    ])
  func badTimes(value: String) {
    for name in ["exp", "nbf", "iat"] {
      #expect(verifying.outcome([name: value]).rejection == .claimInvalid(name: name))
    }
  }

  @Test("the issuer is told apart byte for byte")
  func issuerName() {
    for value in [
      nil, "\"https://id.example/\"", "\"HTTPS://id.example\"", "\"\"", "1", "null", "[\"https://id.example\"]",
    ] {
      #expect(verifying.outcome(["iss": value]).rejection == .wrongIssuer, "\(value ?? "absent")")
    }
  }

  @Test("names that Unicode holds for equivalent are different issuers, audiences and keys")
  func unicodeEquivalence() throws {
    let composed = "caf\u{e9}"
    let decomposed = "cafe\u{301}"
    let keys = KeyFile(SigningKey.ec.jwk("\"kid\":\"\(composed)\""))
    let verifier = try TokenVerifier(issuers: [
      IssuerConfiguration(issuer: composed, keyFile: keys.path, audiences: .anyOf([composed]), tenants: .any)
    ])
    func outcome(issuer: String, audience: String, keyID: String) -> TokenOutcome {
      let claims = payload(["iss": "\"\(issuer)\"", "aud": "\"\(audience)\""])
      let token = SigningKey.ec.sign(header: "{\"alg\":\"ES256\",\"kid\":\"\(keyID)\"}", payload: claims)
      return verifier.verify(token, nowSeconds: now)
    }
    #expect(outcome(issuer: composed, audience: composed, keyID: composed).token != nil)
    #expect(outcome(issuer: decomposed, audience: composed, keyID: composed).rejection == .wrongIssuer)
    #expect(outcome(issuer: composed, audience: decomposed, keyID: composed).rejection == .wrongAudience)
    #expect(outcome(issuer: composed, audience: composed, keyID: decomposed).rejection == .unknownKey)
  }

  @Test("one of the audiences must be ours")
  func audience() throws {
    #expect(verifying.outcome(["aud": #"["other","sessiond"]"#]).token != nil)
    for value in [nil, "\"other\"", "[]", "[\"other\"]", "\"\"", "\"sessiond \""] {
      #expect(verifying.outcome(["aud": value]).rejection == .wrongAudience, "\(value ?? "absent")")
    }
    for value in ["1", "null", "{}", "[1]", "[\"sessiond\",null]", "true"] {
      #expect(verifying.outcome(["aud": value]).rejection == .claimInvalid(name: "aud"), "\(value)")
    }
    let unchecked = try Verifying { $0.audiences = .unchecked }
    #expect(unchecked.outcome(["aud": nil]).token != nil)
    #expect(unchecked.outcome(["aud": "\"other\""]).token != nil)
    #expect(unchecked.outcome(["aud": "1"]).rejection == .claimInvalid(name: "aud"))
  }

  @Test("tenants come from the claim, and without it from the scope")
  func tenants() throws {
    #expect(try verifying.token(["tenant": "\"acme\""]).tenants == ["acme"])
    #expect(try verifying.token(["tenant": "[\"acme\",\"zoo\"]"]).tenants == ["acme", "zoo"])
    #expect(try verifying.token(["tenant": "[]", "scope": "\"tenant=acme\""]).tenants == [])
    #expect(try verifying.token(["tenant": "\"acme\"", "scope": "\"tenant=zoo\""]).tenants == ["acme"])
    #expect(try verifying.token(["tenant": nil, "scope": "\"a tenant=acme tenant=zoo\""]).tenants == ["acme", "zoo"])
    #expect(try verifying.token(["tenant": nil]).tenants == [])
    let token = try verifying.token(["tenant": "\"acme\""])
    #expect(token.mayAct(for: "acme") && !token.mayAct(for: "acm") && !token.mayAct(for: "acmee"))
  }

  @Test("an issuer speaks only for its allowed tenants")
  func allowedTenants() throws {
    let limited = try Verifying { $0.tenants = .only(["acme"]) }
    #expect(try limited.token(["tenant": "[\"acme\",\"zoo\"]"]).tenants == ["acme"])
    #expect(try limited.token(["tenant": "\"zoo\""]).tenants == [])
    #expect(try limited.token(["tenant": nil, "scope": "\"tenant=zoo\""]).tenants == [])
  }

  @Test("scopes come as one text or as an array, and the tenants among them are not scopes")
  func scopes() throws {
    let expected: Set<String> = ["sessioncontext.context_manage", "x"]
    for value in [
      #""sessioncontext.context_manage tenant=acme x""#, #""  sessioncontext.context_manage  x ""#,
      #"["sessioncontext.context_manage","tenant=acme","x"]"#,
    ] {
      let token = try verifying.token(["scope": value])
      #expect(token.scopes == expected)
      #expect(token.has(scope: "x") && !token.has(scope: "tenant=acme") && !token.has(scope: ""))
    }
    #expect(
      try verifying.token(["scope": "\"tenant= tenants=a Tenant=a\""]).scopes == ["tenant=", "tenants=a", "Tenant=a"])
    #expect(try verifying.token(["scope": "\"\""]).scopes == [])
    #expect(try verifying.token(["scope": nil]).scopes == [])
  }

  @Test(
    "a claim of another type is refused",
    arguments: ["scope", "tenant", "session_id", "sub", "client_id"], ["1", "1.5", "true", "null", "{}", "[1]", "[[]]"])
  func types(name: String, value: String) {
    #expect(verifying.outcome([name: value]).rejection == .claimInvalid(name: name))
  }

  @Test("an identifier that is empty, longer than 200 bytes or holds a control character is refused")
  func identifiers() throws {
    let longest = String(repeating: "x", count: 200)
    #expect(try verifying.token(["session_id": "\"\(longest)\""]).sessionID == longest)
    for name in ["session_id", "sub", "client_id"] {
      for value in ["", longest + "x", "a\\nb", "\\u007f", "\\u001b[2J"] {
        #expect(verifying.outcome([name: "\"\(value)\""]).rejection == .claimInvalid(name: name), "\(value)")
      }
    }
  }

  @Test("a program's token is a service's")
  func service() throws {
    let token = try verifying.token(["sub": "\"backoffice\"", "scope": "\"sessioncontext.context_manage\""])
    #expect(token.customerID == nil && token.actor == "service:backoffice")
    let old = try verifying.token(["sub": "\"backoffice\"", "scope": "\"session_context.context_manage\""])
    #expect(old.customerID == nil && old.actor == "service:backoffice")
    let client = try verifying.token(["sub": "\"c1\"", "client_id": "\"c1\""])
    #expect(client.customerID == nil && client.actor == "service:c1")
    #expect(try verifying.token([:]).actor == "service:unnamed")
    let withSession = try verifying.token(["session_id": "\"s\"", "scope": "\"sessioncontext.audit_read\""])
    #expect(withSession.sessionID == "s" && withSession.actor == "service:unnamed")
  }

  @Test("a customer's token names the customer, and the session when it has one")
  func customer() throws {
    let token = try verifying.token(["sub": "\"1234\"", "session_id": "\"s-1\"", "scope": "\"openid profile\""])
    #expect(token.customerID == "1234" && token.sessionID == "s-1")
    #expect(token.actor == "customer:1234")
    #expect(try verifying.token(["sub": "\"1234\""]).customerID == "1234")
  }

  @Test("an anonymous token names the session alone")
  func anonymous() throws {
    let token = try verifying.token(["session_id": "\"s-1\""])
    #expect(token.sessionID == "s-1" && token.customerID == nil)
    #expect(token.actor == "anonymous:s-1")
    let subject = try verifying.token(["session_id": "\"s-1\"", "sub": "\"s-1\""])
    #expect(subject.customerID == nil && subject.actor == "anonymous:s-1")
  }

  @Test("an issuer may name its claims")
  func claimNames() throws {
    let named = try Verifying {
      $0.claims = ClaimNames(tenant: "t", sessionID: "sid", customerID: "cid", scope: "scp")
    }
    let token = try named.token([
      "tenant": "\"zoo\"", "t": "\"acme\"", "sid": "\"s\"", "cid": "\"c\"", "scp": "[\"a\"]", "sub": "\"x\"",
    ])
    #expect(token.tenants == ["acme"] && token.sessionID == "s" && token.customerID == "c" && token.scopes == ["a"])
    #expect(token.actor == "customer:c")
    let visitor = try named.token(["t": "\"acme\"", "sid": "\"s\"", "sub": "\"x\""])
    #expect(visitor.actor == "anonymous:s")
  }

  @Test("random values in every claim are refused or read, and never crash")
  func randomValues() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    let values = [
      "null", "true", "0", "-1", "1e10", "1.5", "\"\"", "\"a\"", "[]", "[1]", "[\"a\"]", "{}", "{\"a\":1}", "[[\"a\"]]",
      "9223372036854775807", "\"\\u0001\"", "\"😀\"", "\(now + 5)", "\"tenant=\"", "\"tenant=a tenant= =\"",
    ]
    let names = ["iss", "sub", "aud", "exp", "nbf", "iat", "tenant", "scope", "session_id", "client_id", "other"]
    for _ in 0..<1_000 {
      var changes: [String: String?] = [:]
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        changes[names.randomElement(using: &random) ?? ""] = values.randomElement(using: &random)
      }
      if let token = verifying.outcome(changes).token {
        #expect(token.goodUntilSeconds > now && changes["iss"] == nil, "seed \(seed)")
      }
    }
  }

}
