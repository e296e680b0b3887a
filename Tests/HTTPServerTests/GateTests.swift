import HTTPServer
import Synchronization
import Testing

/// Each request as raw bytes; refused before it reaches the handler.
@Suite struct GateTests {
  struct Refused: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var bytes: [UInt8]
    var status = 400
    /// What the message must name; nil where the library itself refuses, in its own words.
    var names: String?

    init(_ description: String, _ text: String, status: Int = 400, names: String?) {
      testDescription = description
      bytes = text.unicodeScalars.map { UInt8($0.value) }
      self.status = status
      self.names = names
    }
  }

  static let get = "GET /echo HTTP/1.1\r\nHost: a\r\n"
  static let put = "PUT /echo HTTP/1.1\r\nHost: a\r\n"

  static let refused: [Refused] = [
    // Framing.
    Refused(
      "a duplicate Content-Length", put + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", names: "Content-Length"),
    Refused(
      "a differing Content-Length", put + "Content-Length: 3\r\ncontent-length: 4\r\n\r\nabc", names: "Content-Length"),
    Refused(
      "a duplicate Transfer-Encoding",
      put + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", names: "Transfer-Encoding"),
    Refused(
      "Content-Length and Transfer-Encoding", put + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      names: "Transfer-Encoding"),
    Refused(
      "Transfer-Encoding and Content-Length", put + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
      names: "Transfer-Encoding"),
    Refused("Transfer-Encoding other than chunked", put + "Transfer-Encoding: gzip\r\n\r\n", names: "chunked"),
    Refused(
      "Transfer-Encoding with chunked last", put + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", names: "chunked"
    ),
    Refused(
      "Transfer-Encoding chunked twice in one field", put + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
      names: "chunked"),
    Refused(
      "Transfer-Encoding with a blank after it", put + "Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n", names: "chunked"),
    Refused(
      "Transfer-Encoding with a parameter", put + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", names: "chunked"),
    Refused("Transfer-Encoding identity", put + "Transfer-Encoding: identity\r\n\r\n", names: "chunked"),
    Refused("an empty Transfer-Encoding", put + "Transfer-Encoding:\r\n\r\n", names: "chunked"),
    Refused(
      "Transfer-Encoding in HTTP/1.0", "PUT /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      names: "HTTP/1.0"),
    Refused("a list of Content-Lengths", put + "Content-Length: 5, 5\r\n\r\nabcde", names: nil),
    Refused("a Content-Length with a sign", put + "Content-Length: +5\r\n\r\nabcde", names: nil),
    Refused("a negative Content-Length", put + "Content-Length: -5\r\n\r\nabcde", names: nil),
    Refused("an empty Content-Length", put + "Content-Length:\r\n\r\nabcde", names: nil),
    Refused("a hexadecimal Content-Length", put + "Content-Length: 0x5\r\n\r\nabcde", names: nil),
    Refused("a Content-Length with a blank after it", put + "Content-Length: 5 \r\n\r\nabcde", names: nil),
    Refused(
      "a Content-Length beyond 63 bits", put + "Content-Length: 9223372036854775808\r\n\r\nabcde",
      names: "Content-Length"),
    Refused(
      "a Content-Length beyond 64 bits", put + "Content-Length: 18446744073709551621\r\n\r\nabcde", status: 413,
      names: nil),
    Refused("a chunk size that is none", put + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", names: nil),
    // Fields that may stand only once, or must stand.
    Refused("HTTP/1.1 without Host", "GET /echo HTTP/1.1\r\n\r\n", names: "Host"),
    Refused("a duplicate Host", get + "Host: b\r\n\r\n", names: "Host"),
    Refused(
      "a duplicate Authorization", get + "Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n",
      names: "Authorization"),
    Refused("a duplicate Content-Type", get + "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n", names: "Content-Type"),
    // Names and values.
    Refused("a blank before the colon", put + "Content-Length : 5\r\n\r\nabcde", names: "name"),
    Refused("a tab before the colon", put + "Content-Length\t: 5\r\n\r\nabcde", names: "name"),
    Refused("a name that is no token", get + "X(y): z\r\n\r\n", names: "name"),
    Refused("a name beyond ASCII", get + "X\u{e4}: z\r\n\r\n", names: "name"),
    Refused("an empty name", get + ": z\r\n\r\n", names: "name"),
    Refused("a line without a colon", get + "abc\r\n\r\n", names: nil),
    Refused("NUL in a value", get + "X-Test: a\0b\r\n\r\n", names: "control"),
    Refused("two NULs that look like a line end", get + "X-Test: a\0\0Y: b\r\n\r\n", names: "control"),
    Refused("NUL at a value's end", get + "X-Test: a\0\r\n\r\n", names: "control"),
    Refused("NUL in a name", get + "X\0Test: a\r\n\r\n", names: nil),
    Refused("a line that begins with NUL", get + "\0X: a\r\n\r\n", names: "control"),
    Refused("a control character in a value", get + "X-Test: a\u{1}b\r\n\r\n", names: "control"),
    Refused("DEL in a value", get + "X-Test: a\u{7f}b\r\n\r\n", names: "control"),
    Refused("a bare CR in a value", get + "X-Test: a\rY: b\r\n\r\n", names: "control"),
    Refused("CR CR LF", get + "X-Test: a\r\r\n\r\n", names: "control"),
    Refused("a bare CR in a name", get + "X-Test\r: a\r\n\r\n", names: "name"),
    // Lines.
    Refused("a folded line", get + "X-Test: a\r\n b\r\n\r\n", names: "folding"),
    Refused("a line folded with a tab", get + "X-Test: a\r\n\tb\r\nY: c\r\n\r\n", names: "folding"),
    Refused("a line folded into nothing", get + "X-Test: a\r\n \r\n\r\n", names: "folding"),
    Refused("a folded first line", "GET /echo HTTP/1.1\r\n Host: a\r\n\r\n", names: "name"),
    Refused("a bare LF after a field", get + "X-Test: a\nY: b\r\n\r\n", names: "CRLF"),
    Refused("a bare LF after the request line", "GET /echo HTTP/1.1\nHost: a\r\n\r\n", names: "CRLF"),
    Refused("a bare LF as the empty line", get + "\n", names: "CRLF"),
    Refused("a bare LF before the empty line", "GET /echo HTTP/1.1\r\nHost: a\n\r\n", names: "CRLF"),
    Refused("LF only", "GET /echo HTTP/1.1\nHost: a\n\n", names: "CRLF"),
    // The request line.
    Refused("two blanks before the target", "GET  /echo HTTP/1.1\r\nHost: a\r\n\r\n", names: "request line"),
    Refused("two blanks before the version", "GET /echo  HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    Refused("a blank after the version", "GET /echo HTTP/1.1 \r\nHost: a\r\n\r\n", names: nil),
    Refused("a blank in the target", "GET /echo /x HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    Refused("NUL in the target", "GET /echo\0x HTTP/1.1\r\nHost: a\r\n\r\n", names: "request line"),
    Refused("NUL in the query", "GET /echo?a\0b HTTP/1.1\r\nHost: a\r\n\r\n", names: "request line"),
    Refused("NUL in the method", "G\0ET /echo HTTP/1.1\r\nHost: a\r\n\r\n", names: "request line"),
    Refused("a control character in the target", "GET /echo\u{1} HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    Refused("a tab in the target", "GET /echo\tx HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    Refused("a bare CR in the target", "GET /echo\rx HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    Refused("a byte beyond ASCII in the target", "GET /\u{e4} HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    Refused("a target of another scheme", "GET ftp://a/echo HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    Refused("an absolute target without a host", "GET http:///echo HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    Refused("an absolute target with userinfo", "GET http://a@b/echo HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    Refused("an absolute target without slashes", "GET http:/echo HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    Refused("a scheme alone", "GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    Refused("an absolute target without Host", "GET http://a/echo HTTP/1.1\r\n\r\n", names: "Host"),
    Refused("a target in authority form", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    Refused("the target *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    Refused("a method that is no token", "G(T /echo HTTP/1.1\r\nHost: a\r\n\r\n", names: "method"),
    Refused("no version", "GET /echo\r\nHost: a\r\n\r\n", names: nil),
    Refused("a version in lower case", "GET /echo http/1.1\r\nHost: a\r\n\r\n", names: nil),
    Refused("HTTP/1.2", "GET /echo HTTP/1.2\r\nHost: a\r\n\r\n", status: 505, names: "version"),
    Refused("HTTP/2.0", "GET /echo HTTP/2.0\r\nHost: a\r\n\r\n", status: 505, names: nil),
    Refused("HTTP/0.8", "GET /echo HTTP/0.8\r\nHost: a\r\n\r\n", status: 505, names: nil),
    Refused("a fragment in the target", "GET /echo#a HTTP/1.1\r\nHost: a\r\n\r\n", names: "#"),
    Refused("a fragment behind a host", "GET http://a#/echo HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    Refused("a backslash in a host", "GET http://a\\b/echo HTTP/1.1\r\nHost: a\r\n\r\n", names: "target"),
    // Host.
    Refused("a Host with a path", "GET /echo HTTP/1.1\r\nHost: a/b\r\n\r\n", names: "Host"),
    Refused("a Host with a user", "GET /echo HTTP/1.1\r\nHost: a@b\r\n\r\n", names: "Host"),
    Refused("a Host with a blank", "GET /echo HTTP/1.1\r\nHost: a b\r\n\r\n", names: "Host"),
    Refused("two names in a Host", "GET /echo HTTP/1.1\r\nHost: a\tb\r\n\r\n", names: "Host"),
    Refused("a Host beyond ASCII", "GET /echo HTTP/1.1\r\nHost: \u{e4}\r\n\r\n", names: "Host"),
    // Sizes.
    Refused(
      "a header beyond the limit", get + "X-Test: " + String(repeating: "x", count: 13000) + "\r\n\r\n", status: 431,
      names: "12288"),
    Refused(
      "a header beyond the memory", get + "X-Test: " + String(repeating: "x", count: 60000) + "\r\n\r\n", status: 431,
      names: nil),
    Refused(
      "a target beyond the memory", "GET /" + String(repeating: "x", count: 60000) + " HTTP/1.1\r\nHost: a\r\n\r\n",
      status: 414, names: nil),
    Refused("too many fields", get + String(repeating: "A: b\r\n", count: 2000) + "\r\n", status: 431, names: nil),
  ]

  @Test("is refused with its reason, and the connection ends", arguments: refused)
  func refuses(_ request: Refused) throws {
    let server = try TestServer()
    let client = try server.client()
    // A second request right behind must never be answered: the two may not agree on where the first one ends.
    client.send(request.bytes + Array((Self.get + "\r\n").utf8))
    client.read()
    #expect(client.isClosed)
    let text = String(decoding: client.received, as: UTF8.self)
    #expect(text.hasPrefix("HTTP/1.1 \(request.status) "), "\(text)")
    #expect(text.contains("\r\nConnection: close\r\n"))
    if let names = request.names {
      let response = try #require(Response(client.received, toHead: false))
      #expect(response["Content-Type"] == "application/json")
      #expect(response.body.hasPrefix(#"{"code":\#(request.status),"message":""#))
      #expect(response.body.contains(names), "\(response.body)")
      #expect(response.length == client.received.count)
    }
    #expect(server.handler.handled.load(ordering: .relaxed) == 0)
    #expect(server.server.statistics.refusedRequests == 1)
  }

  @Test("a connection that was refused leaves the next ones untouched")
  func refusedAmongOthers() throws {
    let server = try TestServer { $0.workerThreads = 1 }
    let good = try server.client()
    for request in Self.refused {
      let bad = try server.client()
      bad.send(request.bytes)
      good.send("PUT /echo?\(request.status) HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
      #expect(good.response()?.body == "PUT /echo?\(request.status) - abc")
      bad.read()
    }
  }

  @Test(
    "what is allowed passes",
    arguments: [
      ("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", "GET /echo - "),
      ("GET /echo HTTP/1.0\r\n\r\n", "GET /echo - "),
      ("\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n", "GET /echo - "),
      ("GET /echo?a=%2F&b=%00+c HTTP/1.1\r\nHost: a\r\n\r\n", "GET /echo?a=%2F&b=%00+c - "),
      ("GET /echo HTTP/1.1\r\nHost:a\r\nX-Test:\r\n\r\n", "GET /echo  "),
      ("GET /echo HTTP/1.1\r\nHost: a\r\nx-tEST: \t b \t\r\n\r\n", "GET /echo b "),
      ("GET /echo HTTP/1.1\r\nHost: a\r\nX-Test: \u{e4}\r\n\r\n", "GET /echo \u{e4} "),
      ("GET /echo HTTP/1.1\r\nHost: a\r\nX-Test: a\r\nX-Test: b\r\n\r\n", "GET /echo a "),
      ("GET /echo HTTP/1.1\r\nHost: [::1]:8080 \r\n\r\n", "GET /echo - "),
      ("GET /echo HTTP/1.1\r\nHost:\r\n\r\n", "GET /echo - "),
      ("GET /echo HTTP/1.1\r\nHost: a_b.%20~!$&'()*+,;=\r\n\r\n", "GET /echo - "),
      ("get /echo HTTP/1.1\r\nHost: a\r\n\r\n", "get /echo - "),
      ("PROPFIND /echo HTTP/1.1\r\nHost: a\r\n\r\n", "PROPFIND /echo - "),
      ("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc", "PUT /echo - abc"),
      (
        "PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n",
        "PUT /echo - abcde"
      ),
    ])
  func passes(request: String, summary: String) throws {
    let server = try TestServer()
    let client = try server.client()
    client.send(request)
    let response = try #require(client.response())
    #expect(response.status == 200)
    #expect(response.body == summary)
  }

  @Test(
    "a target in absolute form is the path in it",
    arguments: [
      ("http://a/echo", "/echo"), ("http://a/echo?b=/c", "/echo?b=/c"), ("HTTP://other:80/echo", "/echo"),
      ("https://[::1]:8443/echo", "/echo"), ("http://a?b", "/?b"), ("http://a/?b", "/?b"),
      ("http://a/echo?b@c", "/echo?b@c"),
    ])
  func absoluteForm(sent: String, target: String) throws {
    let server = try TestServer()
    let client = try server.client()
    client.send("GET \(sent) HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.response()?.body == "GET \(target) - ")
    client.send(Self.get + "\r\n")
    #expect(client.response()?.body == "GET /echo - ")
  }

  @Test("a query of thousands of arguments is no burden and arrives whole")
  func manyArguments() throws {
    let server = try TestServer()
    let client = try server.client()
    let query = String(repeating: "a&", count: 6000)
    client.send("GET /echo?\(query) HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.response()?.body == "GET /echo?\(query) - ")
  }
}
