internal import Platform

/// Counts of answered requests by operation and status.
public final class APIStatistics: Sendable {
  private struct Key: Hashable {
    let operation: Operation?
    let status: Int
  }

  // A short lock: a dictionary's update, nothing else.
  private let counts = Monitor<[Key: UInt64]>([:])

  func count(_ operation: Operation?, status: Int) {
    counts.withLock { $0[Key(operation: operation, status: status), default: 0] += 1 }
  }

  /// The counts so far, in order: operation name, status, number.
  public var answered: [(operation: String, status: Int, count: UInt64)] {
    counts.withLock { counts in counts.map { ($0.key.operation?.name ?? "none", $0.key.status, $0.value) } }
      .sorted { ($0.operation, $0.status) < ($1.operation, $1.status) }
  }
}
