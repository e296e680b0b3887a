public import Platform

/// Counts of what a store has done since it was opened.
public final class StoreStatistics: Sendable {
  /// The figures of one instant.
  public struct Figures: Sendable {
    /// The sizes of the writer's batches, in commands.
    public internal(set) var batchSizes = Histogram(bounds: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096])
    /// The time that batches took from deciding until readers saw what came of it, in nanoseconds.
    public internal(set) var batchNanoseconds = Histogram(bounds: Histogram.durationBounds)
    /// The time that commits of the log took with the sync of the disk, in nanoseconds.
    public internal(set) var commitNanoseconds = Histogram(bounds: Histogram.durationBounds)
    /// The number of rounds of the projector.
    public internal(set) var flushCount: UInt64 = 0
    /// The number of rounds of the sweeper.
    public internal(set) var sweepCount: UInt64 = 0
    /// The number of sessions whose expiry the sweeper has recorded.
    public internal(set) var expiredCount: UInt64 = 0
    /// The number of sessions that were erased because somebody asked for it.
    public internal(set) var erasedCount: UInt64 = 0
    /// The number of sessions that were erased because they had been closed for long enough.
    public internal(set) var retentionCount: UInt64 = 0
    /// The number of events whose payload was erased, for both reasons.
    public internal(set) var erasedEventCount: UInt64 = 0
    /// The number of sessions that the sweeper's last round left although their time has come, counted up to
    /// ``Sweeper/backlogLimit``.
    public internal(set) var sweepBacklog = 0
    /// What the logs of all tenants hold, as of a second before the last batch at most.
    public internal(set) var census = Census()
  }

  // Held for a few additions, once a batch.
  private let figures = Monitor(Figures())

  func countBatch(_ count: Int, nanoseconds: UInt64) {
    figures.withLock {
      $0.batchSizes.add(UInt64(count))
      $0.batchNanoseconds.add(nanoseconds)
    }
  }

  func countCommit(nanoseconds: UInt64, erasedEvents: Int = 0) {
    figures.withLock {
      $0.commitNanoseconds.add(nanoseconds)
      $0.erasedEventCount += UInt64(erasedEvents)
    }
  }

  func countErased(_ sessions: Int) {
    figures.withLock { $0.erasedCount += UInt64(sessions) }
  }

  func countRetention(_ sessions: Int) {
    figures.withLock { $0.retentionCount += UInt64(sessions) }
  }

  func countFlush() {
    figures.withLock { $0.flushCount += 1 }
  }

  func countExpired(_ count: Int) {
    figures.withLock { $0.expiredCount += UInt64(count) }
  }

  func countSweep(backlog: Int) {
    figures.withLock {
      $0.sweepCount += 1
      $0.sweepBacklog = backlog
    }
  }

  func setCensus(_ census: Census) {
    figures.withLock { $0.census = census }
  }

  /// The number of commands that the writer has worked on.
  public var commandCount: UInt64 { current.batchSizes.sum }

  /// What has been counted so far.
  public var current: Figures { figures.withLock { $0 } }
}
