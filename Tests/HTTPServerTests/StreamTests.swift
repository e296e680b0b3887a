import HTTPServer
import Platform
import Testing

@Suite struct StreamTests {
  @Test("a streamed body is sent in chunks as it comes, and the connection goes on after it")
  func chunks() throws {
    let script = Script()
    let server = try StreamServer(script)
    let client = try server.client()
    script.say("one ")
    #expect(client.streamed { $0.text == "one " }.text == "one ")
    script.say("two ")
    #expect(client.streamed { $0.text == "one two " }.text == "one two ")
    script.say("three")
    script.end()
    let answer = client.streamed()
    #expect(answer.isComplete)
    #expect(answer.text == "one two three")
    #expect(answer.head.contains("Transfer-Encoding: chunked"))
    #expect(!answer.head.contains("Content-Length"))
    #expect(eventually { script.endCount == 1 })
    client.send("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
    client.read { StreamedAnswer($0).rest.count > 20 }
    #expect(String(decoding: StreamedAnswer(client.received).rest, as: UTF8.self).hasPrefix("HTTP/1.1 200"))
  }

  @Test("the head comes before the body has anything to say")
  func headFirst() throws {
    let script = Script()
    let server = try StreamServer(script)
    let client = try server.client()
    #expect(client.streamed { $0.head != "" }.head.hasPrefix("HTTP/1.1 200"))
    #expect(eventually { server.server.statistics.waitingStreams == 1 })
    script.end()
    #expect(client.streamed().isComplete)
    #expect(server.server.statistics.waitingStreams == 0)
  }

  @Test("a body that ends at once is empty")
  func empty() throws {
    let script = Script()
    script.end()
    let server = try StreamServer(script)
    let answer = try server.client().streamed()
    #expect(answer.isComplete)
    #expect(answer.body == [])
    #expect(eventually { script.endCount == 1 })
  }

  @Test("a suspended request can be answered with a stream from another thread")
  func suspended() throws {
    let script = Script()
    script.say("late")
    script.end()
    let server = try StreamServer(script)
    let answer = try server.client("/suspended").streamed()
    #expect(answer.text == "late")
    #expect(answer.isComplete)
  }

  @Test("HTTP/1.0 gets the body without chunks, and the end of the connection ends it")
  func oldVersion() throws {
    let script = Script()
    let server = try StreamServer(script)
    let client = try server.client(version: "1.0")
    script.say("one ")
    client.read { String(decoding: $0, as: UTF8.self).hasSuffix("\r\n\r\none ") }
    // More than a block of the library's, with a wait in between.
    script.say([UInt8](repeating: 0x78, count: 10_000))
    script.end()
    client.read()
    #expect(client.isClosed)
    let text = String(decoding: client.received, as: UTF8.self)
    #expect(text.hasSuffix("\r\n\r\none " + String(repeating: "x", count: 10_000)))
    #expect(!text.contains("Transfer-Encoding"))
    #expect(text.contains("Connection: close"))
    #expect(eventually { script.endCount == 1 })
  }

  @Test("HEAD gets the head alone, and asks the source for nothing")
  func head() throws {
    let script = Script()
    script.say("body")
    let server = try StreamServer(script)
    let client = try server.client(method: "HEAD")
    client.read(seconds: 5)
    #expect(client.isClosed)
    let text = String(decoding: client.received, as: UTF8.self)
    #expect(text.hasPrefix("HTTP/1.1 200"))
    #expect(text.hasSuffix("\r\n\r\n"))
    #expect(!text.contains("Content-Length"))
    #expect(script.askCount == 0)
    #expect(eventually { script.endCount == 1 })
  }

  @Test("an answer that can't be sent ends its stream")
  func badField() throws {
    let script = Script()
    let server = try StreamServer { _ in .stream(200, script.makeStream(), fields: [.init("Location", "a\r\nX: y")]) }
    #expect(try server.client().response()?.status == 500)
    #expect(script.endCount == 1)
    #expect(script.askCount == 0)
  }

  @Test("a body that can't be completed is cut, without the chunk that would end it")
  func failure() throws {
    let script = Script()
    script.say("half")
    script.end(.failed)
    let server = try StreamServer(script)
    let client = try server.client()
    let answer = client.streamed()
    #expect(answer.text == "half")
    #expect(!answer.isComplete)
    #expect(client.isClosed)
    #expect(eventually { script.endCount == 1 })
  }

  @Test("a reader that pauses gets everything in the end, and is asked for no more than it takes")
  func backpressure() throws {
    // 16 MiB: more than sockets on both sides hold.
    let count = 256
    let torrent = Torrent(limit: count)
    let server = try StreamServer { _ in .stream(200, torrent.makeStream()) }
    let client = try server.client()
    sleep(seconds: 0.5)
    let asked = torrent.blocks.withLock { $0 }
    #expect(asked < count)
    sleep(seconds: 0.3)
    #expect(torrent.blocks.withLock { $0 } == asked)
    client.read(seconds: 20) { endsWithLastChunk($0) }
    let answer = StreamedAnswer(client.received)
    // A failing expectation would print all of the body.
    let (isComplete, bytes) = (answer.isComplete, answer.body.count)
    #expect(isComplete)
    try #require(bytes == count * Torrent.blockBytes)
    for number in 1...count {
      let end = answer.body[..<(number * Torrent.blockBytes)].suffix(8)
      #expect(
        String(decoding: end, as: UTF8.self) == String(repeating: " ", count: 7 - "\(number)".count) + "\(number)\n")
    }
  }

