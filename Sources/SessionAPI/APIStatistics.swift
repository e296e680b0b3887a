public import Platform
internal import Synchronization

/// Counts of answered requests by operation and status, and how long the answers took.
///
/// Counting is part of every request: it takes no lock and allocates nothing.
public final class APIStatistics: Sendable {
  /// The statuses that the API answers with; any other one is counted as 500.
  private static let statuses = [
    200, 201, 204, 304, 400, 401, 403, 404, 405, 406, 409, 410, 412, 413, 415, 422, 429, 500, 503, 507,
  ]
  private static let bounds = Histogram.durationBounds
  /// A row for each operation after one for none, each row with room for all columns.
  private static let width = 32
  private static let sumColumn = width - 1

  private let counts = InlineArray<1024, Atomic<UInt64>> { _ in Atomic(0) }
  private let durations = InlineArray<1024, Atomic<UInt64>> { _ in Atomic(0) }

  func count(_ operation: Operation?, status: Int, nanoseconds: UInt64) {
    let row = Self.row(operation)
    counts[row + Self.column(status)].add(1, ordering: .relaxed)
    let bucket = Self.bounds.firstIndex { nanoseconds <= $0 } ?? Self.bounds.count
    durations[row + bucket].add(1, ordering: .relaxed)
    durations[row + Self.sumColumn].add(nanoseconds, ordering: .relaxed)
  }

  private static func row(_ operation: Operation?) -> Int {
    (operation.map { $0.rawValue + 1 } ?? 0) * width
  }

  private static func column(_ status: Int) -> Int {
    statuses.firstIndex(of: status) ?? statuses.firstIndex(of: 500) ?? 0
  }

  /// The counts so far, in order: operation name, status, number.
  public var answered: [(operation: String, status: Int, count: UInt64)] {
    let operations: [Operation?] = [nil] + Operation.allCases
    let named = operations.map { (name: $0?.name ?? "none", row: Self.row($0)) }
    return named.sorted { $0.name < $1.name }.flatMap { name, row in
      Self.statuses.enumerated().compactMap { column, status in
        let count = counts[row + column].load(ordering: .relaxed)
        return count == 0 ? nil : (name, status, count)
      }
    }
  }

  /// The time from a whole request to its answer, in nanoseconds, by operation name.
  public var latencies: [(operation: String, nanoseconds: Histogram)] {
    Operation.allCases.compactMap { operation in
      let row = Self.row(operation)
      let buckets = (0...Self.bounds.count).map { durations[row + $0].load(ordering: .relaxed) }
      guard buckets.contains(where: { $0 > 0 }) else { return nil }
      let sum = durations[row + Self.sumColumn].load(ordering: .relaxed)
      return (operation.name, Histogram(bounds: Self.bounds, counts: buckets, sum: sum))
    }.sorted { $0.operation < $1.operation }
  }
}
