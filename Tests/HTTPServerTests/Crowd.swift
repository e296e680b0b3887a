import Glibc
import HTTPServer
import Platform

/// Clients that never rest, on a listener that outlives its servers, and a handler that suspends whatever it can.
///
/// Each request is on a connection of its own. Some are answered by another thread a little later, some by a stream that
/// waits again and again; threads answer and wake all the time, so that a server stops in the midst of it.
final class Crowd: HTTPHandler {
  private struct State {
    var waiting: [HTTPExchange] = []
    var streams: [ObjectIdentifier: HTTPBodyStream] = [:]
    var threads = 0
    /// Requests that clients are waiting with.
    var clients = 0
    var isOver = false
    var answers = 0
    var failures: [String] = []
  }

  private let state = Monitor(State())
  private let listener: Int32
  private let address: ListenAddress

  init() throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    // Without an address the kernel chooses a port, on all of them.
    precondition(listen(listener, 1024) == 0)
    guard case .tcp(_, let port) = try ListenAddress(ofInherited: listener) else { preconditionFailure("it is TCP") }
    address = .tcp(host: "127.0.0.1", port: port)
  }

  deinit { close(listener) }

  /// How many requests were answered as they should be.
  var answerCount: Int { state.withLock { $0.answers } }
  /// What became of the others.
  var failures: [String] { state.withLock { $0.failures } }

  /// A server on the listener.
  func serve(configure: (inout HTTPServerConfiguration) -> Void) throws -> HTTPServer {
    var configuration = HTTPServerConfiguration()
    configure(&configuration)
    return try HTTPServer(
      listeners: [], inherited: [dup(listener)], configuration: configuration, handler: self
    ) { line in print(line) }
  }

  /// Starts the threads; `pauseSeconds` lie between two requests of a client.
  func begin(clients: Int, streamClients: Int, pauseSeconds: Double) {
    for _ in 0..<clients {
      run(while: { !$0.isOver }) { [self] in
        request(isStream: false)
        if pauseSeconds > 0 { sleep(seconds: pauseSeconds) }
      }
    }
    for _ in 0..<streamClients { run(while: { !$0.isOver }) { [self] in request(isStream: true) } }
    for _ in 0..<2 {
      // As long as somebody may wait for it.
      run(while: { !$0.isOver || $0.clients > 0 }) { [self] in
        let (waiting, streams) = state.withLock { state in
          defer { state.waiting = [] }
          return (state.waiting, Array(state.streams.values))
        }
        for exchange in waiting { exchange.respond(.json(200, TestHandler.content)) }
        for stream in streams { stream.wake() }
        sleep(seconds: 0.0001)
      }
    }
  }

  /// Ends the threads, which need a server until then; false when they don't end.
  func end() -> Bool {
    state.withLock { $0.isOver = true }
    return eventually(seconds: 20) { state.withLock { $0.threads } == 0 }
  }

  private func run(while goesOn: @escaping @Sendable (State) -> Bool, _ body: @escaping @Sendable () -> Void) {
    state.withLock { $0.threads += 1 }
    onThread { [self] in
      while state.withLock({ goesOn($0) }) { body() }
      state.withLock { $0.threads -= 1 }
    }
  }

  private func request(isStream: Bool) {
    state.withLock { $0.clients += 1 }
    defer { state.withLock { $0.clients -= 1 } }
    guard let client = try? Client(address) else { return fail("the connection was refused") }
    if isStream {
      client.send("GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      let answer = client.streamed(seconds: 20)
      guard answer.isComplete else { return fail("a stream is cut off after \(answer.head.prefix(12)) \(answer.text)") }
    } else {
      client.send("PUT /late HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
      guard let answer = client.response(seconds: 20) else { return fail("a request has no answer") }
      guard answer.status == 200 else { return fail("a request is answered \(answer.status)") }
    }
    state.withLock { $0.answers += 1 }
  }

  private func fail(_ text: String) {
    state.withLock { $0.failures.append(text) }
  }

  // MARK: HTTPHandler

  func handle(_ exchange: HTTPExchange) {
    guard exchange.method == .get else {
      guard exchange.suspend() else { return refuse(exchange) }
      return state.withLock { $0.waiting.append(exchange) }
    }
    let stream = HTTPBodyStream(Source(crowd: self))
    exchange.respond(.stream(200, stream))
  }

  /// Waits before each part, and between parts looks for one in vain; ends after some, or when the server stops.
  private struct Source: HTTPBodySource {
    let crowd: Crowd
    var asked = 0
    var identifier: ObjectIdentifier?

    mutating func next(into buffer: inout [UInt8], for stream: HTTPBodyStream) -> HTTPBodyStep {
      if identifier == nil {
        identifier = ObjectIdentifier(stream)
        crowd.state.withLock { $0.streams[ObjectIdentifier(stream)] = stream }
      }
      asked += 1
      if stream.isStopping || asked > 200 { return .finished }
      if asked % 3 == 0 { return .more }
      if asked % 2 == 0 { buffer.append(UInt8(ascii: ".")) }
      return .waiting
    }

    mutating func end() {
      guard let identifier else { return }
      crowd.state.withLock { $0.streams[identifier] = nil }
    }
  }
}
