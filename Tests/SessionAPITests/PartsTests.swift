import HTTPServer
import Platform
import SessionModel
import Testing
import TestSupport

@testable import SessionAPI

@Suite("parts of the API") struct PartsTests {
  @Test(
    "entity tags are read as RFC 9110 writes them",
    arguments: [
      ("*", true, .any), ("\"4\"", true, .oneOf([4])), ("\"4\", \"5\"", true, .oneOf([4, 5])),
      ("\"4\",\"5\"", false, .oneOf([4, 5])), ("W/\"4\"", true, .oneOf([4])), ("W/\"4\"", false, .oneOf([])),
      ("\"x\"", true, .oneOf([])), ("\"04\"", true, .oneOf([])), ("\"-1\"", true, .oneOf([])),
      ("\"\"", true, .oneOf([])),
      ("\"4294967296\"", true, .oneOf([])), ("\"4\", ,\"5\"", true, .oneOf([4, 5])), ("\"4\",", true, .oneOf([4])),
      ("", true, nil), ("4", true, nil), ("\"4", true, nil), ("\"4\" \"5\"", true, nil), ("\"4\" 5", true, nil),
      ("w/\"4\"", true, nil), ("*, \"4\"", true, nil),
    ] as [(String, Bool, Precondition.Versions?)])
  func entityTags(_ value: String, _ isWeak: Bool, _ versions: Precondition.Versions?) {
    #expect(parseEntityTags(value, weak: isWeak) == versions)
  }

  @Test(
    "percent escapes are decoded, broken ones and those of no UTF-8 refused",
    arguments: [
      ("abc", "abc"), ("a%20b", "a b"), ("%2f%2F", "//"), ("gr%C3%B6", "grö"), ("a+b", "a+b"), ("", ""), ("%00", "\0"),
      ("%", nil), ("a%2", nil), ("%zz", nil), ("%ff", nil), ("%C3", nil), ("%2%30", nil),
    ] as [(String, String?)])
  func percentDecoding(_ encoded: String, _ text: String?) {
    #expect(percentDecoded(Array(encoded.utf8)[...]) == text)
  }

  @Test("a query's parameters are those that operations have, each once; others are passed over")
  func queries() throws {
    func query(_ text: String) throws -> RequestQuery { try RequestQuery(Array(text.utf8)[...]) }
    let known = try query("x=1&limit=2&&x=%zz&%61fter=a%20b+c&flag&upsert")
    #expect(known.text(.limit) == "2")
    #expect(try query(Array(repeating: "x", count: 63).joined(separator: "&") + "&limit=2").text(.limit) == "2")
    #expect(known.text(.after) == "a b+c")
    #expect(known.text(.upsert) == "")
    #expect(known.text(.before) == nil)
    for (text, message) in [
      ("limit=2&x=1&limit=2", "limit: is given twice"), ("limit=&%6Cimit=", "limit: is given twice"),
      (Array(repeating: "x", count: 65).joined(separator: "&"), "query: must have at most 64 parameters"),
      ("limit=%zz", "limit: must be URL-encoded UTF-8"), ("%zz=1", "query: holds a broken percent escape"),
    ] {
      #expect(throws: RequestTarget.Problem.invalid(message)) { try query(text) }
    }
  }

  @Test(
    "a number in a query is digits alone, within its range",
    arguments: [
      ("1", 1), ("100", 100), ("007", 7), ("0", nil), ("101", nil), ("+1", nil), ("-1", nil), ("", nil), ("1.0", nil),
      ("%31", 1), ("99999999999999999999", nil),
    ] as [(String, Int?)])
  func numbers(_ text: String, _ number: Int?) throws {
    let query = try RequestQuery(Array("limit=\(text)".utf8)[...])
    guard let number else {
      let problem = RequestTarget.Problem.invalid("limit: must be a whole number from 1 to 100")
      #expect(throws: problem) { try query.number(.limit, in: 1...100) }
      return
    }
    #expect(try query.number(.limit, in: 1...100) == number)
  }

  private func exchange(
    _ headers: [(name: String, value: String)], _ body: String = "", method: HTTPMethod = .put, target: String = "/x"
  ) -> HTTPExchange {
    HTTPExchange(method: method, target: target, headers: headers, body: Array(body.utf8)) { _ in }
  }

  @Test(
    "a request id comes back when it has 1 to 128 visible bytes",
    arguments: [(0, false), (1, true), (128, true), (129, false)])
  func requestID(_ count: Int, _ isGood: Bool) {
    let id = String(repeating: "i", count: count)
    #expect(RequestTrace(exchange([(name: "X-Request-Id", value: id)])).requestID == (isGood ? id : nil))
  }

  @Test(
    "a traceparent counts when it has the form of W3C Trace Context",
    arguments: [
      ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
      ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
      ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
      ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false),
      ("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false), ("00-1-2-3", false), ("", false),
    ])
  func traceParent(_ value: String, _ isGood: Bool) {
    #expect(RequestTrace(exchange([(name: "Traceparent", value: value)])).traceParent == (isGood ? value : ""))
  }

