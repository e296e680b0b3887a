import Glibc
import HTTPServer
import Platform
import Synchronization

/// Answers by the target: /echo (as / with a query does), /suspend, /hold, /busy-then-hold, /silent, and others with a fixed body.
final class TestHandler: HTTPHandler {
  /// Requests to /hold, suspended until the test answers them.
  let held = Monitor<[HTTPExchange]>([])
  let handled = Atomic(0)
  let longHeads = Atomic(0)

  static let content = Array(#"{"siteCode":"main"}"#.utf8)

  func handle(_ exchange: HTTPExchange) {
    handled.add(1, ordering: .relaxed)
    let path = String(decoding: exchange.target.prefix { $0 != UInt8(ascii: "?") }, as: UTF8.self)
    switch path {
    case let path where path == "/echo" || (path == "/" && exchange.target.count > 1):
      let summary =
        "\(exchange.methodName) \(String(decoding: exchange.target, as: UTF8.self)) "
        + "\(exchange.header("X-Test") ?? "-") \(String(decoding: exchange.body, as: UTF8.self))"
      exchange.respond(
        HTTPResponse(status: 200, fields: [.init(.contentType, "text/plain")], body: Array(summary.utf8)))
    case "/suspend":
      // From its own thread, and sometimes before this returns.
      guard exchange.suspend() else { return refuse(exchange) }
      let body = exchange.body
      onThread { exchange.respond(HTTPResponse(status: 200, body: body)) }
    case "/suspend-here":
      guard exchange.suspend() else { return refuse(exchange) }
      exchange.respond(.empty(204))
    case "/resume-here":
      guard exchange.suspend() else { return refuse(exchange) }
      exchange.resume { exchange.respond(.json(200, Self.content)) }
    case "/hold":
      guard exchange.suspend() else { return refuse(exchange) }
      held.withLock { $0.append(exchange) }
    case "/busy-then-hold":
      sleep(seconds: 0.4)
      guard exchange.suspend() else { return refuse(exchange) }
      held.withLock { $0.append(exchange) }
    case "/silent": break
    case "/204": exchange.respond(.empty(204, fields: [.init(.etag, "\"2\"")]))
    case "/304": exchange.respond(.empty(304, fields: [.init(.etag, "\"2\"")]))
    case "/304-with-length": exchange.respond(HTTPResponse(status: 304, body: Self.content))
    case "/large": exchange.respond(HTTPResponse(status: 200, body: [UInt8](repeating: 0x61, count: 64 << 20)))
    case "/bad-field": exchange.respond(.empty(200, fields: [.init("Location", "a\r\nX: y")]))
    case "/long-head":
      longHeads.add(1, ordering: .relaxed)
      let value = String(repeating: "v", count: 400)
      exchange.respond(.json(200, Self.content, fields: ["X-A", "X-B", "X-C", "X-D"].map { .init($0, value) }))
    case "/close":
      var response = HTTPResponse.json(200, Self.content)
      response.closesConnection = true
      exchange.respond(response)
    case "/peer": exchange.respond(.json(200, Array(exchange.remoteAddress.utf8)))
    default: exchange.respond(.json(200, Self.content, fields: [.init(.etag, "\"1\"")]))
    }
  }
}

/// Answers a request that the server no longer lets wait.
func refuse(_ exchange: HTTPExchange) {
  exchange.respond(.error(503, "too late to wait"))
}

/// Runs `body` on a thread of its own.
func onThread(_ body: @escaping @Sendable () -> Void) {
  final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  let started = unsafe pthread_create(
    &thread, nil,
    { argument in
      if let argument = unsafe argument { unsafe Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
      return nil
    }, Unmanaged.passRetained(Box(body)).toOpaque())
  precondition(started == 0)
  pthread_detach(thread)
}

/// A running server with what it logged.
final class TestServer {
  let handler = TestHandler()
  let server: HTTPServer
  let lines: Lines
  private var isStopped = false

  final class Lines: Sendable {
    let all = Monitor<[String]>([])
  }

  init(
    _ listeners: [ListenAddress] = [.tcp(host: "127.0.0.1", port: 0)], inherited: [Int32] = [],
    configure: (inout HTTPServerConfiguration) -> Void = { _ in }
  ) throws {
    var configuration = HTTPServerConfiguration()
    configure(&configuration)
    let lines = Lines()
    self.lines = lines
    server = try HTTPServer(listeners: listeners, inherited: inherited, configuration: configuration, handler: handler)
    { line in
      lines.all.withLock { $0.append(line) }
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

  func client(_ listener: Int = 0) throws -> Client { try Client(server.boundAddresses[listener]) }
}

/// A path for a socket that nobody else uses.
func temporaryPath() -> String {
  "/tmp/httpserver-tests-\(getpid())-\(UInt64.random(in: 0 ... .max)).sock"
}
