internal import Synchronization

/// How much work of the HTTP workers feeds may take, so that however many of them read, requests are answered.
///
/// Reading and rendering are counted by their time; on average feeds may take half a core of it.
final class FeedBudget: Sendable {
  /// The time until which the work done so far is paid for.
  private let paidUntil = Atomic<UInt64>(0)

  /// Nanoseconds to wait for each nanosecond of work.
  private static let price: UInt64 = 2
  /// Nanoseconds by which work may run ahead.
  private static let credit: UInt64 = 50_000_000

  /// Whether feeds have to wait.
  func isSpent(at now: UInt64) -> Bool {
    paidUntil.load(ordering: .relaxed) > now + Self.credit
  }

  /// Counts work that began at `start` and ended now.
  func spend(from start: UInt64, to now: UInt64) {
    let cost = (now - start) * Self.price
    var paid = paidUntil.load(ordering: .relaxed)
    while true {
      let result = paidUntil.weakCompareExchange(expected: paid, desired: max(paid, start) + cost, ordering: .relaxed)
      if result.exchanged { return }
      paid = result.original
    }
  }
}
