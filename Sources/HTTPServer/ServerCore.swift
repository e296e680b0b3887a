internal import Synchronization

/// What the parts of a server share.
final class ServerCore: Sendable {
  let configuration: HTTPServerConfiguration
  let handler: any HTTPHandler
  let log: @Sendable (String) -> Void
  let counters = Counters()
  let connections: ConnectionTable
  let streams = StreamTable()
  /// Whether each answer ends its connection, because the server is about to stop.
  let isDraining = Atomic(false)
  /// Whether suspended requests are answered by the server itself, because their time is up.
  let isAbandoning = Atomic(false)

  init(configuration: HTTPServerConfiguration, handler: any HTTPHandler, log: @escaping @Sendable (String) -> Void) {
    self.configuration = configuration
    self.handler = handler
    self.log = log
    connections = ConnectionTable(configuration: configuration)
  }

  /// Answers 503 in place of the handler when the request is suspended; false when it isn't.
  ///
  /// Whoever stops the server sets `isAbandoning`, then looks for suspended requests; a worker marks its request as
  /// suspended, then looks at `isAbandoning`. All four are sequentially consistent, so one of the two sees the other.
  @discardableResult
  func abandon(_ exchange: HTTPExchange) -> Bool {
    let claim = exchange.state.compareExchange(
      expected: .suspended, desired: .abandoned, ordering: .sequentiallyConsistent)
    guard claim.exchanged else { return false }
    counters.abandonedRequests.add(1, ordering: .relaxed)
    exchange.connection?.resume(
      with: .error(503, "the server is stopping; try again", fields: [.init(.retryAfter, "1")]).closing())
    return true
  }
}
