import HTTPServer
import Platform

/// What a test lets a streamed body say, and what it hears of it.
final class Script: Sendable {
  private struct State {
    var parts: [[UInt8]] = []
    var last: HTTPBodyStep?
    var stream: HTTPBodyStream?
    var askCount = 0
    var endCount = 0
    var goesOnWhenStopping = false
  }
  private let state = Monitor(State())

  /// How often the source was asked, and how often it was ended.
  var askCount: Int { state.withLock { $0.askCount } }
  var endCount: Int { state.withLock { $0.endCount } }

  /// Adds a part, and wakes the stream when it waits.
  func say(_ part: [UInt8]) { add { $0.parts.append(part) } }
  func say(_ part: String) { say(Array(part.utf8)) }

  /// Ends the body after the parts that were added.
  func end(_ step: HTTPBodyStep = .finished) { add { $0.last = step } }

  /// Lets the source wait even while the server stops.
  func goOnWhenStopping() { state.withLock { $0.goesOnWhenStopping = true } }

  /// Wakes the stream without need.
  func wake() { state.withLock { $0.stream }?.wake() }

  private func add(_ change: (inout State) -> Void) {
    let stream = state.withLock { state in
      change(&state)
      return state.stream
    }
    stream?.wake()
  }

  /// A stream that says what it's told.
  func makeStream() -> HTTPBodyStream {
    let stream = HTTPBodyStream(Source(script: self))
    state.withLock { $0.stream = stream }
    return stream
  }

  private struct Source: HTTPBodySource {
    let script: Script

    mutating func next(into buffer: inout [UInt8], for stream: HTTPBodyStream) -> HTTPBodyStep {
      script.state.withLock { state in
        state.askCount += 1
        if !state.parts.isEmpty {
          buffer.append(contentsOf: state.parts.removeFirst())
          return .more
        }
        if let last = state.last { return last }
        return stream.isStopping && !state.goesOnWhenStopping ? .finished : .waiting
      }
    }

    mutating func end() {
      script.state.withLock { state in
        state.endCount += 1
        state.stream = nil
      }
    }
  }
}

/// Numbers in blocks of 64 KiB without end, as fast as they're taken; counts them.
final class Torrent: Sendable {
  let blocks = Monitor(0)
  let ends = Monitor(0)
  /// How many blocks there are.
  let limit: Int

  init(limit: Int = .max) { self.limit = limit }

  static let blockBytes = 1 << 16

  func makeStream() -> HTTPBodyStream { HTTPBodyStream(Source(torrent: self)) }

  private struct Source: HTTPBodySource {
    let torrent: Torrent

    mutating func next(into buffer: inout [UInt8], for _: HTTPBodyStream) -> HTTPBodyStep {
      let number = torrent.blocks.withLock { count in
        count += 1
        return count
      }
      guard number <= torrent.limit else { return .finished }
      let text = Array("\(number)\n".utf8)
      buffer.append(contentsOf: [UInt8](repeating: 0x20, count: Torrent.blockBytes - text.count))
      buffer.append(contentsOf: text)
      return .more
    }

    mutating func end() { torrent.ends.withLock { $0 += 1 } }
  }
}

/// Answers every request with what `makeResponse` gives for it; /plain with a whole body.
final class StreamHandler: HTTPHandler {
  private let makeResponse: @Sendable (HTTPExchange) -> HTTPResponse

  init(_ makeResponse: @escaping @Sendable (HTTPExchange) -> HTTPResponse) { self.makeResponse = makeResponse }

  func handle(_ exchange: HTTPExchange) {
    if exchange.target == Array("/plain".utf8) { return exchange.respond(.json(200, TestHandler.content)) }
    if exchange.target == Array("/suspended".utf8) {
      guard exchange.suspend() else { return refuse(exchange) }
      let response = makeResponse(exchange)
      return onThread { exchange.respond(response) }
    }
    exchange.respond(makeResponse(exchange))
  }
}

/// A running server whose answers are streamed.
final class StreamServer {
  let server: HTTPServer
  private var isStopped = false

  init(
    configure: (inout HTTPServerConfiguration) -> Void = { _ in },
    _ makeResponse: @escaping @Sendable (HTTPExchange) -> HTTPResponse
  ) throws {
    var configuration = HTTPServerConfiguration()
    configure(&configuration)
    server = try HTTPServer(
      listeners: [.tcp(host: "127.0.0.1", port: 0)], configuration: configuration, handler: StreamHandler(makeResponse)
    ) { _ in }
  }

  /// One that streams what `script` says.
  convenience init(_ script: Script, configure: (inout HTTPServerConfiguration) -> Void = { _ in }) throws {
    try self.init(configure: configure) { _ in
      .stream(200, script.makeStream(), fields: [.init(.contentType, "text/plain")])
    }
  }

  deinit {
    if !isStopped { server.drainAndStop() }
  }

  @discardableResult
  func stop() -> HTTPServer.DrainReport {
    isStopped = true
    return server.drainAndStop()
  }

  /// A client that has asked for a stream.
  func client(_ target: String = "/", method: String = "GET", version: String = "1.1") throws -> Client {
    let client = try Client(server.boundAddresses[0])
    client.send("\(method) \(target) HTTP/\(version)\r\nHost: a\r\n\r\n")
    return client
  }
}

/// A streamed answer as far as it was received.
struct StreamedAnswer {
  var head = ""
  var body: [UInt8] = []
  /// Whether the last chunk was there.
  var isComplete = false
  /// What follows it.
  var rest: [UInt8] = []

  init(_ bytes: [UInt8]) {
    guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return }
    head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
    var bytes = bytes[end.upperBound...]
    while let lineEnd = bytes.firstRange(of: Array("\r\n".utf8)) {
      let size = Int(String(decoding: bytes[..<lineEnd.lowerBound], as: UTF8.self), radix: 16) ?? 0
      let chunk = bytes[lineEnd.upperBound...]
      guard chunk.count >= size + 2 else { return }
      body.append(contentsOf: chunk.prefix(size))
      bytes = chunk.dropFirst(size + 2)
      if size == 0 {
        isComplete = true
        rest = Array(bytes)
        return
      }
    }
  }

  var text: String { String(decoding: body, as: UTF8.self) }
}

/// Whether bytes end like a streamed answer: cheaper to tell than to take the answer apart.
func endsWithLastChunk(_ bytes: [UInt8]) -> Bool {
  bytes[max(0, bytes.count - 5)...].elementsEqual("0\r\n\r\n".utf8)
}

extension Client {
  /// What has come in of a streamed answer once it's complete or `isEnough`, the connection has ended or the time is over.
  func streamed(seconds: Double = 5, until isEnough: (StreamedAnswer) -> Bool = { _ in false }) -> StreamedAnswer {
    read(seconds: seconds) { bytes in
      let answer = StreamedAnswer(bytes)
      return answer.isComplete || isEnough(answer)
    }
    return StreamedAnswer(received)
  }
}
