import SessionAPI
import Testing
import TestSupport

@Suite("who may call") struct TokenAccessTests {
  private let issuer: Issuer
  private let test: TestAPI

  init() throws {
    issuer = try Issuer()
    test = try TestAPI(issuer.authorizer())
  }

  private func send(
    _ method: String, _ path: String, _ body: String = "", token: String?, saas: String? = nil, tenant: String = "acme"
  ) -> Answer {
    var fields: [String: String] = [:]
    if let token { fields["Authorization"] = "Bearer \(token)" }
    if let saas { fields["saas-token"] = saas }
    return test.send(Request(method, "/session-context/\(tenant)\(path)", body, fields))
  }

  @Test(
    "without a token the answer is 401 with a challenge, whatever the operation",
    arguments: [
      ("GET", "/context/s1"), ("PUT", "/context/s1?upsert=true"), ("PATCH", "/context/s1"), ("DELETE", "/context/s1"),
      ("POST", "/context/s1/attributes"), ("DELETE", "/context/s1/attributes/a"), ("GET", "/me/context"),
      ("PATCH", "/me/context"), ("DELETE", "/me/context"), ("POST", "/me/context/attributes"),
      ("DELETE", "/me/context/attributes/a"),
    ])
  func noToken(_ method: String, _ path: String) {
    let answer = send(method, path, "{}", token: nil)
    #expect(answer.status == 401)
    #expect(answer.body == #"{"code":401,"message":"A bearer token is required"}"#)
    #expect(answer["WWW-Authenticate"] == #"Bearer realm="session-context""#)
  }

  @Test("another scheme is no token; the scheme's case doesn't matter")
  func scheme() {
    let path = TestAPI.base + "/context/s1"
    #expect(test.send(Request("GET", path, "", ["Authorization": "Basic abc"])).status == 401)
    #expect(test.send(Request("GET", path, "", ["Authorization": "Bearer"])).status == 401)
    #expect(test.send(Request("GET", path, "", ["Authorization": "bEARER  \(Issuer.service())"])).status == 404)
  }

