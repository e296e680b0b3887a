internal import Synchronization

/// Counts of what a store has done since it was opened.
public final class StoreStatistics: Sendable {
  private let batches = Atomic<UInt64>(0)
  private let commands = Atomic<UInt64>(0)
  private let batchNanoseconds = Atomic<UInt64>(0)
  private let flushes = Atomic<UInt64>(0)

  func countBatch(_ count: Int, nanoseconds: UInt64) {
    batches.add(1, ordering: .relaxed)
    commands.add(UInt64(count), ordering: .relaxed)
    batchNanoseconds.add(nanoseconds, ordering: .relaxed)
  }

  func countFlush() {
    flushes.add(1, ordering: .relaxed)
  }

  /// The number of batches that the writer has worked on.
  public var batchCount: UInt64 { batches.load(ordering: .relaxed) }
  /// The number of commands in them.
  public var commandCount: UInt64 { commands.load(ordering: .relaxed) }
  /// The time that they took from deciding to the commit, in seconds.
  public var batchSeconds: Double { Double(batchNanoseconds.load(ordering: .relaxed)) / 1e9 }
  /// The number of rounds of the projector.
  public var flushCount: UInt64 { flushes.load(ordering: .relaxed) }
}
