import HTTPServer
import Platform
import Synchronization
import Testing

@Suite struct DrainTests {
  @Test("an idle server stops at once, and closes its idle connections")
  func idle() throws {
    let server = try TestServer()
    let fresh = try server.client()
    let used = try server.client()
    used.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(used.response()?.status == 200)
    let start = now()
    #expect(server.stop() == HTTPServer.DrainReport())
    #expect(now() - start < 3)
    #expect(fresh.ends())
    #expect(used.ends())
    #expect(server.server.statistics.openConnections == 0)
    #expect(throws: Client.Failure.self) { try server.client() }
  }

  @Test("suspended requests are still answered, with Connection: close")
  func suspended() throws {
    let server = try TestServer()
    let clients = try (0..<20).map { _ in try server.client() }
    for client in clients { client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n") }
    #expect(eventually { server.server.statistics.suspendedRequests == 20 })
    let handler = server.handler
    onThread {
      sleep(seconds: 0.3)
      for exchange in handler.held.withLock({ $0 }) { exchange.respond(.json(200, TestHandler.content)) }
    }
    #expect(server.stop() == HTTPServer.DrainReport())
    for client in clients {
      let response = try #require(client.response())
      #expect(response.status == 200)
      #expect(response["Connection"] == "close")
      #expect(client.ends())
    }
  }

  @Test("a suspended request goes on with its worker, suspends once more and is answered")
  func resumed() throws {
    let server = try TestServer()
    let clients = try (0..<20).map { _ in try server.client() }
    for client in clients { client.send("PUT /hold?x HTTP/1.1\r\nHost: a\r\nX-A: b\r\nContent-Length: 1\r\n\r\nx") }
    #expect(eventually { server.server.statistics.suspendedRequests == 20 })
    let again = Monitor(0)
    for exchange in server.handler.held.withLock({ $0 }) {
      exchange.resume {
        // What came with the request is there as it was for the handler.
        #expect(exchange.header("X-A") == "b" && exchange.body == [UInt8(ascii: "x")])
        #expect(exchange.suspend())
        onThread {
          again.withLock { $0 += 1 }
          exchange.resume { exchange.respond(.json(200, TestHandler.content)) }
        }
      }
    }
    for client in clients { #expect(client.response()?.status == 200) }
    #expect(again.withLock { $0 } == 20)
    #expect(eventually { server.server.statistics.suspendedRequests == 0 })
    // The connections are as good as before.
    for client in clients { client.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n") }
    for client in clients { #expect(client.response()?.status == 200) }
    server.stop()
  }

  @Test("one that goes on before its handler has returned is answered once, by what it goes on with")
  func resumedAtOnce() throws {
    let server = try TestServer()
    let client = try server.client()
    for _ in 0..<200 {
      client.send("GET /resume-here HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(client.response()?.status == 200)
    }
    server.stop()
  }

  @Test("one that goes on without an answer gets 500")
  func resumedInVain() throws {
    let server = try TestServer()
    let client = try server.client()
    client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(eventually { server.server.statistics.suspendedRequests == 1 })
    for exchange in server.handler.held.withLock({ $0 }) { exchange.resume {} }
    #expect(client.response()?.status == 500)
    server.stop()
  }

  @Test("what isn't answered in time gets 503, and a later answer has no effect")
  func abandoned() throws {
    let server = try TestServer { $0.drainTimeoutSeconds = 0.3 }
    let clients = try (0..<20).map { _ in try server.client() }
    for client in clients { client.send("PUT /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx") }
    #expect(eventually { server.server.statistics.suspendedRequests == 20 })
    let start = now()
    #expect(server.stop() == HTTPServer.DrainReport(abandonedRequests: 20, cutRequests: 0))
    #expect(now() - start < 5)
    for client in clients {
      let response = try #require(client.response())
      #expect(response.status == 503)
      #expect(response["Retry-After"] == "1")
      #expect(client.ends())
    }
    for exchange in server.handler.held.withLock({ $0 }) {
      #expect(exchange.body == [UInt8(ascii: "x")])
      exchange.resume { Issue.record("it is answered already") }
      exchange.respond(.json(200, TestHandler.content))
      exchange.respond(.json(200, TestHandler.content))
    }
  }

  @Test("a request that would begin to wait when the time is up is answered at once instead")
  func tooLateToWait() throws {
    let server = try TestServer { $0.drainTimeoutSeconds = 0.1 }
    let client = try server.client()
    client.send("PUT /busy-then-hold HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
    #expect(eventually { server.handler.handled.load(ordering: .relaxed) == 1 })
    #expect(server.stop() == HTTPServer.DrainReport())
    let response = try #require(client.response())
    #expect(response.status == 503)
    #expect(response["Connection"] == "close")
    #expect(server.handler.held.withLock { $0.isEmpty })
  }

  @Test("a client that has just connected can still send its first request")
  func firstRequest() throws {
    let server = try TestServer()
    let address = server.server.boundAddresses[0]
    let answer = Monitor<Response?>(nil)
    onThread {
      guard let client = try? Client(address) else { return }
      sleep(seconds: 0.3)
      client.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
      let response = client.response()
      answer.withLock { $0 = response }
    }
    #expect(eventually { server.server.statistics.openConnections == 1 })
    #expect(server.stop() == HTTPServer.DrainReport())
    #expect(eventually { answer.withLock { $0?.status } == 200 })
    #expect(answer.withLock { $0?["Connection"] } == "close")
  }

  @Test("a client that does not read its answer is cut off in the end")
  func cut() throws {
    let server = try TestServer { $0.drainTimeoutSeconds = 0.2 }
    let client = try server.client()
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    client.read(seconds: 5) { !$0.isEmpty }
    #expect(server.stop() == HTTPServer.DrainReport(abandonedRequests: 0, cutRequests: 1))
  }

  @Test("stopping under load cuts nothing that was accepted, and answers race with the 503 safely")
  func underLoad() throws {
    for round in 0..<8 {
      let server = try TestServer { $0.drainTimeoutSeconds = round % 2 == 0 ? 10 : 0.01 }
      let address = server.server.boundAddresses[0]
      final class Shared: Sendable {
        let running = Atomic(4)
        let bad = Monitor<[Int]>([])
      }
      let shared = Shared()
      for _ in 0..<4 {
        onThread {
          defer { shared.running.subtract(1, ordering: .releasing) }
          while let client = try? Client(address) {
            while true {
              client.send("PUT /suspend HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
              guard let response = client.response() else { break }
              if response.status != 200, response.status != 503 { shared.bad.withLock { $0.append(response.status) } }
              if response["Connection"] == "close" { break }
            }
          }
        }
      }
      sleep(seconds: 0.1)
      let report = server.stop()
      #expect(report.cutRequests == 0)
      #expect(eventually(seconds: 20) { shared.running.load(ordering: .acquiring) == 0 })
      #expect(shared.bad.withLock { $0 } == [])
      #expect(server.server.statistics.requestsInFlight == 0)
      #expect(server.server.statistics.suspendedRequests == 0)
    }
  }
}
