internal import Platform
internal import Synchronization

/// A request and the way to answer it. One for each connection, reused for its successive requests.
///
/// The request's parts are there from `handle` until `respond`, its header fields until `suspend`; don't keep the
/// exchange after that.
@safe public final class HTTPExchange: @unchecked Sendable {
  // Sendable although it has mutable parts: they belong to the connection's worker until `suspend`, then to whoever
  // holds the exchange until `respond`, whose change of `state` (releasing) and the library's own lock around
  // MHD_resume_connection hand them back to the worker. Everything that is shared at one time is atomic. Whoever has the
  // parts changes one at a time, so that the runtime needn't look at each access for another one.

  /// Who may act on the exchange.
  enum State: UInt8, AtomicRepresentable {
    /// The library receives a request, or nothing is going on.
    case receiving
    /// The handler has it, on the worker.
    case handling
    /// The handler has it, detached from the worker.
    case suspended
    /// It is on its way back to the worker, where the handler goes on with it.
    case resumed
    /// Someone has taken the right to answer.
    case answering
    /// The answer is queued.
    case answered
    /// The server answered itself when it stopped; the handler's answer no longer counts.
    case abandoned
  }

  /// What the client sent.
  struct Received {
    var method = HTTPMethod.other
    /// The method's text when it's none of the known ones.
    var otherMethodName: [UInt8] = []
    var target: [UInt8] = []
    var body: [UInt8] = []
  }

  @safe @exclusivity(unchecked) var received = Received()

  let state = Atomic(State.receiving)
  /// The word of the connection's phase, see `ConnectionPhase`.
  let phase = Atomic(ConnectionPhase.firstHeader.rawValue)
  /// The connection that this belongs to; nil for an exchange in process.
  let connection: Connection?
  private let local: LocalExchange?

  /// The exchange of a connection.
  init(connection: Connection) {
    self.connection = connection
    local = nil
  }

  /// Makes a target of absolute form, whose path and query begin at `start`, one of origin form.
  func removeOrigin(before start: Int) {
    let hasPath = start < target.count && target[start] == UInt8(ascii: "/")
    received.target.replaceSubrange(..<start, with: hasPath ? [] : [UInt8(ascii: "/")])
  }

  /// An exchange in process, with no connection: for tests of a handler. `respond` calls `onResponse`; a
  /// streamed body is ended where it would first wait, and handed over as a whole one.
  public init(
    method: HTTPMethod, target: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
    onResponse: @escaping @Sendable (HTTPResponse) -> Void
  ) {
    connection = nil
    local = LocalExchange(headers: headers, onResponse: onResponse)
    received.method = method
    received.target = Array(target.utf8)
    received.body = body
    state.store(.handling, ordering: .relaxed)
  }

  /// The request's method.
  public var method: HTTPMethod { received.method }

  /// The request's target as it was sent: path and query, not decoded. Begins with `/`; visible ASCII. Of a target in
  /// absolute form (RFC 9112, 3.2.2) without what stands before the path.
  public var target: [UInt8] { received.target }

  /// The request's body; empty without one.
  public var body: [UInt8] { received.body }

  /// The method's name as it was sent.
  public var methodName: String {
    method.name ?? String(decoding: received.otherMethodName, as: UTF8.self)
  }

  /// The client's address for a log, as in `192.0.2.7:51034`; `unix:` for a client of a UNIX socket.
  public var remoteAddress: String {
    connection?.peer.listenAddress.description ?? "in process"
  }

  /// The value of the first header field of that name, nil without one. Bytes that aren't UTF-8 are replaced.
  public func header(_ name: HTTPFieldName) -> String? {
    withHeader(name) { String(decoding: $0) }
  }

  /// The values of all header fields of that name as one list, nil without one: several lines mean the same as one with
  /// commas between their values (RFC 9110, section 5.3). For fields whose values are lists.
  public func headerList(_ name: HTTPFieldName) -> String? {
    // Most requests have none, which a lookup tells at less cost.
    guard withHeader(name, { _ in }) != nil else { return nil }
    return (connection?.headerValues(name) ?? local?.values(name))?.joined(separator: ", ")
  }

  /// Calls `body` with the value of the first header field of that name, without blanks around it; nil without one.
  /// Allocates nothing. Header fields can be read until `suspend` or `respond`.
  public func withHeader<Result>(_ name: HTTPFieldName, _ body: (Span<UInt8>) -> Result) -> Result? {
    // Afterwards their memory may belong to the library again at any moment.
    let state = state.load(ordering: .relaxed)
    precondition(state == .handling || state == .receiving, "header fields are read before suspend and respond")
    if let connection { return connection.withHeader(name, body) }
    return local?.values(name).first?.withBytes { body($0) }
  }

  /// Detaches the request from its worker, which goes on with other connections; `respond` may then come from any thread.
  ///
  /// Called by the handler, on the thread that called it, before it hands the exchange to another thread.
  /// A suspended request has no deadline. False when the server is about to stop and waits no longer: then the request
  /// stays with its worker, and the handler answers it at once.
  public func suspend() -> Bool {
    precondition(state.load(ordering: .relaxed) == .handling, Self.misuse)
    guard connection?.suspend() ?? true else { return false }
    // Not before, since whoever sees it may resume the connection.
    state.store(.suspended, ordering: .releasing)
    return true
  }

  /// Has a suspended request go on: its worker calls `body` as it called the handler, to answer or to suspend once more.
  ///
  /// From any thread, once after `suspend`; `body` is called at once where there's no connection. When the server stopped
  /// and answered in the meantime, the call has no effect.
  public func resume(_ body: @escaping @Sendable () -> Void) {
    let claim = state.compareExchange(expected: .suspended, desired: .resumed, ordering: .acquiringAndReleasing)
    guard claim.exchanged else {
      precondition(claim.original == .abandoned, Self.misuse)
      return
    }
    if let connection { return connection.resume(with: body) }
    state.store(.handling, ordering: .relaxed)
    body()
  }

  /// Answers the request: exactly once.
  ///
  /// After `suspend` from any thread; without, on the thread that called the handler and before it returns.
  /// When the server stopped and answered in the meantime, the call has no effect.
  public func respond(_ response: consuming HTTPResponse) {
    var response = response
    while true {
      let current = state.load(ordering: .acquiring)
      if current == .abandoned {
        response.stream?.end()
        return
      }
      precondition(current == .handling || current == .suspended, Self.misuse)
      guard state.compareExchange(expected: current, desired: .answering, ordering: .acquiringAndReleasing).exchanged
      else {
        continue
      }
      if let connection {
        connection.answer(self, response, wasSuspended: current == .suspended)
      } else {
        state.store(.answered, ordering: .releasing)
        if let stream = response.stream {
          response.body = stream.readUntilItWaits()
          response.stream = nil
        }
        local?.onResponse(response)
      }
      return
    }
  }

  static let misuse = "an exchange is suspended, then resumed or answered, and answered exactly once"
}

/// What stands in for a connection in an exchange in process.
private struct LocalExchange: Sendable {
  let headers: [(name: String, value: String)]
  let onResponse: @Sendable (HTTPResponse) -> Void

  /// The values of all header fields of that name, in order, without blanks around them.
  func values(_ name: HTTPFieldName) -> [String] {
    headers.filter { $0.name.withBytes { name.matches($0) } }.map {
      $0.value.withBytes { String(decoding: trimmed($0)) }
    }
  }
}
