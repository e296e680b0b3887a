internal import HTTPServer
internal import Platform
internal import SessionModel
internal import SessionStore

/// The feeds that have nothing to say for now.
///
/// A feed that has reached the end of its log waits here without a thread of its own. The writer only counts its commits;
/// one thread looks at the logs at most every 20 ms, and wakes the feeds that have something to read, the one that has
/// waited longest first.
final class FeedWaitingList: Sendable {
  /// A feed that waits.
  struct Entry {
    let stream: HTTPBodyStream
    let tenant: AuthorizedTenant
    /// It has read up to there.
    let position: UInt64
    /// When it wants to be woken without an event, on the monotonic clock.
    let dueNanoseconds: UInt64
  }

  private struct State {
    var entries: [Entry] = []
    /// When the thread looks again by itself.
    var nextLook: UInt64 = 0
    var isClosed = false
  }

  /// Between two looks at the logs, in milliseconds.
  private static let lookMilliseconds = 20
  /// The longest wait for a commit, in milliseconds.
  private static let restMilliseconds = 1000
  /// Feeds that are woken after one look, at most.
  private static let wakesPerLook = 256

  private let store: SessionStore
  private let budget: FeedBudget
  private let state = Monitor(State())
  private let pause = Monitor(false)

  init(store: SessionStore, budget: FeedBudget) {
    self.store = store
    self.budget = budget
  }

  /// The count of commits, to be read before the log.
  var commits: UInt64 { store.commits.count }

  /// Has a feed woken when its log grows or its time comes. It had read its log when the count of commits was `seen`.
  func add(_ entry: Entry, seen: UInt64) {
    let isEarlier = state.signal { state in
      state.entries.append(entry)
      return entry.dueNanoseconds < state.nextLook
    }
    // What was committed in between may have been looked for before the entry was here.
    if isEarlier || commits != seen { store.commits.advance() }
  }

  /// Ends `wakeFeeds`.
  func close() {
    state.signal { $0.isClosed = true }
    store.commits.advance()
  }

  /// Wakes feeds until `close`: the work of one thread.
  func wakeFeeds() {
    while let (waiting, seen) = take() {
      let (woken, kept, next) = sort(waiting, now: monotonicNanoseconds())
      state.withLock { state in
        // Those who wait longest stay in front.
        state.entries.insert(contentsOf: kept, at: 0)
        state.nextLook = next
      }
      for entry in woken { entry.stream.wake() }
      // Nobody signals it: however often is committed, the logs are looked at no more often than this.
      _ = pause.wait(milliseconds: Self.lookMilliseconds) { _ -> Bool? in nil }
      let rest = next.subtractingReportingOverflow(monotonicNanoseconds())
      store.commits.wait(after: seen, milliseconds: rest.overflow ? 0 : Int(rest.partialValue / 1_000_000) + 1)
    }
  }

  /// Waits for feeds that wait, and takes all of them with the count of commits; nil when the list is closed.
  private func take() -> (entries: [Entry], seen: UInt64)? {
    state.wait { state -> (entries: [Entry], seen: UInt64)?? in
      if state.isClosed { return .some(nil) }
      guard !state.entries.isEmpty else { return nil }
      defer { state.entries = [] }
      // Whoever is added from here on advances the count behind this one, as long as nobody knows when the next look is.
      state.nextLook = .max
      return (state.entries, commits)
    }
  }

  /// Tells the feeds to wake from those that go on waiting, and when to look again at the latest.
  private func sort(_ waiting: [Entry], now: UInt64) -> (woken: [Entry], kept: [Entry], next: UInt64) {
    var ends: [TenantID: UInt64] = [:]
    var woken: [Entry] = []
    var kept: [Entry] = []
    var next = now + UInt64(Self.restMilliseconds) * 1_000_000
    let room = budget.isSpent(at: now) ? 0 : Self.wakesPerLook
    for entry in waiting {
      if woken.count < room, entry.dueNanoseconds <= now || end(of: entry.tenant, &ends) > entry.position {
        woken.append(entry)
      } else {
        kept.append(entry)
        next = min(next, entry.dueNanoseconds)
      }
    }
    return (woken, kept, woken.count == room ? now : next)
  }

  private func end(of tenant: AuthorizedTenant, _ ends: inout [TenantID: UInt64]) -> UInt64 {
    if let end = ends[tenant.id] { return end }
    let end = store.lastPosition(of: tenant)
    ends[tenant.id] = end
    return end
  }
}
