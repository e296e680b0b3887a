internal import EventLog
internal import Platform
public import SessionModel
internal import Synchronization

/// The bridge between log and projections: what is committed to the log and not yet flushed to disk, in memory.
///
/// The writer publishes here after the commit and before it answers. A reader looks here first and begins its read
/// transaction of the projections afterwards; since a flushed part is only dropped after its commit, it finds every
/// committed change in one of the two.
public final class Overlay: Sendable {
  private struct State {
    var active = Publication()
    var flushing: Publication?
    /// When the oldest change of each was published, on the monotonic clock in nanoseconds.
    var activeSince: UInt64 = 0
    var flushingSince: UInt64 = 0
    var isClosed = false
    /// The event up to which readers find each tenant's log folded in.
    var shown: [TenantID: LogTail] = [:]
  }

  private let state = Monitor(State())
  // Lets readers pass without the lock while everything is flushed, which is most of the time for most services.
  private let isOccupied = Atomic<Bool>(false)
  // The latest time of any event, in microseconds, which lets readers pass without the lock where the clock goes right.
  private let latestMicroseconds = Atomic<Int64>(.min)
  private let maximumBytes: Int

  /// An overlay that takes about `maximumBytes` before the writer has to wait.
  public init(maximumBytes: Int) {
    self.maximumBytes = maximumBytes
  }

  /// The newest snapshot of a session that has not been flushed, nil when the projections have it.
  public func snapshot(_ key: SessionKey) -> [UInt8]? {
    guard isOccupied.load(ordering: .sequentiallyConsistent) else { return nil }
    return state.withLock { $0.active.snapshots[key] ?? $0.flushing?.snapshots[key] }
  }

  /// What isn't flushed yet of the sessions that carry or carried a customer's id.
  public func carriers(of customer: String, in tenant: TenantID) -> Carriers {
    var carriers = Carriers(of: customer, in: tenant)
    guard isOccupied.load(ordering: .sequentiallyConsistent) else { return carriers }
    state.withLock { state in
      state.flushing?.update(&carriers)
      state.active.update(&carriers)
    }
    return carriers
  }

  /// Makes committed changes visible to all readers at once.
  public func publish(_ publication: Publication) {
    guard !publication.isEmpty else { return }
    state.signal { state in
      if state.active.isEmpty { state.activeSince = monotonicNanoseconds() }
      state.active.merge(publication)
      show(publication.checkpoints, in: &state)
      isOccupied.store(true, ordering: .sequentiallyConsistent)
    }
  }

  /// How far the events of `tenant`'s log can be seen in snapshots; 0 when none can. The log itself is ahead of that between
  /// a commit and its publication.
  public func shownPosition(of tenant: TenantID) -> UInt64 { state.withLock { $0.shown[tenant]?.position ?? 0 } }

  /// The time at which a reader has to look at `tenant`'s sessions: `now`, or the time of its last event where the clock has
  /// gone back behind that, since events are decided on at no earlier one.
  public func time(of tenant: TenantID, _ now: Instant) -> Instant {
    guard now.microseconds < latestMicroseconds.load(ordering: .relaxed) else { return now }
    return state.withLock { state in state.shown[tenant].map { max(now, $0.recordedAt) } ?? now }
  }

  /// Takes in how far the projections were when they were opened.
  public func show(_ checkpoints: [TenantID: Checkpoint]) { state.withLock { show(checkpoints, in: &$0) } }

  private func show(_ checkpoints: [TenantID: Checkpoint], in state: inout State) {
    for (tenant, checkpoint) in checkpoints {
      state.shown[tenant] = checkpoint.tail
      latestMicroseconds.max(checkpoint.tail.recordedAt.microseconds, ordering: .relaxed)
    }
  }

  /// Has the next flush move the entries of those sessions in the index of activity to where they are due again. Nothing
  /// is done for those that the flush under way moves.
  public func moveActivity(of sessions: [SessionKey]) {
    let underway = state.withLock { $0.flushing?.overtaken ?? [] }
    var publication = Publication()
    for session in sessions where !underway.contains(session) { publication.setOvertaken(session) }
    publish(publication)
  }

  /// Waits while the overlay is full: the writer's back-pressure when the projector lags. Returns false when it is closed,
  /// nil when it is still full after `milliseconds`.
  public func waitForRoom(milliseconds: Int) -> Bool? {
    state.wait(milliseconds: milliseconds) { state in
      if state.isClosed { return false }
      return state.active.byteCount < maximumBytes ? true : nil
    }
  }

  /// Whether there is enough to flush without waiting for more.
  public var isHalfFull: Bool { state.withLock { $0.active.byteCount >= maximumBytes / 2 } }

  /// Waits until there is much to flush, at most `milliseconds`. Returns whether no more will come.
  func waitUntilDue(milliseconds: Int) -> Bool {
    state.wait(milliseconds: milliseconds) { state -> Bool? in
      if state.isClosed { return true }
      return state.active.byteCount >= maximumBytes / 2 ? false : nil
    } ?? false
  }

  /// Waits until no more will come, at most `milliseconds`.
  func waitUntilClosed(milliseconds: Int) {
    _ = state.wait(milliseconds: milliseconds) { $0.isClosed ? true : nil }
  }

  /// Freezes what there is, for a flush. It stays visible until ``dropFlushed()``.
  func freeze() -> Publication? {
    state.withLock { Self.freeze(&$0) }
  }

  private static func freeze(_ state: inout State) -> Publication? {
    precondition(state.flushing == nil, "there is one projector, and it flushes one part at a time")
    guard !state.active.isEmpty else { return nil }
    state.flushing = state.active
    state.flushingSince = state.activeSince
    state.active = Publication()
    return state.flushing
  }

  /// Forgets the frozen part, which the projections hold durably now.
  func dropFlushed() {
    let dropped = state.signal { state -> Publication? in
      let flushing = state.flushing
      state.flushing = nil
      isOccupied.store(!state.active.isEmpty, ordering: .sequentiallyConsistent)
      return flushing
    }
    // Released here, where no lock is held.
    _ = consume dropped
  }

  /// Ends all waiting.
  public func close() {
    state.signal { $0.isClosed = true }
  }

  /// How long the oldest change has been waiting to be flushed, in seconds; 0 when none does.
  public var lagSeconds: Double {
    let since = state.withLock { state -> UInt64? in
      if state.flushing != nil { return state.flushingSince }
      return state.active.isEmpty ? nil : state.activeSince
    }
    guard let since else { return 0 }
    let now = monotonicNanoseconds()
    return now > since ? Double(now - since) / 1e9 : 0
  }

  /// What the overlay holds now.
  public var usage: (sessions: Int, events: Int, bytes: Int) {
    state.withLock { state in
      let parts = [state.active] + (state.flushing.map { [$0] } ?? [])
      return parts.reduce(into: (0, 0, 0)) { sum, part in
        sum.0 += part.snapshots.count
        sum.1 += part.eventCount
        sum.2 += part.byteCount
      }
    }
  }
}