  @Test("the mark of a request depends on caller, method, target, session, conditions, body and nothing else")
  func marks() throws {
    func mark(
      _ headers: [(name: String, value: String)] = [], _ body: String = "b", actor: String = "a", session: String = "s",
      method: HTTPMethod = .put, target: String = "/x"
    ) throws -> RequestMark {
      let exchange = exchange(headers, body, method: method, target: target)
      return try RequestHeaders(exchange).mark(exchange, actor: actor, sessionID: SessionID(valid: session))
    }
    let plain = try mark().fingerprint
    #expect(try mark([(name: "X-Request-Id", value: "1")]).fingerprint == plain)
    #expect(try mark([(name: "Idempotency-Key", value: "1")]).fingerprint == plain)
    #expect(try mark([(name: "Idempotency-Key", value: "1")]).key != nil)
    #expect(try mark([(name: "Idempotency-Key", value: "1")]).key != mark([(name: "Idempotency-Key", value: "2")]).key)
    let others = [
      try mark([(name: "If-Match", value: "\"1\"")]), try mark([(name: "If-None-Match", value: "\"1\"")]),
      try mark([], "c"), try mark(actor: "b"), try mark(session: "t"),
      try mark(method: .patch), try mark(target: "/y"),
    ]
    #expect(Set(others.map(\.fingerprint) + [plain]).count == 8)
  }

  @Test("an idempotency key has 1 to 64 bytes", arguments: [(0, false), (1, true), (64, true), (65, false)])
  func idempotencyKey(_ count: Int, _ isGood: Bool) {
    let exchange = exchange([(name: "Idempotency-Key", value: String(repeating: "k", count: count))])
    #expect(((try? RequestHeaders(exchange)) != nil) == isGood)
  }

  @Test("a tenant's changes flow at an even rate with a burst of one second's worth")
  func rateLimiter() {
    let (acme, rival) = (TenantID(valid: "acme"), TenantID(valid: "rival"))
    let time = Monitor<UInt64>(10_000_000_000)
    let limiter = RateLimiter(perSecond: 4) { time.withLock { $0 } }
    for _ in 0..<4 { #expect(limiter.secondsToWait(acme) == nil) }
    #expect(limiter.secondsToWait(acme) == 1)
    #expect(limiter.secondsToWait(rival) == nil)
    time.withLock { $0 += 250_000_000 }
    #expect(limiter.secondsToWait(acme) == nil)
    #expect(limiter.secondsToWait(acme) == 1)
    time.withLock { $0 += 60_000_000_000 }
    for _ in 0..<4 { #expect(limiter.secondsToWait(acme) == nil) }
    #expect(limiter.secondsToWait(acme) == 1)
    let open = RateLimiter(perSecond: 0)
    for _ in 0..<100 { #expect(open.secondsToWait(acme) == nil) }
  }

  private func admin(_ health: Health, _ method: HTTPMethod, _ target: String) -> (Int, String) {
    let answer = Monitor<HTTPResponse?>(nil)
    let api = AdminAPI(health: health) {
      var metrics = Metrics()
      metrics.gauge("a_gauge", "Help.", 1.5)
      metrics.counters("a_total", "Help.", [([("name", "q\"\\\n")], 2), ([("name", "b")], 3)])
      metrics.counters("none_total", "Help.", [])
      return metrics
    }
    api.handle(HTTPExchange(method: method, target: target) { response in answer.withLock { $0 = response } })
    let response = answer.withLock { $0 }
    return (response?.status ?? 0, String(decoding: response?.body ?? [], as: UTF8.self))
  }

  @Test("the probes follow the daemon's stages, and a failure stays one")
  func probes() {
    let health = Health()
    #expect(admin(health, .get, "/readyz") == (503, "replaying the log\n"))
    #expect(admin(health, .get, "/livez") == (200, "ok\n"))
    health.reach(.ready)
    #expect(admin(health, .head, "/readyz?verbose") == (200, "ready\n"))
    health.reach(.stopping)
    #expect(admin(health, .get, "/readyz") == (503, "stopping\n"))
    health.reach(.failed)
    health.reach(.ready)
    #expect(admin(health, .get, "/readyz") == (503, "failed\n"))
    #expect(admin(health, .get, "/livez") == (503, "failed\n"))
    #expect(admin(health, .post, "/livez").0 == 405)
    #expect(admin(health, .get, "/other").0 == 404)
  }

  @Test("metrics are written as Prometheus reads them")
  func metrics() {
    #expect(
      admin(Health(), .get, "/metrics") == (
        200,
        """
        # HELP a_gauge Help.
        # TYPE a_gauge gauge
        a_gauge 1.5
        # HELP a_total Help.
        # TYPE a_total counter
        a_total{name="q\\"\\\\\\n"} 2
        a_total{name="b"} 3

        """
      ))
  }
}
