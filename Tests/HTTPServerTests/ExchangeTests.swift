import HTTPServer
import Platform
import Testing

@Suite struct ExchangeTests {
  @Test("a connection carries many requests, each with its own method, target and body")
  func keepAlive() throws {
    let server = try TestServer()
    let client = try server.client()
    for round in 0..<50 {
      let body = String(repeating: "b", count: round * 37)
      client.send("PUT /echo?\(round) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
      #expect(client.response()?.body == "PUT /echo?\(round) - \(body)")
      client.send("DELETE /echo HTTP/1.1\r\nHost: a\r\nX-Test: \(round)\r\n\r\n")
      #expect(client.response()?.body == "DELETE /echo \(round) ")
    }
    #expect(server.server.statistics.acceptedConnections == 1)
  }

  @Test("pipelined requests are answered in order, and none gets bytes of another")
  func pipelining() throws {
    let server = try TestServer()
    let client = try server.client()
    var bytes = ""
    for round in 0..<40 {
      bytes += "PUT /echo?\(round) HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /"
      bytes += "PUT /suspend HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\r\n\r\n0\r\n\r\n"
      bytes += "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"
    }
    client.send(bytes)
    for round in 0..<40 {
      #expect(client.response()?.body == "PUT /echo?\(round) - GET /")
      #expect(client.response()?.body == "\r\n")
      #expect(client.response()?.body == "GET /echo - ")
    }
    #expect(client.received.isEmpty)
  }

  @Test("a request in single bytes is understood")
  func singleBytes() throws {
    let server = try TestServer()
    let client = try server.client()
    for byte
      in "PUT /echo?q HTTP/1.1\r\nHost: a\r\nX-Test: t\r\nContent-Length: 3\r\n\r\nabcGET /echo HTTP/1.1\r\nHost: a\r\n\r\n"
      .utf8
    {
      client.send([byte])
      sleep(seconds: 0.0005)
    }
    #expect(client.response()?.body == "PUT /echo?q t abc")
    #expect(client.response()?.body == "GET /echo - ")
  }

  @Test("Expect: 100-continue is answered before the body is sent, and 413 in its place")
  func expect() throws {
    let server = try TestServer()
    let client = try server.client()
    client.send("PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    #expect(client.response()?.status == 100)
    client.send("abc")
    #expect(client.response()?.body == "PUT /echo - abc")
    client.send("PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 300000\r\n\r\n")
    #expect(client.response()?.status == 413)
    #expect(client.ends())
  }

  @Test("suspended requests are answered from other threads, 64 at a time")
  func suspension() throws {
    let server = try TestServer()
    let clients = try (0..<64).map { _ in try server.client() }
    for round in 0..<20 {
      for (index, client) in clients.enumerated() {
        let body = "\(round) \(index)"
        client.send("PUT /suspend HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
      }
      for (index, client) in clients.enumerated() { #expect(client.response()?.body == "\(round) \(index)") }
    }
    // The last answer may arrive before the thread that gave it has counted.
    #expect(eventually { server.server.statistics.suspendedRequests == 0 })
  }

  @Test("64 requests wait while others are served, and one thread answers them all")
  func heldTogether() throws {
    let server = try TestServer { $0.workerThreads = 1 }
    let clients = try (0..<64).map { _ in try server.client() }
    for client in clients { client.send("PUT /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx") }
    #expect(eventually { server.server.statistics.suspendedRequests == 64 })
    let other = try server.client()
    other.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(other.response()?.body == "GET /echo - ")
    let held = server.handler.held.withLock { held in
      defer { held = [] }
      return held
    }
    onThread { for exchange in held { exchange.respond(.json(200, exchange.body)) } }
    for client in clients { #expect(client.response()?.body == "x") }
  }

  @Test("a handler may suspend and answer before it returns")
  func suspendedAndAnswered() throws {
    let server = try TestServer()
    let client = try server.client()
    for _ in 0..<50 {
      client.send("GET /suspend-here HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(client.response()?.status == 204)
    }
  }

  @Test("a client that goes while its request is suspended disturbs nothing")
  func clientGone() throws {
    let server = try TestServer()
    for _ in 0..<20 {
      let client = try server.client()
      client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(eventually { server.handler.held.withLock { $0.count } == 1 })
      withExtendedLifetime(client) {}
      server.handler.held.withLock { held in
        for exchange in held { exchange.respond(.json(200, TestHandler.content)) }
        held = []
      }
    }
    #expect(eventually { server.server.statistics.openConnections == 0 })
  }

  @Test("HEAD has the fields of GET and no body")
  func head() throws {
    let server = try TestServer()
    let client = try server.client()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    let get = try #require(client.response())
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
    let head = try #require(client.response(toHead: true))
    #expect(head.status == 200)
    #expect(head.fields.map(\.name) == get.fields.map(\.name))
    #expect(head["Content-Length"] == "\(TestHandler.content.count)")
    #expect(head["ETag"] == "\"1\"")
    #expect(client.response()?.body == "GET /echo - ")
  }

  @Test("204 and 304 have no body; a 304 tells the length that a 200 would have")
  func withoutBody() throws {
    let server = try TestServer()
    let client = try server.client()
    client.send("PUT /204 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
    let noContent = try #require(client.response())
    #expect(noContent.status == 204)
    #expect(noContent["Content-Length"] == nil)
    #expect(noContent["ETag"] == "\"2\"")
    client.send("GET /304 HTTP/1.1\r\nHost: a\r\n\r\n")
    let notModified = try #require(client.response())
    #expect(notModified.status == 304)
    #expect(notModified["Transfer-Encoding"] == nil)
    #expect(notModified["ETag"] == "\"2\"")
    client.send("GET /304-with-length HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.response()?["Content-Length"] == "\(TestHandler.content.count)")
    client.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.response()?.body == "GET /echo - ")
    #expect(client.received.isEmpty)
  }

  @Test("answers carry Date and no Server")
  func fields() throws {
    let server = try TestServer()
    let client = try server.client()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    let response = try #require(client.response())
    #expect(response["Date"]?.hasSuffix(" GMT") == true)
    #expect(response["Server"] == nil)
    #expect(response["Connection"] == nil)
  }

  @Test("the connection ends after an answer that says so, and after Connection: close")
  func closing() throws {
    let server = try TestServer()
    for request in [
      "GET /close HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      "GET / HTTP/1.0\r\n\r\n",
    ] {
      let client = try server.client()
      client.send(request)
      #expect(client.response()?["Connection"] == "close")
      #expect(client.ends())
    }
  }

  @Test("a handler that forgets to answer costs a 500 and is logged")
  func forgotten() throws {
    let server = try TestServer()
    let client = try server.client()
    client.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.response()?.status == 500)
    #expect(server.lines.all.withLock { $0.contains { $0.contains("neither answered nor suspended") } })
  }

  @Test("an answer cannot smuggle a field")
  func badField() throws {
    let server = try TestServer()
    let client = try server.client()
    client.send("GET /bad-field HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.response()?.status == 500)
    #expect(client.ends())
  }

  @Test("an exchange in process behaves like one of a connection")
  func inProcess() throws {
    let responses = Monitor<[HTTPResponse]>([])
    let handler = TestHandler()
    for target in ["/echo?a=%2F", "/suspend-here", "/echo?a=%2F"] {
      let exchange = HTTPExchange(method: .put, target: target, headers: [("x-test", " v ")], body: Array("abc".utf8)) {
        response in
        responses.withLock { $0.append(response) }
      }
      handler.handle(exchange)
    }
    let all = responses.withLock { $0 }
    #expect(all.map(\.status) == [200, 204, 200])
    #expect(all.first.map { String(decoding: $0.body, as: UTF8.self) } == "PUT /echo?a=%2F v abc")
  }

  @Test("an error answer escapes its message")
  func errorAnswer() {
    let response = HTTPResponse.error(400, "a \"b\" \\ \n \u{e4}")
    #expect(String(decoding: response.body, as: UTF8.self) == #"{"code":400,"message":"a \"b\" \\ \u000a ä"}"#)
  }

  @Test("field names are compared without regard to case")
  func fieldNames() {
    let name: HTTPFieldName = "CONTENT-type"
    #expect(name == .contentType)
    #expect(Set([name, .contentType, .contentLength]).count == 2)
  }
}
