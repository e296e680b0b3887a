import HTTPServer
import Platform
import SessionModel
import SessionStore
import Testing
import TestSupport

@testable import SessionAPI

/// A feed asked by hand, as a worker would.
@Suite("A feed's parts") struct FeedSourceTests {
  private struct Silence: HTTPBodySource {
    func next(into _: inout [UInt8], for _: HTTPBodyStream) -> HTTPBodyStep { .waiting }
    func end() {}
  }

  /// A live feed of the tenant acme.
  private final class Feed {
    let test: TestAPI
    private var source: FeedSource
    private let stream = HTTPBodyStream(Silence())

    init(
      _ test: TestAPI, until: FeedSource.End = .token(nil), session: String? = nil, customer: String? = nil,
      heartbeatSeconds: Double = 60, checkpointSeconds: Double = 60
    ) throws {
      self.test = test
      let tenant = TenantID(valid: "acme").authorized
      #expect(test.api.feeds.open())
      source = FeedSource(
        hub: test.api.feeds, store: test.store, tenant: tenant, after: 0, until: until,
        filter: try test.store.eventFilter(
          of: tenant, session: session.map { SessionID(valid: $0) }, customer: customer),
        timing: .init(heartbeatSeconds: heartbeatSeconds, checkpointSeconds: checkpointSeconds)
      ) { error in Issue.record("\(error)") }
    }

    deinit { source.end() }

    func next() -> (text: String, step: HTTPBodyStep) {
      var buffer: [UInt8] = []
      let step = source.next(into: &buffer, for: stream)
      return (String(decoding: buffer, as: UTF8.self), step)
    }
  }

  private func begin(_ test: TestAPI, _ session: String, _ body: String = "{}") {
    #expect(test.send("PUT", "/context/\(session)?upsert=true", body).status == 204)
  }

  private func pause(_ milliseconds: Int) {
    _ = Monitor(false).wait(milliseconds: milliseconds) { _ -> Bool? in nil }
  }

  @Test("the end is noted once, and silence is filled with heartbeats")
  func heartbeat() throws {
    let feed = try Feed(TestAPI(), heartbeatSeconds: 0.05)
    #expect(feed.next() == ("id: 0\nevent: caught-up\ndata: {\"position\":0}\n\n", .waiting))
    #expect(feed.next() == ("", .waiting))
    pause(60)
    #expect(feed.next() == (": heartbeat\n\n", .waiting))
    #expect(feed.next() == ("", .waiting))
    begin(feed.test, "s1")
    let event = feed.next()
    #expect(event.text.hasPrefix("id: 1\nevent: session.started.v1\n"))
    #expect(!event.text.contains("caught-up"))
    #expect(event.step == .waiting)
  }

  @Test("the position is noted when events pass by that the filter leaves out, but not each time")
  func checkpoint() throws {
    let feed = try Feed(TestAPI(), session: "other", checkpointSeconds: 0.05)
    #expect(feed.next().text.contains("caught-up"))
    begin(feed.test, "s1")
    #expect(feed.next() == ("", .waiting))
    begin(feed.test, "s2")
    pause(60)
    #expect(feed.next() == ("id: 2\nevent: checkpoint\ndata: {\"position\":2}\n\n", .waiting))
    pause(60)
    #expect(feed.next() == ("", .waiting))
  }

  @Test("no position is noted for what an event has told")
  func toldByEvents() throws {
    let feed = try Feed(TestAPI(), checkpointSeconds: 0.05)
    #expect(feed.next().text.contains("caught-up"))
    begin(feed.test, "s1")
    #expect(feed.next().text.hasPrefix("id: 1\n"))
    pause(60)
    #expect(feed.next() == ("", .waiting))
  }

