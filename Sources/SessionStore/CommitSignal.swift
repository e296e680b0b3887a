internal import Platform
internal import Synchronization

/// Tells a waiting thread that logs have grown, at next to no cost for the writer: it counts, and takes a lock only when
/// somebody waits.
public final class CommitSignal: Sendable {
  private let counter = Atomic<UInt64>(0)
  private let isAwaited = Atomic(false)
  /// How often the waiting thread was told.
  private let news = Monitor<UInt64>(0)

  init() {}

  /// How often the logs have grown. Whatever is read from a log after this was read holds at least that much.
  public var count: UInt64 { counter.load(ordering: .sequentiallyConsistent) }

  /// Says that the logs may have grown: the writer after each commit, and who wants the waiting thread to look again.
  public func advance() {
    counter.add(1, ordering: .sequentiallyConsistent)
    // The waiting thread says that it waits, then looks at the count; this counts, then looks whether somebody waits.
    // All four are sequentially consistent, so one of the two sees the other.
    if isAwaited.exchange(false, ordering: .sequentiallyConsistent) { news.signal { $0 &+= 1 } }
  }

  /// Waits until the count differs from `seen`, for `milliseconds` at most. For one thread at a time.
  public func wait(after seen: UInt64, milliseconds: Int) {
    _ = news.wait(milliseconds: milliseconds) { _ -> Bool? in
      // Said anew at each look: whoever counted before `seen` was read may have taken it back only now.
      isAwaited.store(true, ordering: .sequentiallyConsistent)
      return count == seen ? nil : true
    }
    isAwaited.store(false, ordering: .sequentiallyConsistent)
  }
}
