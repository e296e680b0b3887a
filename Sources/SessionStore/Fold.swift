package import EventLog
internal import Platform
package import Projections
internal import SessionCodec
package import SessionModel

/// Folds a stretch of events over current states, and collects what that changes in the projections.
///
/// The writer, catch-up and rebuild all fold through this, so that they can't come to different snapshots.
package struct Fold {
  private let current: (SessionKey) throws(ProjectionsError) -> Session?
  private var slots: [SessionKey: Slot] = [:]
  private var publication = Publication()
  /// How far each log has been folded that has grown.
  private(set) var checkpoints: [TenantID: Checkpoint] = [:]
  private var trail = Trail()

  /// A fold over the states that `current` knows, with room for so many of them.
  package init(
    over current: @escaping (SessionKey) throws(ProjectionsError) -> Session?, expecting sessions: Int = 0
  ) {
    self.current = current
    slots.reserveCapacity(sessions)
  }

  /// The place of a session's state: looked up once for each event, and changed where it is. Only the fold changes it, which
  /// is one thread's, so that the runtime needn't look for other accesses at each one.
  final class Slot {
    fileprivate let key: SessionKey
    fileprivate let session: SessionID
    /// The state after the events folded so far.
    @safe @exclusivity(unchecked) fileprivate(set) var state: Session?
    /// Whether the session counts as open: begun and, as far as events tell, neither ended nor expired.
    @safe @exclusivity(unchecked) fileprivate var isOpen: Bool
    @safe @exclusivity(unchecked) fileprivate var isChanged = false

    /// Whether the state is already the fold up to `position` or further, by a flush that was stopped.
    fileprivate func holds(_ position: UInt64) -> Bool { state.map { $0.lastPosition >= position } ?? false }

    fileprivate init(_ key: SessionKey, _ session: SessionID, _ state: consuming Session?) {
      self.key = key
      self.session = session
      isOpen = state?.status == .active
      self.state = state
    }
  }

  /// The number of sessions that it holds, which tells roughly what memory it takes.
  var sessionCount: Int { slots.count }

  /// The place of a session's state.
  mutating func slot(of session: SessionID, in tenant: TenantID) throws(ProjectionsError) -> Slot {
    let key = SessionKey(tenant, session)
    if let slot = slots[key] { return slot }
    let slot = Slot(key, session, try current(key))
    slots[key] = slot
    return slot
  }

  /// Folds `event`, which follows `checkpoint` in `tenant`'s log and ends it at `tail`, into its session's `slot`.
  /// Returns the checkpoint after it.
  mutating func fold(
    _ event: Event, of tenant: TenantID, into slot: Slot, tail: LogTail, after checkpoint: Checkpoint
  ) -> Checkpoint {
    evolve(&slot.state, event)
    let isOpen = slot.state?.status == .active
    let opened: UInt64 = slot.isOpen == isOpen ? 0 : isOpen ? 1 : .max
    slot.isOpen = isOpen
    slot.isChanged = true
    publication.note(event, of: tenant)
    return Checkpoint(tail: tail, openSessions: checkpoint.openSessions &+ opened)
  }

  /// Takes in how far `tenant`'s log has been folded.
  mutating func advance(_ tenant: TenantID, to checkpoint: Checkpoint) { checkpoints[tenant] = checkpoint }

  /// Folds up to `limit` records of `tenant`'s log that follow `checkpoint`, which it moves on. A state that is ahead of the
  /// checkpoint stays until the log is further. Returns their length in bytes. Throws when a record is damaged, or a state
  /// can't be read.
  package mutating func replay(
    _ log: EventLog, of tenant: TenantID, after checkpoint: inout Checkpoint, limit: Int
  ) throws(StoreError) -> Int {
    let start = checkpoint.tail.position
    var byteCount = 0
    var failure: ProjectionsError?
    trail.follow(tenant, from: start)
    do throws(EventLogError) {
      _ = try log.replay(tenant, after: start, limit: limit) { frame throws(DamagedRecord) in
        let slot: Slot
        if let last = trail.slot(of: frame) {
          slot = last
        } else {
          let session = try frame.session()
          do throws(ProjectionsError) { slot = try self.slot(of: session, in: tenant) } catch {
            failure = error
            return false
          }
        }
        let tail = frame.tail
        let event = try frame.event(of: slot.session)
        if slot.holds(frame.position) {
          publication.note(event, of: tenant)
          checkpoint.tail = tail
        } else {
          checkpoint = fold(event, of: tenant, into: slot, tail: tail, after: checkpoint)
        }
        trail.slots.append(slot)
        byteCount += frame.byteCount
        return true
      }
    } catch {
      throw .log(error)
    }
    if let failure { throw StoreError(failure) }
    if checkpoint.tail.position > start { advance(tenant, to: checkpoint) }
    return byteCount
  }

  /// Where the records of one log went that were replayed one after the other: since each names the session's record
  /// before it, its place is found without a look-up.
  private struct Trail {
    private var tenant: TenantID?
    private var start: UInt64 = 0
    /// The places of the records that follow `start`.
    var slots: [Slot] = []

    /// Goes on behind `position` of `tenant`'s log, anew when that isn't where the trail ends.
    mutating func follow(_ tenant: TenantID, from position: UInt64) {
      if self.tenant == tenant, position == start + UInt64(slots.count) { return }
      self.tenant = tenant
      start = position
      slots.removeAll(keepingCapacity: true)
    }

    /// The place of the record's session, nil when its record before this one isn't on the trail.
    func slot(of frame: FrameView) -> Slot? {
      guard frame.previousPosition > start, frame.previousPosition - start <= UInt64(slots.count) else { return nil }
      let slot = slots[Int(frame.previousPosition - start) - 1]
      return frame.isOf(slot.session) ? slot : nil
    }
  }

  /// What the fold changes in the projections.
  package consuming func finish() -> Publication {
    publication.reserveCapacity(slots.count)
    for (key, slot) in slots where slot.isChanged {
      guard let state = slot.state else { continue }
      publication.setSnapshot(SnapshotRecord.encode(state, key: key.bytes.span), of: key)
    }
    for (tenant, checkpoint) in checkpoints { publication.setCheckpoint(checkpoint, of: tenant) }
    return publication
  }

  /// Brings what is known of a customer's sessions up to the events folded so far.
  func update(_ carriers: inout Carriers) { publication.update(&carriers) }
}
