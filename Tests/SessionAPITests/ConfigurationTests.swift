import LMDB
import Platform
import SessionAPI
import SessionCodec
import SessionModel
import SessionStore
import Testing
import TestSupport

@Suite("how the API can be set up") struct ConfigurationTests {
  @Test("a conflict can be answered with 404, as the original does")
  func conflictStatus() throws {
    let test = try TestAPI { $0.conflictStatus = .notFound }
    #expect(test.send("PUT", "/context/s1?upsert=true", "{}").status == 204)
    let answer = test.send("PUT", "/context/s1", #"{"metadata":{"version":7}}"#)
    #expect(answer.status == 404)
    #expect(
      answer.body
        == #"{"code":404,"message":"The context with sessionId s1 and version 7 has not been found.","#
        + #""sessionId":"s1","currentVersion":1}"#)
  }

  @Test("own sessions can begin with the first request for them")
  func beginsOwnSessions() throws {
    let test = try TestAPI { $0.beginsOwnSessions = true }
    let read = test.send("GET", "/me/context", "", ["session-id": "s1"])
    #expect(read.status == 200)
    #expect(
      read.body
        == #"{"sessionId":"s1","metadata":{"version":1,"createdAt":"2026-01-01T00:00:00.000Z","#
        + #""modifiedAt":"2026-01-01T00:00:00.000Z"}}"#)
    #expect(test.send("GET", "/me/context", "", ["session-id": "s1"])["ETag"] == "\"1\"")
    let set = test.send("POST", "/me/context/attributes", #"{"key":"a","value":1}"#, ["session-id": "s2"])
    #expect(set.status == 201)
    #expect(set["ETag"] == "\"2\"")
    let patch = test.send("PATCH", "/me/context", #"{"siteCode":"a"}"#, ["session-id": "s3", "If-Match": "\"1\""])
    #expect(patch.status == 204)
    #expect(test.send("GET", "/me/context", "", ["session-id": "s3"]).body.contains(#""siteCode":"a""#))
    // Other sides begin nothing.
    #expect(test.send("GET", "/context/s4").status == 404)
  }

  @Test("the first change of an own session is applied, or refused, but never taken for its own repetition")
  func beginningIsNoRetry() throws {
    let test = try TestAPI { $0.beginsOwnSessions = true }
    let body = #"{"siteCode":"a","metadata":{"version":0}}"#
    #expect(test.send("PATCH", "/me/context", body, ["session-id": "s1"]).status == 409)
    let retried = #"{"siteCode":"b","metadata":{"version":1}}"#
    #expect(test.send("PATCH", "/me/context", retried, ["session-id": "s2"])["ETag"] == "\"2\"")
    #expect(test.send("PATCH", "/me/context", retried, ["session-id": "s2"])["ETag"] == "\"2\"")
    #expect(test.send("GET", "/context/s2").body.contains(#""siteCode":"b""#))
  }

  @Test("an own session doesn't begin again while its tombstone stands")
  func beginsNoEndedSession() throws {
    let test = try TestAPI { $0.beginsOwnSessions = true }
    #expect(test.send("GET", "/me/context", "", ["session-id": "s1"]).status == 200)
    #expect(test.send("DELETE", "/me/context", "", ["session-id": "s1"]).status == 204)
    #expect(test.send("GET", "/me/context", "", ["session-id": "s1"]).status == 404)
    #expect(test.send("PATCH", "/me/context", "{}", ["session-id": "s1", "If-Match": "*"]).status == 410)
  }

  @Test("what only takes away begins no session")
  func beginsNothingToRemove() throws {
    let test = try TestAPI { $0.beginsOwnSessions = true }
    #expect(test.send("DELETE", "/me/context", "", ["session-id": "s1"]).status == 404)
    #expect(test.send("DELETE", "/me/context/attributes/a", "", ["session-id": "s1"]).status == 404)
    #expect(test.send("GET", "/context/s1").status == 404)
  }

  @Test("reading an own session is activity: it lives on, its version stays")
  func touches() throws {
    let test = try TestAPI()
    #expect(test.send("PUT", "/context/s1?upsert=true", "{}").status == 204)
    let hour: Int64 = 3_600_000_000
    for _ in 0..<3 {
      test.clock.advance(microseconds: hour / 2)
      let answer = test.send("GET", "/me/context", "", ["session-id": "s1"])
      #expect(answer.status == 200)
      #expect(answer["ETag"] == "\"1\"")
    }
    // The other side's reads are none.
    test.clock.advance(microseconds: hour / 2)
    #expect(test.send("GET", "/context/s1").status == 200)
    test.clock.advance(microseconds: hour / 2)
    #expect(test.send("GET", "/context/s1").status == 404)
  }

  @Test(
    "what is refused to a session's owner, or was done before, is activity, too",
    arguments: [
      ("PATCH", "/me/context", #"{"siteCode":"a","metadata":{"version":7}}"#, [:], 409),
      ("PATCH", "/me/context", #"{"siteCode":"a"}"#, ["If-Match": "\"9\""], 412),
      ("PATCH", "/me/context", #"{"siteCode":"a"}"#, [:], 400), ("PATCH", "/me/context", "{", [:], 400),
      ("PATCH", "/me/context", "{}", ["Content-Type": "text/plain"], 415),
      ("DELETE", "/me/context/attributes/none", "", [:], 404),
      ("POST", "/me/context/attributes", #"{"key":"a","value":1}"#, ["Idempotency-Key": "k"], 201),
      ("GET", "/me/context", "", ["If-Match": "\"9\""], 412), ("GET", "/me/context", "", ["If-Match": "9"], 400),
      // On the other side a change that is repeated, since that gets a 2xx.
      ("PUT", "/context/s1?upsert=true", "{}", [:], 204),
      ("POST", "/context/s1/attributes", #"{"key":"a","value":1}"#, ["Idempotency-Key": "k"], 204),
    ] as [(String, String, String, [String: String], Int)])
  func refusalsAreActivity(
    _ method: String, _ path: String, _ body: String, _ fields: [String: String], _ status: Int
  )
    throws
  {
    let test = try TestAPI()
    #expect(test.send("PUT", "/context/s1?upsert=true", "{}").status == 204)
    for _ in 0..<4 {
      test.clock.advance(microseconds: 1_800_000_000)
      let answer = test.send(method, path, body, fields.merging(["session-id": "s1"]) { $1 })
      #expect(answer.status == status, "\(answer)")
    }
    #expect(test.send("GET", "/context/s1").status == 200)
  }

  @Test("a change that is refused to the other side is no activity")
  func refusalsToOthers() throws {
    let test = try TestAPI()
    #expect(test.send("PUT", "/context/s1?upsert=true", "{}").status == 204)
    test.clock.advance(microseconds: 1_800_000_000)
    #expect(test.send("PATCH", "/context/s1", #"{"metadata":{"version":7}}"#).status == 409)
    test.clock.advance(microseconds: 1_800_000_000)
    #expect(test.send("GET", "/context/s1").status == 404)
  }

  @Test("no cache keeps an own document, since one target stands for everybody's session")
  func caching() throws {
    let test = try TestAPI()
    #expect(test.send("PUT", "/context/s1?upsert=true", "{}").status == 204)
    for fields in [[:], ["If-None-Match": "\"1\""]] as [[String: String]] {
      let own = test.send("GET", "/me/context", "", fields.merging(["session-id": "s1"]) { $1 })
      #expect(own["Cache-Control"] == "no-store")
      #expect(test.send("GET", "/context/s1", "", fields)["Cache-Control"] == nil)
    }
  }

  @Test("activity is noted at most once in a tenth of the time to live")
  func touchInterval() throws {
    let test = try TestAPI()
    #expect(test.send("PUT", "/context/s1?upsert=true", "{}").status == 204)
    func read(after microseconds: Int64) -> UInt64 {
      test.clock.advance(microseconds: microseconds)
      #expect(test.send("GET", "/me/context", "", ["session-id": "s1", "If-None-Match": "\"1\""]).status == 304)
      return test.store.statistics.commandCount
    }
    #expect(read(after: 359_999_999) == 1)
    #expect(read(after: 1) == 2)
    #expect(read(after: 0) == 2)
    #expect(read(after: 359_999_999) == 2)
    #expect(read(after: 1) == 3)
  }

  @Test("a customer's own session begins as the customer's")
  func beginsCustomerSession() throws {
    let issuer = try Issuer()
    let test = try TestAPI(issuer.authorizer()) { $0.beginsOwnSessions = true }
    let request = Request("GET", TestAPI.base + "/me/context")
      .with("Authorization", "Bearer \(Issuer.customer("c1", "s1"))")
    #expect(test.send(request).body.contains(#""customerId":"c1""#))
  }

  @Test("limits of bodies and attributes are those that are configured")
  func limits() throws {
    let test = try TestAPI(.open) {
      $0.bodyLimits.maximumAttributes = 2
      $0.bodyLimits.maximumAttributeBytes = 8
    } store: {
      $0.rules.maximumAttributes = 2
    }
    #expect(test.send("PUT", "/context/s1?upsert=true", #"{"context":{"a":1,"b":2,"c":3}}"#).status == 400)
    #expect(test.send("PUT", "/context/s1?upsert=true", #"{"context":{"a":"1234567"}}"#).status == 400)
    #expect(test.send("PUT", "/context/s1?upsert=true", #"{"context":{"a":1,"b":2}}"#).status == 204)
    let answer = test.send("POST", "/context/s1/attributes", #"{"key":"c","value":1}"#)
    #expect(answer.status == 400)
    #expect(
      answer.body
        == #"{"code":400,"message":"The request is not valid","sessionId":"s1","#
        + #""details":["context: has 2 attributes, which is the limit"]}"#)
  }

  @Test("a tenant with as many open sessions as it may gets 507, others none of it")
  func sessionLimit() throws {
    let test = try TestAPI(.open, store: { $0.rules.maximumSessions = 1 })
    #expect(test.send("PUT", "/context/s1?upsert=true", "{}").status == 204)
    let answer = test.send("PUT", "/context/s2?upsert=true", "{}")
    #expect(answer.status == 507)
    #expect(answer.body.contains("The tenant has 1 open sessions, which is its limit"))
    #expect(test.send(Request("PUT", "/session-context/rival/context/s2?upsert=true", "{}")).status == 204)
  }

  @Test("a tenant that asks for more changes than it may gets 429 with Retry-After, and may still read")
  func rateLimit() throws {
    let test = try TestAPI { $0.writesPerSecondPerTenant = 1 }
    #expect(test.send("PUT", "/context/s1?upsert=true", "{}").status == 204)
    let answer = test.send("PUT", "/context/s2?upsert=true", "{}")
    #expect(answer.status == 429)
    #expect(answer["Retry-After"] == "1")
    #expect(test.send("GET", "/context/s1").status == 200)
    #expect(test.send(Request("PUT", "/session-context/rival/context/s1?upsert=true", "{}")).status == 204)
  }

  @Test("when too much waits to be written the answer is 503 with Retry-After")
  func overloaded() throws {
    let test = try TestAPI(.open, store: { $0.queueCapacity = 1 })
    let gate = Monitor((isEntered: false, isOpen: false))
    func command(_ session: String) -> Command {
      Command(
        sessionID: SessionID(valid: session), action: .begin(SessionContext()), request: nil, origin: Origin(actor: "t")
      )
    }
    let tenant = TenantID(valid: "acme").authorized
    test.store.submit(command("s1"), for: tenant) { _ in
      gate.signal { $0.isEntered = true }
      _ = gate.wait { $0.isOpen ? true : nil }
    }
    _ = gate.wait { $0.isEntered ? true : nil }
    test.store.submit(command("s2"), for: tenant) { _ in }
    let answer = test.send("PUT", "/context/s3?upsert=true", "{}")
    #expect(answer.status == 503)
    #expect(answer["Retry-After"] == "1")
    #expect(answer.body == #"{"code":503,"message":"Too many changes wait to be written; try again"}"#)
    #expect(test.send("GET", "/context/s1").status == 200)
    gate.signal { $0.isOpen = true }
    #expect(test.send("PUT", "/context/s3?upsert=true", "{}").status != 500)
  }

  @Test("changes that find the map full are 507, and the operator hears of the first")
  func mapFull() throws {
    let test = try TestAPI(.open, store: { $0.environment.mapSizeBytes = 1 << 20 })
    #expect(test.send("PUT", "/context/s1?upsert=true", "{}").status == 204)
    let body = #"{"key":"a","value":""# + String(repeating: "x", count: 16_000) + #""}"#
    var answer = test.send("POST", "/context/s1/attributes", body)
    while answer.status == 204 { answer = test.send("POST", "/context/s1/attributes", body) }
    #expect(answer.status == 507)
    #expect(answer["Retry-After"] == "1")
    #expect(
      answer.body == #"{"code":507,"message":"The disk is full; nothing can be written until there is room"}"#)
    #expect(test.logged.count == 1)
    let after = test.send("POST", "/context/s1/attributes", body)
    #expect((after.status, after.body) == (answer.status, answer.body))
    #expect(test.logged.count == 1)
    #expect(test.send("GET", "/context/s1").status == 200)
  }

  @Test("expired sessions are gone from the microsecond on in which they expire")
  func expiry() throws {
    let test = try TestAPI()
    #expect(test.send("PUT", "/context/s1?upsert=true", "{}").status == 204)
    test.clock.advance(microseconds: 3_599_999_999)
    #expect(test.send("GET", "/context/s1").status == 200)
    test.clock.advance(microseconds: 1)
    #expect(test.send("GET", "/context/s1").body == #"{"code":404,"message":"Session not found","sessionId":"s1"}"#)
    #expect(test.send("PUT", "/context/s1?upsert=true", "{}")["ETag"] == "\"1\"")
  }

  @Test("answered requests are counted by operation and status")
  func statistics() throws {
    let test = try TestAPI()
    _ = test.send("GET", "/context/s1")
    _ = test.send("GET", "/context/s1")
    _ = test.send("PUT", "/context/s1?upsert=true", "{}")
    _ = test.send(Request("GET", "/nowhere"))
    let counts = test.api.statistics.answered.map { "\($0.operation) \($0.status) \($0.count)" }
    #expect(counts == ["getContext 404 2", "none 404 1", "replaceContext 204 1"])
  }
}
