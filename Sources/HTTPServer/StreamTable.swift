internal import Platform

/// The streamed answers that are being sent, so that all of them can be woken when the server stops.
final class StreamTable: Sendable {
  private let streams = Monitor<[ObjectIdentifier: HTTPBodyStream]>([:])

  func insert(_ stream: HTTPBodyStream) {
    streams.withLock { $0[ObjectIdentifier(stream)] = stream }
  }

  func remove(_ stream: HTTPBodyStream) {
    streams.withLock { $0[ObjectIdentifier(stream)] = nil }
  }

  /// Has every source asked again.
  func wakeAll() {
    for stream in streams.withLock({ Array($0.values) }) { stream.wake() }
  }
}
