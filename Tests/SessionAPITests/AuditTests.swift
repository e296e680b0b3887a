import SessionModel
import SessionStore
import Testing
import TestSupport

@testable import SessionAPI

@Suite("Questions about the past") struct AuditTests {
  private static let value = String(repeating: "x", count: 15_000)

  /// An API with so many events of s1 of 60,000 bytes each, and a limit that lets that many attributes in.
  private func largeHistory(_ count: Int) throws -> TestAPI {
    let test = try TestAPI()
    for number in 1...count {
      let attributes = (1...4).map { #""a\#($0)":"\#(number)\#(Self.value)""# }.joined(separator: ",")
      let body = #"{"customerId":"c1","context":{\#(attributes)},"metadata":{"version":\#(number - 1)}}"#
      #expect(test.send("PUT", "/context/s1?upsert=true", body).status == 204)
    }
    return test
  }

  private func positions(_ body: String) -> [Int] {
    body.split(separator: #""position":"#).dropFirst().compactMap { Int($0.prefix { $0.isNumber }) }
  }

  private func next(_ body: String) -> String? {
    body.firstRange(of: #""next":""#).map { String(body[$0.upperBound...].prefix { $0 != "\"" }) }
  }

  @Test(
    "a page ends once it is long, and its next one goes on behind it",
    arguments: [("/events?limit=1000", Array(1...12)), ("/context/s1/events?limit=1000", Array((1...12).reversed()))])
  func longPages(_ path: String, _ expected: [Int]) throws {
    let test = try largeHistory(12)
    var target: String? = TestAPI.base + path
    var found: [Int] = []
    var pages = 0
    while let page = target {
      let answer = test.send(Request("GET", page))
      #expect(answer.status == 200)
      #expect(answer.body.utf8.count < PageRendering.maximumBytes + 70_000)
      found += positions(answer.body)
      target = next(answer.body)
      pages += 1
      if target != nil { #expect(answer.body.utf8.count >= PageRendering.maximumBytes) }
    }
    #expect(found == expected)
    #expect(pages == 3)
  }

  @Test("pages of a customer's sessions end once they are long, too")
  func longSessions() throws {
    let test = try TestAPI()
    let attributes = (1...4).map { #""a\#($0)":"\#(Self.value)""# }.joined(separator: ",")
    for number in 1...7 {
      let body = #"{"customerId":"c1","context":{\#(attributes)}}"#
      #expect(test.send("PUT", "/context/s\(number)?upsert=true", body).status == 204)
    }
    let first = test.send("GET", "/contexts?customerId=c1&limit=1000").body
    #expect(first.split(separator: #""sessionId":"#).count - 1 == 5)
    #expect(next(first) == "/session-context/acme/contexts?customerId=c1&limit=1000&after=s5")
    let second = test.send("GET", "/contexts?customerId=c1&limit=1000&after=s5").body
    #expect(second.split(separator: #""sessionId":"#).count - 1 == 2)
    #expect(next(second) == nil)
  }

  @Test("whether each of a customer's sessions lives and still carries the id is told")
  func states() throws {
    let test = try TestAPI(
      .open, store: { $0.rules.timeToLive = TimeToLive(anonymousSeconds: 10, customerSeconds: 20) })
    for session in ["active", "former", "ended", "expired"] {
      #expect(test.send("PUT", "/context/\(session)?upsert=true", #"{"customerId":"c1"}"#).status == 204)
    }
    test.clock.advance(microseconds: 15_000_000)
    #expect(test.send("DELETE", "/context/ended").status == 204)
    let patch = #"{"customerId":null,"metadata":{"version":1}}"#
    #expect(test.send("PATCH", "/context/former", patch).status == 204)
    #expect(test.send("PATCH", "/context/active", #"{"currency":"EUR","metadata":{"version":1}}"#).status == 204)
    test.clock.advance(microseconds: 6_000_000)
    let list = test.send("GET", "/contexts?customerId=c1").body
    let states = list.matches(of: /"state":"([a-z]+)","carries":(true|false),"context":{"sessionId":"([a-z]+)"/)
      .map { "\($0.3) \($0.1) \($0.2)" }
    #expect(states == ["active active true", "ended ended false", "expired expired true", "former active false"])
  }

  @Test("the pages of a session's events and of a customer's sessions lead on, whatever the names are")
  func links() throws {
    let test = try TestAPI()
    let sessions = ["a&b 1", "a&b 2", "a%2", "a/3", "a=4", "ü"]
    for session in sessions {
      let path = "/context/\(percentEncoded(session))"
      #expect(test.send("PUT", "\(path)?upsert=true", #"{"customerId":"c&1"}"#).status == 204)
      for number in 1...4 {
        #expect(test.send("POST", "\(path)/attributes", #"{"key":"a","value":\#(number)}"#).status == 204)
      }
      var found: [Int] = []
      var target: String? = TestAPI.base + path + "/events?limit=2"
      while let page = target {
        let answer = test.send(Request("GET", page))
        found += positions(answer.body)
        target = next(answer.body)
        #expect(target?.contains("limit=2&") != false)
      }
      #expect(found.count == 5 && found == found.sorted(by: >))
    }
    var listed: [String] = []
    var target: String? = TestAPI.base + "/contexts?customerId=c%261&limit=2"
    while let page = target {
      let answer = test.send(Request("GET", page))
      listed += answer.body.matches(of: /"sessionId":"([^"]+)"/).map { String($0.1) }
      target = next(answer.body)
    }
    #expect(listed.sorted() == sessions.sorted())
  }

  @Test("a page of events begins at one of the session's own")
  func othersPosition() throws {
    let test = try TestAPI()
    for session in ["s1", "s2", "s2"] {
      #expect(test.send("PUT", "/context/\(session)?upsert=true", #"{"siteCode":"\#(session)"}"#).status == 204)
    }
    #expect(test.send("POST", "/context/s2/attributes", #"{"key":"a","value":1}"#).status == 204)
    #expect(positions(test.send("GET", "/context/s2/events?from=3").body) == [3, 2])
    for position in [1, 4, 9] {
      let answer = test.send("GET", "/context/s2/events?from=\(position)")
      #expect(answer.status == 404)
      #expect(!answer.body.contains("s1"))
    }
  }

  @Test("a version and a time at once are refused")
  func versionAndTime() throws {
    let test = try TestAPI()
    #expect(test.send("PUT", "/context/s1?upsert=true", "{}").status == 204)
    let answer = test.send("GET", "/context/s1?version=1&asOf=2026-01-01T00:00:00Z")
    #expect(answer.status == 400)
    #expect(answer.body.contains("name either a version or a time"))
  }

  @Test("a time that has not come is refused, and now isn't")
  func future() throws {
    let test = try TestAPI()
    #expect(test.send("PUT", "/context/s1?upsert=true", "{}").status == 204)
    #expect(test.send("GET", "/context/s1?asOf=2026-01-01T00:00:00Z").status == 200)
    let answer = test.send("GET", "/context/s1?asOf=2026-01-01T00:00:00.000001Z")
    #expect(answer.status == 400)
    #expect(answer.body.contains("asOf: must not lie in the future"))
    test.clock.advance(microseconds: 1)
    #expect(test.send("GET", "/context/s1?asOf=2026-01-01T00:00:00.000001Z").status == 200)
  }

  @Test("a comparison names its life, and a version that never was; the version that ended a session holds nothing")
  func difference() throws {
    let test = try TestAPI()
    func get(_ query: String) -> Answer { test.send("GET", "/context/s1/diff?\(query)") }
    #expect(get("from=1&to=1").body == #"{"code":404,"message":"Session not found","sessionId":"s1"}"#)
    #expect(test.send("PUT", "/context/s1?upsert=true", #"{"currency":"EUR"}"#).status == 204)
    #expect(test.send("DELETE", "/context/s1").status == 204)
    #expect(
      get("from=1&to=2").body
        == #"{"sessionId":"s1","life":1,"from":1,"to":2,"changes":[{"field":"currency","old":"EUR"}]}"#)
    test.clock.advance(microseconds: 86_400_000_000)
    #expect(test.send("PUT", "/context/s1?upsert=true", #"{"currency":"USD"}"#).status == 204)
    #expect(get("from=1&to=1").body == #"{"sessionId":"s1","life":2,"from":1,"to":1,"changes":[]}"#)
    #expect(get("from=2&to=1").body.contains(#""life":1"#))
    let missing = get("from=1&to=3")
    #expect(missing.status == 404)
    #expect(missing.body == #"{"code":404,"message":"The session never had a version 3","sessionId":"s1"}"#)
  }
}