  @Test("a feed of a customer begins with what its sessions were before, also after an erasure in between")
  func lifeAfterErasure() throws {
    let test = try TestAPI()
    begin(test, "s1", #"{"customerId":"c1"}"#)
    #expect(test.send("POST", "/erasures", #"{"sessionId":"s1"}"#).status == 200)
    begin(test, "s1")
    #expect(test.send("PATCH", "/context/s1", #"{"customerId":"c1","metadata":{"version":1}}"#).status == 204)
    let text = try Feed(test, customer: "c1").next().text
    let ids = text.split(separator: "\n").filter { $0.hasPrefix("id: ") }.compactMap { Int($0.dropFirst(4)) }
    #expect(ids.dropLast() == [1, 2, 3, 4])
  }

  @Test("a session that comes to belong to the customer is in the feed from then on")
  func newCarrier() throws {
    let feed = try Feed(TestAPI(), customer: "c1")
    #expect(feed.next().text.contains("caught-up"))
    begin(feed.test, "s1")
    #expect(feed.next().text == "")
    #expect(feed.test.send("PATCH", "/context/s1", #"{"customerId":"c1","metadata":{"version":1}}"#).status == 204)
    #expect(feed.next().text.hasPrefix("id: 2\nevent: session.patched.v1\n"))
    #expect(feed.test.send("DELETE", "/context/s1").status == 204)
    #expect(feed.next().text.hasPrefix("id: 3\nevent: session.ended.v1\n"))
  }

  @Test("a long log comes in bounded parts, in order, each event once; also when nothing of it passes")
  func parts() throws {
    let test = try TestAPI()
    begin(test, "s0")
    let count = 1500
    for number in 1..<count {
      #expect(test.send("POST", "/context/s0/attributes", #"{"key":"a","value":\#(number)}"#).status == 204)
    }
    let feed = try Feed(test)
    var ids: [Int] = []
    while true {
      let (text, step) = feed.next()
      #expect(text.utf8.count < 40_000)
      ids += text.split(separator: "\n").filter { $0.hasPrefix("id: ") }.compactMap { Int($0.dropFirst(4)) }
      if text.contains("caught-up") { break }
      // It may have to wait for its share of the workers' time.
      if step == .waiting { pause(20) }
    }
    #expect(ids == Array(1...count) + [count])
    let other = try Feed(test, session: "other")
    var text = ""
    while text.isEmpty { text = other.next().text }
    #expect(text == "id: \(count)\nevent: caught-up\ndata: {\"position\":\(count)}\n\n")
  }

  @Test("lines end where the log ended when they began")
  func lines() throws {
    let test = try TestAPI()
    begin(test, "s1")
    begin(test, "s2")
    let feed = try Feed(test, until: .position(1))
    let line = feed.next()
    #expect(line.text.split(separator: "\n").count == 1)
    #expect(line.step == .finished)
    #expect(feed.next() == ("", .finished))
  }

  @Test("lines of a log that has lost its end are cut off")
  func lostEnd() throws {
    let test = try TestAPI()
    begin(test, "s1")
    let feed = try Feed(test, until: .position(2))
    #expect(feed.next().step == .more)
    #expect(feed.next() == ("", .failed))
  }

  @Test("a live feed ends with its token")
  func token() throws {
    let test = try TestAPI()
    begin(test, "s1")
    let now = currentMicroseconds() / 1_000_000
    #expect(try Feed(test, until: .token(now)).next() == ("", .finished))
    #expect(try Feed(test, until: .token(now + 60)).next().step == .waiting)
  }

  @Test("work is paid for by waiting")
  func budget() {
    let budget = FeedBudget()
    #expect(!budget.isSpent(at: 1000))
    // A tenth of a second of work in a tenth of a second: twice of what half a core allows, less the credit.
    budget.spend(from: 0, to: 100_000_000)
    #expect(budget.isSpent(at: 100_000_000))
    #expect(!budget.isSpent(at: 150_000_000))
    budget.spend(from: 1_000_000_000, to: 1_010_000_000)
    #expect(!budget.isSpent(at: 1_010_000_000))
  }
}
