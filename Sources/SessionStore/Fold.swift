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

  /// Folds `event` of `tenant` into the state of its session, which `before` is.
  mutating func apply(_ event: Event, of tenant: TenantID, key: SessionKey, before: Session?, tail: LogTail) {
    states[key] = evolve(before, event)
    publication.note(event, of: tenant, tail: tail)
  }

  /// What the fold changes in the projections.
  consuming func finish() -> Publication {
    for (key, state) in states {
      publication.setSnapshot(SnapshotRecord.encode(state, key: key.bytes.span), of: key)
    }
    return publication
  }
}
