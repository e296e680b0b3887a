import Testing

@testable import SessionAPI

@Suite("What form of feed a client accepts") struct FeedFormatTests {
  @Test(
    "the best liked form is chosen, the plainest of those liked alike",
    arguments: [
      (nil, .page), ("*/*", .page), ("application/json", .page), ("application/*", .page), ("", nil),
      ("application/x-ndjson", .lines), ("text/event-stream", .live), ("text/*", .live), ("TEXT/Event-Stream", .live),
      ("text/event-stream, */*", .page), ("text/event-stream, */*;q=0.1", .live),
      ("application/json;q=0.5, application/x-ndjson", .lines), ("application/json ; q=0.2 , text/*; q=0.3", .live),
      ("application/json;charset=utf-8", .page), ("application/json;q=0, */*", .lines), ("*/*;q=0", nil),
      ("text/html", nil), ("text/html, application/*;q=0.1", .page), ("text/event-stream;q=x", nil), (",,", nil),
      ("application/x-ndjson;q=0.5, text/*;q=0.5", .lines), ("text/event-stream;q=0, text/*", nil),
    ] as [(String?, FeedFormat?)])
  func choice(_ accepted: String?, _ expected: FeedFormat?) {
    #expect(FeedFormat(accepted: accepted) == expected)
  }
}
