import HTTPServer
import Platform
import Synchronization
import Testing

@Suite struct LimitTests {
  static func hasty(_ configuration: inout HTTPServerConfiguration) {
    configuration.headerTimeoutSeconds = 0.5
    configuration.bodyTimeoutSeconds = 0.5
    configuration.idleTimeoutSeconds = 1.5
    configuration.sendTimeoutSeconds = 0.5
    configuration.workerThreads = 1
  }

  /// Sends one byte at a time until the server ends the connection; the seconds that took.
  static func drip(_ client: Client, _ bytes: some Sequence<UInt8>, limit: Double = 8) -> Double {
    let start = now()
    for byte in bytes {
      client.send([byte])
      client.read(seconds: 0.05)
      if client.isClosed || now() - start > limit { break }
    }
    return now() - start
  }

  static let endless = repeatElement(UInt8(ascii: "x"), count: 1000)

  @Test("a body beyond the limit is refused before it is sent, and the answer arrives")
  func declaredTooLarge() throws {
    let server = try TestServer { $0.maximumBodyBytes = 1000 }
    let client = try server.client()
    client.send("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
    let early = try #require(client.response())
    #expect(early.status == 413)
    #expect(early.body.contains("1000"))
    #expect(client.ends())
    let eager = try server.client()
    eager.send(
      Array("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n".utf8)
        + [UInt8](repeating: 0x78, count: 300_000))
    #expect(eager.response()?.status == 413)
    let fitting = try server.client()
    fitting.send("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + String(repeating: "x", count: 1000))
    #expect(fitting.response()?.status == 200)
  }

  @Test("a chunked body is refused as soon as it grows beyond the limit")
  func chunkedTooLarge() throws {
    let server = try TestServer { $0.maximumBodyBytes = 1000 }
    let client = try server.client()
    client.send(
      "PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + String(repeating: "x", count: 1000)
        + "\r\n")
    client.read(seconds: 0.1)
    #expect(client.received.isEmpty)
    client.send("1\r\nx")
    let response = try #require(client.response())
    #expect(response.status == 413)
    #expect(response["Connection"] == "close")
    #expect(response["Date"]?.hasSuffix(" GMT") == true)
    #expect(client.ends())
    #expect(server.handler.handled.load(ordering: .relaxed) == 0)
    #expect(server.lines.all.withLock { $0 } == [])
    #expect(eventually { server.server.statistics.requestsInFlight == 0 })
  }

  @Test("a header in single bytes is cut off at its deadline")
  func slowHeader() throws {
    let server = try TestServer(configure: Self.hasty)
    let client = try server.client()
    client.send("GET /echo HTTP/1.1\r\nX: ")
    let seconds = Self.drip(client, Self.endless)
    #expect(client.isClosed)
    #expect(seconds > 0.3 && seconds < 4, "\(seconds)")
    #expect(eventually { server.server.statistics.expiredConnections == 1 })
  }

  @Test("a connection without a byte is cut off at the header's deadline")
  func silent() throws {
    let server = try TestServer(configure: Self.hasty)
    let client = try server.client()
    #expect(client.ends(seconds: 4))
  }

  @Test("a later request's header in single bytes is cut off at its deadline, counted from its first byte")
  func slowLaterHeader() throws {
    let server = try TestServer {
      Self.hasty(&$0)
      $0.idleTimeoutSeconds = 60
    }
    let client = try server.client()
    client.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.response()?.status == 200)
    // Idle for longer than a header may take.
    client.read(seconds: 1.5)
    #expect(!client.isClosed)
    let seconds = Self.drip(client, Self.endless)
    #expect(client.isClosed)
    #expect(seconds > 0.2 && seconds < 4, "\(seconds)")
  }

  @Test("on a UNIX socket the idle timeout bounds a later request's header")
  func slowLaterHeaderOnUNIXSocket() throws {
    let server = try TestServer([.unix(path: temporaryPath())], configure: Self.hasty)
    let client = try server.client()
    client.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.response()?.status == 200)
    let seconds = Self.drip(client, Self.endless)
    #expect(client.isClosed)
    #expect(seconds > 1 && seconds < 6, "\(seconds)")
  }

  @Test("a body in single bytes is cut off at its deadline")
  func slowBody() throws {
    let server = try TestServer(configure: Self.hasty)
    let client = try server.client()
    client.send("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
    let seconds = Self.drip(client, Self.endless)
    #expect(client.isClosed)
    #expect(seconds > 0.3 && seconds < 4, "\(seconds)")
    #expect(server.handler.handled.load(ordering: .relaxed) == 0)
  }

  @Test("a client that does not read its answer is cut off at the deadline")
  func slowReader() throws {
    let server = try TestServer(configure: Self.hasty)
    let client = try server.client()
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(eventually { server.server.statistics.expiredConnections == 1 })
    #expect(eventually { server.server.statistics.openConnections == 0 })
    withExtendedLifetime(client) {}
  }

  @Test("an idle connection is closed at its deadline, one in use is not")
  func idle() throws {
    let server = try TestServer(configure: Self.hasty)
    let idle = try server.client()
    let busy = try server.client()
    idle.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(idle.response()?.status == 200)
    let end = now() + 4
    while now() < end {
      busy.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(busy.response()?.status == 200)
      sleep(seconds: 0.3)
    }
    #expect(idle.ends(seconds: 0.1))
  }

  @Test("a suspended request has no deadline")
  func suspended() throws {
    let server = try TestServer(configure: Self.hasty)
    let client = try server.client()
    client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
    client.read(seconds: 3)
    #expect(!client.isClosed)
    server.handler.held.withLock { $0 }.first?.respond(.json(200, TestHandler.content))
    #expect(client.response()?.status == 200)
  }

  @Test("connections beyond the limit get 503 and Retry-After; a free place is used again")
  func connectionLimit() throws {
    let server = try TestServer { $0.maximumConnections = 5 }
    var clients = try (0..<5).map { _ in try server.client() }
    #expect(eventually { server.server.statistics.openConnections == 5 })
    let refused = try server.client()
    let response = try #require(refused.response())
    #expect(response.status == 503)
    #expect(response["Retry-After"] == "1")
    #expect(refused.ends())
    clients.removeLast()
    #expect(eventually { server.server.statistics.openConnections == 4 })
    let accepted = try server.client()
    accepted.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(accepted.response()?.status == 200)
    #expect(server.server.statistics.refusedConnections == 1)
  }

  @Test("one address has its own limit, a UNIX socket none")
  func addressLimit() throws {
    let server = try TestServer([.tcp(host: "127.0.0.1", port: 0), .unix(path: temporaryPath())]) {
      $0.maximumConnectionsPerAddress = 3
    }
    let clients = try (0..<3).map { _ in try server.client() }
    #expect(eventually { server.server.statistics.openConnections == 3 })
    #expect(try server.client().response()?.status == 503)
    let local = try (0..<10).map { _ in try server.client(1) }
    for client in local {
      client.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(client.response()?.status == 200)
    }
    withExtendedLifetime(clients) {}
  }

  @Test("settings that can't work are refused by name")
  func badSettings() {
    #expect(throws: HTTPServerError.invalidConfiguration("workerThreads is 0; it must be from 1 to 256")) {
      try TestServer { $0.workerThreads = 0 }
    }
    #expect(throws: HTTPServerError.self) { try TestServer { $0.idleTimeoutSeconds = .nan } }
  }
}
