import HTTPServer
import LMDB
import Platform
import SessionAPI
import SessionModel
import SessionStore
import TestSupport

/// A request as a test writes it down.
struct Request: Sendable {
  var method: String
  var target: String
  var fields: [(name: String, value: String)] = []
  var body = ""

  init(_ method: String, _ target: String, _ body: String = "", _ fields: [String: String] = [:]) {
    self.method = method
    self.target = target
    self.body = body
    self.fields = fields.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
  }

  /// The request with another header field.
  func with(_ name: String, _ value: String) -> Request {
    var request = self
    request.fields.append((name: name, value: value))
    return request
  }
}

/// What came back, by either way.
struct Answer {
  var status: Int
  var fields: [(name: String, value: String)]
  var body: String

  subscript(_ name: String) -> String? { fields.first { $0.name.lowercased() == name.lowercased() }?.value }
}

/// The API over a store in a folder of its own: asked in process, without a socket.
final class TestAPI: Sendable {
  static let base = "/session-context/acme"

  let clock = TestClock()
  let store: SessionStore
  let api: SessionAPI
  private let lines = Monitor<[String]>([])
  private let folder: TemporaryFolder

  init(
    _ authorizer: Authorizer = .open, _ configure: (inout SessionAPI.Configuration) -> Void = { _ in },
    store configureStore: (inout SessionStore.Configuration) -> Void = { _ in }
  ) throws {
    var configuration = SessionStore.Configuration(environment: Environment.Options(mapSizeBytes: 1 << 26))
    configureStore(&configuration)
    var answers = SessionAPI.Configuration()
    configure(&answers)
    let (clock, lines) = (clock, lines)
    folder = try TemporaryFolder()
    store = try SessionStore(
      directory: DataDirectory(folder.path), configuration: configuration, now: { clock.now })
    api = SessionAPI(store: store, configuration: answers, authorizer: authorizer) { line in
      lines.withLock { $0.append(line) }
    }
  }

  deinit { store.close() }

  /// What an operator would have read.
  var logged: [String] { lines.withLock { $0 } }

  /// Asks in process and waits for the answer.
  func send(_ request: Request) -> Answer {
    let answer = Monitor<HTTPResponse?>(nil)
    let exchange = HTTPExchange(
      method: Self.methods[request.method] ?? .other, target: request.target, headers: request.fields,
      body: Array(request.body.utf8)
    ) { response in answer.signal { $0 = response } }
    api.handle(exchange)
    guard let response = answer.wait(milliseconds: 60_000, { $0 }) else {
      preconditionFailure("the API answers nothing")
    }
    return Answer(
      status: response.status, fields: response.fields.map { (name: $0.name.description, value: $0.value) },
      // What is sent of a 304's body is its length.
      body: response.status == 304 ? "" : String(decoding: response.body, as: UTF8.self))
  }

  /// Asks about a session of the tenant acme.
  func send(_ method: String, _ path: String, _ body: String = "", _ fields: [String: String] = [:]) -> Answer {
    send(Request(method, Self.base + path, body, fields))
  }

  private static let methods: [String: HTTPMethod] = [
    "GET": .get, "HEAD": .head, "PUT": .put, "PATCH": .patch, "POST": .post, "DELETE": .delete, "OPTIONS": .options,
  ]
}

/// The same API behind a server on a loopback port of the kernel's choice, with one connection to it.
final class TestAPIServer {
  private let server: HTTPServer
  private let client: SocketClient

  init(_ test: TestAPI) throws {
    var configuration = HTTPServerConfiguration()
    configuration.workerThreads = 1
    server = try HTTPServer(
      listeners: [.tcp(host: "127.0.0.1", port: 0)], configuration: configuration, handler: test.api
    ) { _ in }
    guard case .tcp(_, let port)? = server.boundAddresses.first else { preconditionFailure("it listens on TCP") }
    client = try SocketClient(port: port)
  }

  deinit { server.drainAndStop() }

  func send(_ request: Request) throws -> Answer {
    let answer = try client.send(request.method, request.target, request.fields, Array(request.body.utf8))
    return Answer(
      status: answer.status, fields: answer.fields, body: String(decoding: answer.body, as: UTF8.self))
  }
}
