import SessionAPI
import Testing

@Suite("pages of other origins") struct CORSTests {
  private let shop = "https://shop.example"

  private func vary(_ answer: Answer) -> String? { answer["Vary"] }

  @Test("without origins configured nothing is said about them")
  func off() throws {
    let test = try TestAPI()
    for method in ["GET", "OPTIONS"] {
      let answer = test.send(method, "/context/s1", "", ["Origin": shop])
      #expect(answer["Access-Control-Allow-Origin"] == nil)
      #expect(answer["Access-Control-Allow-Methods"] == nil)
      #expect(answer["Vary"] == nil)
    }
  }

  @Test("an allowed origin may read answers, errors too, and the ETag; caches are told that it matters")
  func allowed() throws {
    let test = try TestAPI { $0.cors = CORSPolicy(origins: ["https://shop.example"]) }
    for (method, path, status) in [
      ("GET", "/context/s1", 404), ("PUT", "/context/s1?upsert=true", 204), ("GET", "/context/s1", 200),
      ("POST", "/context/s1", 405), ("GET", "/nowhere", 404),
    ] {
      let answer = test.send(method, path, "{}", ["Origin": shop])
      #expect(answer.status == status)
      #expect(answer["Access-Control-Allow-Origin"] == shop)
      #expect(answer["Access-Control-Expose-Headers"]?.contains("ETag") == true)
      #expect(answer["Vary"] == "Origin")
    }
  }

  @Test(
    "another origin, and none, are told nothing but that it matters",
    arguments: [
      "https://evil.example", "https://shop.example.evil", "http://shop.example", "null", nil,
    ] as [String?])
  func notAllowed(_ origin: String?) throws {
    let test = try TestAPI { $0.cors = CORSPolicy(origins: ["https://shop.example"]) }
    for method in ["GET", "OPTIONS"] {
      let answer = test.send(method, "/context/s1", "", origin.map { ["Origin": $0] } ?? [:])
      #expect(answer["Access-Control-Allow-Origin"] == nil)
      #expect(answer["Access-Control-Allow-Methods"] == nil)
      #expect(answer["Vary"] == "Origin")
    }
  }

  @Test("an origin that no field of an answer may hold is told nothing, also where all may call")
  func unfit() throws {
    let test = try TestAPI { $0.cors = CORSPolicy(origins: ["*"]) }
    #expect(test.send("GET", "/context/s1", "", ["Origin": shop])["Access-Control-Allow-Origin"] == shop)
    for origin in ["https://a\tb", "https://a b", "https://\u{e9}", "https://\(String(repeating: "a", count: 300))"] {
      for method in ["GET", "OPTIONS"] {
        let answer = test.send(method, "/context/s1", "", ["Origin": origin])
        #expect(answer["Access-Control-Allow-Origin"] == nil)
        #expect(answer["Access-Control-Allow-Methods"] == nil)
      }
    }
  }

  @Test("a preflight names methods, headers and how long that holds, and needs no token")
  func preflight() throws {
    let test = try TestAPI(Issuer().authorizer()) { $0.cors = CORSPolicy(origins: ["https://shop.example"]) }
    let answer = test.send(
      "OPTIONS", "/me/context", "",
      ["Origin": shop, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"])
    #expect(answer.status == 204)
    #expect(answer["Access-Control-Allow-Origin"] == shop)
    #expect(answer["Access-Control-Allow-Methods"] == "GET, HEAD, PATCH, DELETE, OPTIONS")
    #expect(
      answer["Access-Control-Allow-Headers"]
        == "Authorization, Content-Type, saas-token, If-Match, If-None-Match, Idempotency-Key, Accept-Language, "
        + "Content-Language, session-id, Emporix-Tenant, Last-Event-ID")
    #expect(answer["Access-Control-Max-Age"] == "600")
  }

  @Test("with * every origin is allowed, by its own name")
  func any() throws {
    let test = try TestAPI { $0.cors = CORSPolicy(origins: ["*"]) }
    let answer = test.send("GET", "/context/s1", "", ["Origin": "https://any.example"])
    #expect(answer["Access-Control-Allow-Origin"] == "https://any.example")
  }
}
