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

  /// Looks at the clients of the streams that wait, and wakes those whose client seems to be gone.
  func lookAtClients(now: UInt64, timeoutSeconds: Double) {
    let timeout = UInt64(timeoutSeconds * 1e9)
    for stream in streams.withLock({ Array($0.values) }) { stream.lookAtClient(now: now, timeoutNanoseconds: timeout) }
  }

  /// Has every source asked again.
  func wakeAll() {
    for stream in streams.withLock({ Array($0.values) }) { stream.wake() }
  }
}