  @Test("a reader that takes nothing is cut off after the send timeout, and not one that waits")
  func deadline() throws {
    let torrent = Torrent()
    let script = Script()
    let server = try StreamServer {
      $0.sendTimeoutSeconds = 0.5
    } _: { exchange in
      exchange.target == Array("/torrent".utf8) ? .stream(200, torrent.makeStream()) : .stream(200, script.makeStream())
    }
    let waiting = try server.client()
    let stuck = try server.client("/torrent")
    #expect(waiting.streamed { $0.head != "" }.head != "")
    #expect(eventually(seconds: 5) { torrent.ends.withLock { $0 } == 1 })
    #expect(eventually { server.server.statistics.expiredConnections == 1 })
    sleep(seconds: 1)
    script.say("still here")
    #expect(waiting.streamed { $0.text != "" }.text == "still here")
    stuck.read(seconds: 5)
    #expect(stuck.isClosed)
  }

  @Test("a slow reader that goes on reading is never cut off")
  func slow() throws {
    let torrent = Torrent(limit: 224)
    let server = try StreamServer(configure: { $0.sendTimeoutSeconds = 1 }) { _ in .stream(200, torrent.makeStream()) }
    let client = try server.client()
    // Longer than the timeout in all, and with less time between two reads.
    for step in 1... {
      client.read(seconds: 1) { $0.count >= step * 1_000_000 }
      if client.isClosed || endsWithLastChunk(client.received) { break }
      sleep(seconds: 0.1)
    }
    #expect(endsWithLastChunk(client.received))
    #expect(server.server.statistics.expiredConnections == 0)
  }

