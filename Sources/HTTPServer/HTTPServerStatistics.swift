internal import Synchronization

/// What a server has done since it started, and does now.
public struct HTTPServerStatistics: Sendable, Equatable {
  /// Connections open now.
  public var openConnections = 0
  /// Requests whose request line is there and whose answer isn't fully sent.
  public var requestsInFlight = 0
  /// Requests that wait, detached from their worker, for `respond`.
  public var suspendedRequests = 0
  /// Streamed answers that wait for their source.
  public var waitingStreams = 0
  /// Connections accepted.
  public var acceptedConnections = 0
  /// Connections refused because of a limit on connections.
  public var refusedConnections = 0
  /// Connections closed because a deadline passed.
  public var expiredConnections = 0
  /// Requests refused before they reached the handler.
  public var refusedRequests = 0
}

/// The counters behind the statistics. Each is exact; together they're no snapshot of one instant.
final class Counters: Sendable {
  let openConnections = Atomic(0)
  let requestsInFlight = Atomic(0)
  let suspendedRequests = Atomic(0)
  let waitingStreams = Atomic(0)
  let acceptedConnections = Atomic(0)
  let refusedConnections = Atomic(0)
  let expiredConnections = Atomic(0)
  let refusedRequests = Atomic(0)
  /// Suspended requests that the server answered itself while it stopped.
  let abandonedRequests = Atomic(0)

  var snapshot: HTTPServerStatistics {
    HTTPServerStatistics(
      openConnections: openConnections.load(ordering: .acquiring),
      requestsInFlight: requestsInFlight.load(ordering: .acquiring),
      suspendedRequests: suspendedRequests.load(ordering: .acquiring),
      waitingStreams: waitingStreams.load(ordering: .acquiring),
      acceptedConnections: acceptedConnections.load(ordering: .relaxed),
      refusedConnections: refusedConnections.load(ordering: .relaxed),
      expiredConnections: expiredConnections.load(ordering: .relaxed),
      refusedRequests: refusedRequests.load(ordering: .relaxed))
  }
}
