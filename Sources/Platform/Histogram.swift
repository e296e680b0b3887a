/// Counts of values by size, for the quantiles of a distribution: cheap to add to, never forgets.
public struct Histogram: Sendable, Equatable {
  /// The upper bounds of the buckets, ascending; a last bucket without a bound follows.
  public let bounds: [UInt64]
  /// How many values were at most the bucket's bound and above the one before it.
  public private(set) var counts: [UInt64]
  /// The sum of all values.
  public private(set) var sum: UInt64 = 0

  /// An empty histogram.
  public init(bounds: [UInt64]) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count + 1)
  }

  /// What was counted elsewhere: the number of values in each bucket, one more than there are bounds, and their sum.
  public init(bounds: [UInt64], counts: [UInt64], sum: UInt64) {
    precondition(counts.count == bounds.count + 1)
    self.bounds = bounds
    self.counts = counts
    self.sum = sum
  }

  /// Bounds for durations in nanoseconds: 100 µs to 10 s, three to a decade.
  public static let durationBounds: [UInt64] = [
    100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000,
    250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000,
  ]

  /// Adds a value.
  public mutating func add(_ value: UInt64) {
    counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
    sum += value
  }
}