  @Test("a bad or expired token is 401 with the reason")
  func badToken() {
    let good = Issuer.service()
    let forged = String(good.dropLast(2)) + (good.hasSuffix("AA") ? "BB" : "AA")
    let answer = send("GET", "/context/s1", token: forged)
    #expect(answer.status == 401)
    #expect(answer.body == #"{"code":401,"message":"The token is not valid: the signature is not valid"}"#)
    #expect(
      answer["WWW-Authenticate"]
        == #"Bearer realm="session-context", error="invalid_token", error_description="the signature is not valid""#)
    let expired = Issuer.token(["scope": #""sessioncontext.context_manage""#], expired: true)
    #expect(send("GET", "/context/s1", token: expired).body.contains("the token has expired"))
    #expect(send("GET", "/context/s1", token: "x.y").status == 401)
  }

  @Test("the management side needs its scope, in either spelling")
  func scope() {
    let answer = send("GET", "/context/s1", token: Issuer.service("other tenant=acme"))
    #expect(answer.status == 403)
    #expect(
      answer.body
        == #"{"code":403,"message":"Forbidden","details":["missing scope: sessioncontext.context_manage"]}"#)
    #expect(send("GET", "/context/s1", token: Issuer.anonymous("s1")).status == 403)
    #expect(send("GET", "/context/s1", token: Issuer.service("session_context.context_manage")).status == 404)
    #expect(send("GET", "/context/s1", token: Issuer.service("x sessioncontext.context_manage y")).status == 404)
  }

  @Test("another tenant's token is 403, never 404 or 401")
  func otherTenant() {
    #expect(send("PUT", "/context/s1?upsert=true", "{}", token: Issuer.service()).status == 204)
    for path in ["/context/s1", "/context/none"] {
      let answer = send("GET", path, token: Issuer.service(tenant: "rival"))
      #expect(answer.status == 403)
      #expect(answer.body == #"{"code":403,"message":"The token is not valid for tenant acme"}"#)
    }
    #expect(send("GET", "/me/context", token: Issuer.anonymous("s1", tenant: "rival")).status == 403)
    // The issuer may not speak for this one, whatever its token says.
    #expect(send("GET", "/context/s1", token: Issuer.service(tenant: "third"), tenant: "third").status == 403)
    #expect(send("GET", "/context/s1", token: Issuer.service(tenant: "rival"), tenant: "rival").status == 404)
  }

  @Test("own sessions are those of the token, without any scope; the header session-id counts for nothing")
  func own() {
    #expect(send("PUT", "/context/s1?upsert=true", #"{"siteCode":"main"}"#, token: Issuer.service()).status == 204)
    #expect(send("GET", "/me/context", token: Issuer.anonymous("s1")).body.contains(#""sessionId":"s1""#))
    #expect(send("GET", "/me/context", token: Issuer.anonymous("s2")).status == 404)
    let other = Request("GET", TestAPI.base + "/me/context")
      .with("Authorization", "Bearer \(Issuer.anonymous("s2"))").with("session-id", "s1")
    #expect(test.send(other).status == 404)
    let patched = send(
      "PATCH", "/me/context", #"{"language":"de","metadata":{"version":1}}"#, token: Issuer.customer("c1", "s1"))
    #expect(patched.status == 204)
    #expect(
      send("POST", "/me/context/attributes", #"{"key":"a","value":1}"#, token: Issuer.anonymous("s1")).status == 201)
  }

  @Test("a token without a session id is 403 on own sessions")
  func noSession() {
    let answer = send("GET", "/me/context", token: Issuer.service())
    #expect(answer.status == 403)
    #expect(answer.body == #"{"code":403,"message":"The token carries no session id"}"#)
  }

  @Test("a customer's context is changed only with that customer's saas-token")
  func saasToken() {
    let service = Issuer.service()
    let body = #"{"customerId":"c1"}"#
    let missing = send("PUT", "/context/s1?upsert=true", body, token: service)
    #expect(missing.status == 403)
    #expect(missing.body == #"{"code":403,"message":"Required Header [saas-token]","sessionId":"s1"}"#)
    let other = send("PUT", "/context/s1?upsert=true", body, token: service, saas: Issuer.customer("c2"))
    #expect(other.status == 403)
    #expect(other.body == #"{"code":403,"message":"The saas-token belongs to another customer","sessionId":"s1"}"#)
    #expect(
      send("PUT", "/context/s1?upsert=true", body, token: service, saas: Issuer.customer("c1")).status == 204)
    // With the scheme in front, as some clients send it.
    #expect(
      send(
        "PATCH", "/context/s1", #"{"siteCode":"a","metadata":{"version":1}}"#, token: service,
        saas: "Bearer \(Issuer.customer("c1"))"
      ).status == 204)
    #expect(
      send("PATCH", "/context/s1", #"{"siteCode":"b","metadata":{"version":2}}"#, token: service).status == 403)
    // Attributes and the end need none.
    #expect(send("POST", "/context/s1/attributes", #"{"key":"a","value":1}"#, token: service).status == 204)
    #expect(send("DELETE", "/context/s1", token: service).status == 204)
  }

  @Test("a saas-token that is bad is 401; another tenant's, or no customer's, is 403")
  func badSaasToken() {
    let service = Issuer.service()
    let path = "/context/s1?upsert=true"
    #expect(send("PUT", path, "{}", token: service, saas: "x").status == 401)
    #expect(send("PUT", path, "{}", token: service, saas: Issuer.customer("c1", tenant: "rival")).status == 403)
    #expect(send("PUT", path, "{}", token: service, saas: Issuer.anonymous("s1")).status == 403)
  }

  @Test("the saas-token can be configured off")
  func saasTokenOff() throws {
    let test = try TestAPI(issuer.authorizer(requiresCustomerToken: false))
    let request = Request("PUT", TestAPI.base + "/context/s1?upsert=true", #"{"customerId":"c1"}"#)
      .with("Authorization", "Bearer \(Issuer.service())")
    #expect(test.send(request).status == 204)
  }

  @Test("the past is open to the audit scope alone")
  func audit() {
    #expect(send("PUT", "/context/s1?upsert=true", "{}", token: Issuer.service()).status == 204)
    let refused = send("GET", "/context/s1?version=1", token: Issuer.service())
    #expect(refused.status == 403)
    #expect(refused.body.contains("missing scope: sessioncontext.audit_read"))
    #expect(send("GET", "/events", token: Issuer.service()).status == 403)
    #expect(send("GET", "/context/s1?version=1", token: Issuer.service("sessioncontext.audit_read")).status == 200)
    #expect(send("GET", "/context/s1", token: Issuer.service("sessioncontext.audit_read")).status == 403)
  }

  @Test("erasure asks for its own scope, and it opens nothing else")
  func erasure() {
    #expect(send("PUT", "/context/s1?upsert=true", "{}", token: Issuer.service()).status == 204)
    let body = #"{"sessionId":"s1"}"#
    for token in [
      Issuer.service(), Issuer.service("sessioncontext.audit_read"), Issuer.anonymous("s1"), Issuer.customer("c1"),
    ] {
      let refused = send("POST", "/erasures", body, token: token)
      #expect(refused.status == 403)
      #expect(refused.body.contains("missing scope: sessioncontext.erase"))
    }
    #expect(send("POST", "/erasures", body, token: nil).status == 401)
    let eraser = Issuer.service("sessioncontext.erase")
    #expect(send("GET", "/context/s1", token: eraser).status == 403)
    #expect(send("GET", "/events", token: eraser).status == 403)
    #expect(
      send("POST", "/erasures", body, token: Issuer.service("sessioncontext.erase", tenant: "rival")).status == 403)
    #expect(send("POST", "/erasures", body, token: eraser).status == 200)
    #expect(send("GET", "/context/s1", token: Issuer.service()).status == 404)
  }

  @Test("a page may look for options without a token")
  func options() {
    #expect(send("OPTIONS", "/context/s1", token: nil).status == 204)
  }
}
