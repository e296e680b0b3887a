internal import EventLog
internal import Projections
internal import SessionCodec
internal import SessionModel

/// Folds a stretch of events over current states, and collects what that changes in the projections.
///
/// The writer, catch-up and rebuild all fold through this, so that they can't come to different snapshots.
struct Fold {
  private let current: (SessionKey) throws(ProjectionsError) -> Session?
  private var states: [SessionKey: Session] = [:]
  private var publication = Publication()

  /// A fold over the states that `current` knows.
  init(over current: @escaping (SessionKey) throws(ProjectionsError) -> Session?) {
    self.current = current
  }

  /// Roughly the memory that the fold takes.
  var sessionCount: Int { states.count }

  /// A session's state after the events folded so far.
  mutating func state(_ key: SessionKey) throws(ProjectionsError) -> Session? {
    if let state = states[key] { return state }
    return try current(key)
  }

  /// Folds `event`, which follows `checkpoint` in `tenant`'s log and ends it at `tail`, into the state `before` of its
  /// session. Moves the checkpoint on.
  mutating func apply(
    _ event: Event, of tenant: TenantID, key: SessionKey, before: Session?, tail: LogTail,
    checkpoint: inout Checkpoint
  ) {
    let after = evolve(before, event)
    let isOpen = after.status == .active
    checkpoint.tail = tail
    if before.isOpen != isOpen { checkpoint.openSessions = checkpoint.openSessions &+ (isOpen ? 1 : .max) }
    states[key] = after
    publication.note(event, of: tenant, checkpoint: checkpoint)
  }

  /// What the fold changes in the projections.
  consuming func finish() -> Publication {
    for (key, state) in states {
      publication.setSnapshot(SnapshotRecord.encode(state, key: key.bytes.span), of: key)
    }
    return publication
  }
}

extension Session? {
  /// Whether the session counts as open: begun and, as far as events tell, neither ended nor expired.
  var isOpen: Bool { self?.status == .active }
}
