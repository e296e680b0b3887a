import Platform
import SessionModel
import Testing
import TestSupport

@testable import SessionAPI

/// In process a live feed is cut where it would first wait: what it has said by then is the answer.
@Suite("Feeds of a tenant's events") struct FeedTests {
  private static let asLines = ["Accept": "application/x-ndjson"]
  private static let asLive = ["Accept": "text/event-stream"]

  /// An API with the events s1 started, s2 started, s1 set an attribute, s1 ended.
  private func makeAPI() throws -> TestAPI {
    let test = try TestAPI()
    #expect(test.send("PUT", "/context/s1?upsert=true", #"{"siteCode":"main"}"#).status == 204)
    #expect(test.send("PUT", "/context/s2?upsert=true", #"{"customerId":"c1"}"#).status == 204)
    let value = #"{"key":"a","value":[1,\#r\#n2,\#t3]}"#
    #expect(test.send("POST", "/context/s1/attributes", value).status == 204)
    #expect(test.send("DELETE", "/context/s1").status == 204)
    return test
  }

  private func positions(_ answer: Answer) -> [Int] {
    answer.body.split(separator: "\n").compactMap { line in
      line.firstRange(of: #""position":"#).flatMap { Int(line[$0.upperBound...].prefix { $0.isNumber }) }
    }
  }

  @Test("lines hold the rest of the log, an event each, and say up to where they go")
  func lines() throws {
    let test = try makeAPI()
    let answer = test.send("GET", "/events", "", Self.asLines)
    #expect(answer.status == 200)
    #expect(answer["Content-Type"] == "application/x-ndjson")
    #expect(answer["Sessiond-Position"] == "4")
    #expect(positions(answer) == [1, 2, 3, 4])
    #expect(answer.body.split(separator: "\n").count == 4)
    #expect(answer.body.contains(#"{"a":[1,  2,\#t3]}"#))
    let page = test.send("GET", "/events").body
    for line in answer.body.split(separator: "\n") where !line.contains("  ") { #expect(page.contains(line)) }
    #expect(positions(test.send("GET", "/events?after=3", "", Self.asLines)) == [4])
    #expect(test.send("GET", "/events?after=4", "", Self.asLines).body == "")
    #expect(test.api.openFeeds == 0)
  }

  @Test("a live feed says the history, then that it's at the end")
  func live() throws {
    let test = try makeAPI()
    let answer = test.send("GET", "/events?after=2", "", Self.asLive)
    #expect(answer.status == 200)
    #expect(answer["Content-Type"] == "text/event-stream")
    #expect(answer["Cache-Control"] == "no-store")
    let events = answer.body.split(separator: "\n\n")
    #expect(events.count == 3)
    #expect(events[0].hasPrefix("id: 3\nevent: session.attribute-set.v1\ndata: {"))
    // A line break in a stored value becomes one of the event's data.
    #expect(events[0].contains("[1,\ndata: \ndata: 2,\t3]"))
    #expect(events[1].hasPrefix("id: 4\nevent: session.ended.v1\ndata: {"))
    #expect(events[2] == "id: 4\nevent: caught-up\ndata: {\"position\":4}")
    #expect(answer.body.hasSuffix("\n\n"))
    #expect(test.api.openFeeds == 0)
  }

  @Test("Last-Event-ID counts more than after")
  func resume() throws {
    let test = try makeAPI()
    let answer = test.send("GET", "/events?after=1", "", Self.asLive.merging(["Last-Event-ID": "3"]) { $1 })
    #expect(answer.body.hasPrefix("id: 4\nevent: session.ended.v1\n"))
    let empty = test.send("GET", "/events?after=3", "", Self.asLive.merging(["Last-Event-ID": ""]) { $1 })
    #expect(empty.body == answer.body)
  }

  @Test("an empty log has an end, too")
  func emptyLog() throws {
    let test = try TestAPI()
    #expect(test.send("GET", "/events", "", Self.asLines).body == "")
    #expect(test.send("GET", "/events", "", Self.asLive).body == "id: 0\nevent: caught-up\ndata: {\"position\":0}\n\n")
  }

  @Test(
    "filters leave out what doesn't pass all of them",
    arguments: [
      ("type=session.started.v1", [1, 2]), ("sessionId=s1", [1, 3, 4]), ("customerId=c1", [2]),
      ("sessionId=s1&type=session.ended.v1", [4]), ("sessionId=s1&customerId=c1", []), ("customerId=none", []),
    ] as [(String, [Int])])
  func filters(_ query: String, _ expected: [Int]) throws {
    let test = try makeAPI()
    #expect(positions(test.send("GET", "/events?\(query)", "", Self.asLines)) == expected)
    let live = test.send("GET", "/events?\(query)", "", Self.asLive).body.split(separator: "\n\n")
    #expect(live.dropLast().map { $0.prefix { $0 != "\n" } } == expected.map { "id: \($0)" })
    #expect(live.last == "id: 4\nevent: caught-up\ndata: {\"position\":4}")
    let page = test.send("GET", "/events?\(query)")
    #expect(page["Sessiond-Position"] == "4")
    #expect(expected.allSatisfy { page.body.contains("\"position\":\($0),") })
  }

  @Test(
    "what can't be meant is refused",
    arguments: [
      ("?after=5", "after: position 5 lies behind the log's end, 4", asLines),
      ("?after=5", "after: position 5 lies behind the log's end, 4", [:]),
      ("?after=18446744073709551615", "after: position 18446744073709551615 lies behind the log's end, 4", [:]),
      ("?after=5", "after: position 5 lies behind the log's end, 4", asLive),
      ("?after=18446744073709551615", "after: position 18446744073709551615 lies behind the log's end, 4", asLive),
      ("?after=18446744073709551616", "after: must be a position, 0 for the beginning", asLive),
      ("?after=-1", "after: must be a position, 0 for the beginning", asLines),
      ("", "Last-Event-ID: must be a position, 0 for the beginning", asLive.merging(["Last-Event-ID": "x"]) { $1 }),
      (
        "?after=1", "Last-Event-ID: position 9 lies behind the log's end, 4",
        asLive.merging(["Last-Event-ID": "9"]) { $1 }
      ),
      ("?limit=0", "limit: must be a whole number from 1 to 1000", [:]),
      ("?limit=1001", "limit: must be a whole number from 1 to 1000", [:]),
      ("?limit=5", "limit: belongs to pages; a stream goes on to its end", asLines),
      ("?type=session.flew.v1", "type: must be an event's type such as session.patched.v1", asLive),
    ] as [(String, String, [String: String])])
  func refused(_ query: String, _ detail: String, _ fields: [String: String]) throws {
    let test = try makeAPI()
    let answer = test.send("GET", "/events\(query)", "", fields)
    #expect(answer.status == 400)
    #expect(answer.body.contains(detail))
    #expect(test.api.openFeeds == 0)
  }

  @Test("a page at the end is empty")
  func pageAtTheEnd() throws {
    let answer = try makeAPI().send("GET", "/events?after=4")
    #expect(answer.status == 200)
    #expect(answer.body == #"{"events":[]}"#)
    #expect(answer["Sessiond-Position"] == "4")
  }

  @Test("a page of exactly what is left has no next one")
  func fullPage() throws {
    let test = try makeAPI()
    #expect(!test.send("GET", "/events?limit=4").body.contains("next"))
    #expect(
      test.send("GET", "/events?limit=3").body.contains(#""next":"/session-context/acme/events?after=3&limit=3""#))
    #expect(!test.send("GET", "/events?limit=1&after=3").body.contains("next"))
  }

  @Test("the next page has the filters of this one")
  func filteredLink() throws {
    let test = try TestAPI()
    #expect(test.send("PUT", "/context/s1?upsert=true", #"{"customerId":"c&1"}"#).status == 204)
    for number in 1...2 {
      #expect(test.send("POST", "/context/s1/attributes", #"{"key":"a","value":\#(number)}"#).status == 204)
    }
    let answer = test.send(
      "GET", "/events?limit=1&type=session.attribute-set.v1&sessionId=s1&customerId=c%261"
    ).body
    let next = try #require(answer.firstMatch(of: /"next":"([^"]+)"/)).1
    for part in ["limit=1", "type=session.attribute-set.v1", "sessionId=s1", "customerId=c%261", "after=2"] {
      #expect(next.split { "?&".contains($0) }.contains { $0 == part }, "\(next)")
    }
  }

  @Test("a client that takes none of the forms learns them")
  func notAcceptable() throws {
    let answer = try makeAPI().send("GET", "/events", "", ["Accept": "text/html"])
    #expect(answer.status == 406)
    #expect(answer.body.contains("application/json, application/x-ndjson, text/event-stream"))
  }

  @Test("one feed too many is refused for a while")
  func limit() throws {
    let test = try TestAPI { $0.maximumFeeds = 2 }
    #expect(test.api.feeds.open())
    #expect(test.api.feeds.open())
    #expect(test.api.openFeeds == 2)
    for fields in [Self.asLines, Self.asLive] {
      let answer = test.send("GET", "/events", "", fields)
      #expect(answer.status == 503)
      #expect(answer["Retry-After"] == "5")
    }
    #expect(test.send("GET", "/events").status == 200)
    test.api.feeds.close()
    #expect(test.send("GET", "/events", "", Self.asLines).status == 200)
    test.api.feeds.close()
    #expect(test.api.openFeeds == 0)
  }
}
