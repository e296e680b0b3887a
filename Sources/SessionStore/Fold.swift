internal import EventLog
internal import Projections
internal import SessionCodec
internal import SessionModel

/// Folds a stretch of events over current states, and collects what that changes in the projections.
///
/// The writer, catch-up and rebuild all fold through this, so that they can't come to different snapshots.
struct Fold {
  private let current: (SessionKey) throws(ProjectionsError) -> Session?
  private var slots: [SessionKey: Slot] = [:]
  private var publication = Publication()

  /// A fold over the states that `current` knows.
  init(over current: @escaping (SessionKey) throws(ProjectionsError) -> Session?) {
    self.current = current
  }

  /// The place of a session's state: looked up once for each event, and changed where it is.
  private final class Slot {
    var state: Session?

    init(_ state: Session?) {
      self.state = state
    }
  }

  /// Roughly the memory that the fold takes.
  var sessionCount: Int { slots.count }

  /// A session's state after the events folded so far.
  mutating func state(_ key: SessionKey) throws(ProjectionsError) -> Session? {
    if let slot = slots[key] { return slot.state }
    return try current(key)
  }

  /// Folds `event`, which follows `checkpoint` in `tenant`'s log and ends it at `tail`. Moves the checkpoint on.
  mutating func fold(
    _ event: Event, of tenant: TenantID, tail: LogTail, checkpoint: inout Checkpoint
  ) throws(ProjectionsError) {
    let key = SessionKey(tenant, event.sessionID)
    let slot: Slot
    if let known = slots[key] {
      slot = known
    } else {
      slot = Slot(try current(key))
      slots[key] = slot
    }
    let wasOpen = slot.state.isOpen
    slot.state = evolve(slot.state.take(), event)
    note(event, of: tenant, wasOpen: wasOpen, isOpen: slot.state.isOpen, tail: tail, checkpoint: &checkpoint)
  }

  /// Folds `event`, which follows `checkpoint` in `tenant`'s log and ends it at `tail`, into the state `before` of its
  /// session. Moves the checkpoint on.
  mutating func apply(
    _ event: Event, of tenant: TenantID, key: SessionKey, before: Session?, tail: LogTail,
    checkpoint: inout Checkpoint
  ) {
    let after = Session?(evolve(before, event))
    if let slot = slots[key] { slot.state = after } else { slots[key] = Slot(after) }
    note(event, of: tenant, wasOpen: before.isOpen, isOpen: after.isOpen, tail: tail, checkpoint: &checkpoint)
  }

  private mutating func note(
    _ event: Event, of tenant: TenantID, wasOpen: Bool, isOpen: Bool, tail: LogTail, checkpoint: inout Checkpoint
  ) {
    checkpoint.tail = tail
    if wasOpen != isOpen { checkpoint.openSessions = checkpoint.openSessions &+ (isOpen ? 1 : .max) }
    publication.note(event, of: tenant, checkpoint: checkpoint)
  }

  /// Brings what is known of a customer's sessions up to the events folded so far.
  func update(_ carriers: inout Carriers) { publication.update(&carriers) }

  /// What the fold changes in the projections.
  consuming func finish() -> Publication {
    for (key, slot) in slots {
      guard let state = slot.state else { continue }
      publication.setSnapshot(SnapshotRecord.encode(state, key: key.bytes.span), of: key)
    }
    return publication
  }
}

extension Session? {
  /// Whether the session counts as open: begun and, as far as events tell, neither ended nor expired.
  var isOpen: Bool { self?.status == .active }
}
