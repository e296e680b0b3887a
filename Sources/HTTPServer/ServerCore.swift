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
  /// Whether the time to stop is up: the server itself answers suspended requests, and nothing is suspended any more.
  let isAbandoning = Atomic(false)

  init(configuration: HTTPServerConfiguration, handler: any HTTPHandler, log: @escaping @Sendable (String) -> Void) {
    self.configuration = configuration
    self.handler = handler
    self.log = log
    connections = ConnectionTable(configuration: configuration)
  }

  /// Whether a connection is out of its worker's loop. Once `isAbandoning` is set and this was false, it stays false.
  var isAnythingSuspended: Bool {
    // See Connection.suspend(countedIn:).
    counters.suspendedRequests.load(ordering: .sequentiallyConsistent) > 0
      || counters.waitingStreams.load(ordering: .sequentiallyConsistent) > 0
  }

  /// Puts what is suspended back into its worker's loop: requests with the answer 503 in place of the handler's, and
  /// streams to see that they have to end. What is about to be suspended is left for the next call.
  func abandonSuspended() {
    for exchange in connections.exchanges() {
      let claim = exchange.state.compareExchange(
        expected: .suspended, desired: .abandoned, ordering: .acquiringAndReleasing)
      guard claim.exchanged else { continue }
      counters.abandonedRequests.add(1, ordering: .relaxed)
      exchange.connection?.resume(
        with: .error(
          503, "the server is stopping, and what was asked for may be done or not; try again",
          fields: [.init(.retryAfter, "1")]
        ).closing())
    }
    streams.wakeAll()
  }
}