  @Test("a client that has gone is noticed when something is sent to it")
  func disconnect() throws {
    let script = Script()
    let server = try StreamServer(script)
    var client: Client? = try server.client()
    #expect(client?.streamed { $0.head != "" }.head != "")
    #expect(eventually { server.server.statistics.waitingStreams == 1 })
    client = nil
    #expect(
      eventually {
        script.say("x")
        return script.endCount == 1
      })
    #expect(eventually { server.server.statistics.openConnections == 0 })
    #expect(server.server.statistics.waitingStreams == 0)
    script.wake()
    #expect(script.endCount == 1)
  }

  @Test("a stream doesn't keep its worker from other connections, also one that goes on without a part")
  func fairness() throws {
    final class Empty: Sendable {
      let isDone = Monitor(false)
    }
    struct Source: HTTPBodySource {
      let empty: Empty
      func next(into _: inout [UInt8], for _: HTTPBodyStream) -> HTTPBodyStep {
        empty.isDone.withLock { $0 } ? .finished : .more
      }
      func end() {}
    }
    let empty = Empty()
    let torrent = Torrent()
    let server = try StreamServer {
      $0.workerThreads = 1
    } _: { exchange in
      .stream(
        200,
        exchange.target == Array("/torrent".utf8) ? torrent.makeStream() : HTTPBodyStream(Source(empty: empty)))
    }
    let searching = try server.client()
    let address = server.server.boundAddresses[0]
    onThread {
      guard let flood = try? Client(address) else { return }
      flood.send("GET /torrent HTTP/1.1\r\nHost: a\r\n\r\n")
      flood.read(seconds: 1)
    }
    #expect(searching.streamed { $0.head != "" }.head != "")
    for _ in 0..<20 {
      let other = try server.client("/plain")
      #expect(other.response(seconds: 1)?.status == 200)
    }
    empty.isDone.withLock { $0 = true }
    #expect(searching.streamed().isComplete)
  }

  @Test("wake-ups from many threads lose nothing and repeat nothing")
  func wakes() throws {
    let count = 4
    let scripts = (0..<count).map { _ in Script() }
    let server = try StreamServer { exchange in
      .stream(200, scripts[Int(exchange.target[1]) - 0x30].makeStream())
    }
    let clients = try (0..<count).map { try server.client("/\($0)") }
    for client in clients { #expect(client.streamed { $0.head != "" }.head != "") }
    let running = Monitor(count + 2)
    for script in scripts {
      onThread {
        for number in 0..<2000 { script.say("\(number)\n") }
        script.end()
        running.withLock { $0 -= 1 }
      }
    }
    for _ in 0..<2 {
      onThread {
        for number in 0..<20_000 { scripts[number % count].wake() }
        running.withLock { $0 -= 1 }
      }
    }
    let expected = (0..<2000).map { "\($0)\n" }.joined()
    for client in clients {
      client.read(seconds: 20) { endsWithLastChunk($0) }
      let isWhole = StreamedAnswer(client.received).text == expected
      #expect(isWhole)
    }
    #expect(eventually { running.withLock { $0 } == 0 })
    #expect(eventually { server.server.statistics.waitingStreams == 0 })
    #expect(scripts.allSatisfy { $0.endCount == 1 })
  }

  @Test("stopping ends waiting streams properly and at once")
  func drain() throws {
    let scripts = (0..<8).map { _ in Script() }
    let server = try StreamServer { exchange in .stream(200, scripts[Int(exchange.target[1]) - 0x30].makeStream()) }
    let clients = try (0..<8).map { try server.client("/\($0)") }
    for client in clients { #expect(client.streamed { $0.head != "" }.head != "") }
    let start = now()
    #expect(server.stop() == HTTPServer.DrainReport())
    #expect(now() - start < 3)
    for client in clients { #expect(client.streamed().isComplete) }
    #expect(scripts.allSatisfy { $0.endCount == 1 })
  }

  @Test("stopping lets a body with an end come to it")
  func drainToTheEnd() throws {
    let script = Script()
    script.goOnWhenStopping()
    let server = try StreamServer(script)
    let client = try server.client()
    #expect(client.streamed { $0.head != "" }.head != "")
    onThread {
      sleep(seconds: 0.3)
      script.say("whole")
      script.end()
    }
    #expect(server.stop() == HTTPServer.DrainReport())
    let answer = client.streamed()
    #expect(answer.text == "whole")
    #expect(answer.isComplete)
  }

  @Test("a stream that doesn't come to its end is cut when the time to stop is up")
  func drainCut() throws {
    let script = Script()
    script.goOnWhenStopping()
    let torrent = Torrent()
    let server = try StreamServer {
      $0.drainTimeoutSeconds = 0.3
    } _: { exchange in
      exchange.target == Array("/torrent".utf8) ? .stream(200, torrent.makeStream()) : .stream(200, script.makeStream())
    }
    let waiting = try server.client()
    let stuck = try server.client("/torrent")
    #expect(waiting.streamed { $0.head != "" }.head != "")
    #expect(eventually { torrent.blocks.withLock { $0 } > 1 })
    let start = now()
    // Whom nothing more could be sent to is cut off by the stop.
    #expect(server.stop() == HTTPServer.DrainReport(abandonedRequests: 0, cutRequests: 1))
    #expect(now() - start < 5)
    #expect(!waiting.streamed().isComplete)
    #expect(waiting.isClosed)
    stuck.read(seconds: 5)
    #expect(!StreamedAnswer(stuck.received).isComplete)
    #expect(script.endCount == 1)
    #expect(torrent.ends.withLock { $0 } == 1)
  }

  @Test("a stream that would begin to wait when the time to stop is up is cut instead")
  func drainTooLateToWait() throws {
    struct Source: HTTPBodySource {
      let asked: Monitor<Int>
      func next(into _: inout [UInt8], for _: HTTPBodyStream) -> HTTPBodyStep {
        asked.withLock { $0 += 1 }
        sleep(seconds: 0.4)
        return .waiting
      }
      func end() {}
    }
    let asked = Monitor(0)
    let server = try StreamServer(configure: { $0.drainTimeoutSeconds = 0.1 }) { _ in
      .stream(200, HTTPBodyStream(Source(asked: asked)))
    }
    let client = try server.client()
    #expect(eventually { asked.withLock { $0 } == 1 })
    let start = now()
    server.stop()
    #expect(now() - start < 1)
    #expect(!client.streamed().isComplete)
    #expect(client.isClosed)
    #expect(asked.withLock { $0 } == 1)
  }

  @Test("stopping races with wake-ups safely")
  func drainRace() throws {
    for round in 0..<6 {
      let scripts = (0..<8).map { _ in Script() }
      if round % 2 == 1 { for script in scripts { script.goOnWhenStopping() } }
      let server = try StreamServer {
        $0.drainTimeoutSeconds = 0.05
      } _: { exchange in
        .stream(200, scripts[Int(exchange.target[1]) - 0x30].makeStream())
      }
      let clients = try (0..<8).map { try server.client("/\($0)") }
      for client in clients { #expect(client.streamed { $0.head != "" }.head != "") }
      let isRunning = Monitor(true)
      let running = Monitor(2)
      for _ in 0..<2 {
        onThread {
          while isRunning.withLock({ $0 }) {
            for script in scripts { script.say(".") }
            sleep(seconds: 0.0002)
          }
          running.withLock { $0 -= 1 }
        }
      }
      sleep(seconds: 0.02)
      server.stop()
      isRunning.withLock { $0 = false }
      #expect(eventually { running.withLock { $0 } == 0 })
      #expect(scripts.allSatisfy { $0.endCount == 1 })
      #expect(server.server.statistics.requestsInFlight == 0)
      #expect(server.server.statistics.waitingStreams == 0)
    }
  }

  @Test("in process a streamed body is read to where it would wait")
  func inProcess() {
    let script = Script()
    script.say("one ")
    script.say("two")
    let body = Monitor("")
    let exchange = HTTPExchange(method: .get, target: "/") { response in
      body.withLock { $0 = String(decoding: response.body, as: UTF8.self) }
    }
    exchange.respond(.stream(200, script.makeStream()))
    #expect(body.withLock { $0 } == "one two")
    #expect(script.endCount == 1)
  }
}
