import HTTPServer
import Synchronization
import Testing

/// The library keeps a request's fields, cookies and trailers in the connection's memory, where the answer's header has
/// to fit, too.
@Suite struct MemoryTests {
  struct Crowded: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// The header lines for each size, and what follows the header.
    var sizes: [Int]
    var fields: @Sendable (Int) -> String
    var body: @Sendable (Int) -> String = { _ in "" }
  }

  /// A header just below its limit, of that many fields.
  static func fill(_ count: Int) -> String {
    let width = max(12200 / count - 9, 0)
    return (0..<count).map { "X\($0 + 1000): \(String(repeating: "v", count: width))\r\n" }.joined()
  }

  static let chunked = "Transfer-Encoding: chunked\r\n"

  static let crowded: [Crowded] = [
    Crowded(testDescription: "fields", sizes: Array(1...200), fields: fill),
    Crowded(
      testDescription: "one cookie", sizes: Array(stride(from: 3000, to: 12200, by: 37)),
      fields: { "Cookie: a=\(String(repeating: "v", count: $0))\r\n" }),
    Crowded(
      testDescription: "cookies", sizes: Array(1...300),
      fields: { "Cookie: \((0..<$0).map { "c\($0)=abc" }.joined(separator: "; "))\r\n" }),
    Crowded(
      testDescription: "cookies behind long fields", sizes: Array(1...150),
      fields: { fill(20) + "Cookie: \((0..<$0).map { "c\($0)=a" }.joined(separator: ";"))\r\n" }),
    Crowded(
      testDescription: "trailers", sizes: Array(1...200), fields: { _ in chunked },
      body: { "1\r\nx\r\n0\r\n" + String(repeating: "X-T: a\r\n", count: $0) + "\r\n" }),
    Crowded(
      testDescription: "long trailers behind many fields", sizes: Array(stride(from: 1, to: 9000, by: 61)),
      fields: { _ in fill(80) + chunked },
      body: { "1\r\nx\r\n0\r\nX-T: \(String(repeating: "v", count: $0))\r\n\r\n" }),
  ]

  @Test("what the handler gets is answered", arguments: crowded, [false, true])
  func answersWhatIsHandled(_ request: Crowded, isPipelined: Bool) throws {
    let server = try TestServer()
    let next = String(repeating: "GET /204 HTTP/1.1\r\nHost: a\r\n\r\n", count: isPipelined ? 500 : 0)
    for size in request.sizes {
      let before = server.handler.longHeads.load(ordering: .relaxed)
      let client = try server.client()
      client.send(
        "PUT /long-head HTTP/1.1\r\nHost: a\r\n\(request.fields(size))\r\n\(request.body(size))\(next)")
      let response = client.response()
      guard server.handler.longHeads.load(ordering: .relaxed) > before else {
        #expect(response.map { $0.status == 431 } ?? client.isClosed, "\(size): \(response?.status ?? 0)")
        continue
      }
      #expect(response?.status == 200, "\(size) led to no answer")
    }
  }

  @Test("a browser's request passes: two long tokens, 60 cookies and its other fields")
  func browser() throws {
    let server = try TestServer()
    let client = try server.client()
    let cookies = (0..<60).map { "cookie\($0)=\(String(repeating: "v", count: 38))" }.joined(separator: "; ")
    let token = String(repeating: "t", count: 2500)
    client.send(
      "GET /long-head HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\nsaas-token: \(token)\r\n"
        + "Cookie: \(cookies)\r\n" + (0..<14).map { "X-\($0): some value\r\n" }.joined() + "\r\n")
    #expect(client.response()?.status == 200)
  }

  @Test("the answer to too many fields or cookies says what there is too much of")
  func says() throws {
    let server = try TestServer()
    for fields in [Self.fill(180), "Cookie: \(String(repeating: "v", count: 11500))\r\n"] {
      let client = try server.client()
      client.send("GET /echo HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
      let response = try #require(client.response())
      #expect(response.status == 431)
      #expect(response.body.contains("fields and cookies"))
      #expect(client.ends())
    }
    #expect(server.server.statistics.refusedRequests == 2)
  }
}
