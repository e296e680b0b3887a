internal import EventLog
internal import Platform
internal import Projections
internal import SessionCodec
public import SessionModel

/// An event as the log has it.
public struct RecordedEvent: Equatable, Sendable {
  /// The event.
  public let event: Event
  /// Whether its payload was removed, so that its changes and origin can't be told any more.
  public let isErased: Bool
}

extension RecordedEvent {
  /// The event of a record. Throws when it can't be one.
  init(_ frame: FrameView) throws(DamagedRecord) {
    self.init(event: try frame.event(), isErased: frame.isErased)
  }
}

/// A session as it was at a position of its tenant's log.
public struct PastSession: Equatable, Sendable {
  /// The folded state.
  public let session: Session
  /// The position of the tenant's log that was asked for, or up to which the time goes; for a version, that of the session's
  /// last event.
  public let position: UInt64
  /// Whether the payload of an event that led here was removed: some fields may be absent for that.
  public let isErased: Bool
}

/// Two versions of a session, each as the context that it holds; one that ended the session holds none.
public enum Comparison: Equatable, Sendable {
  /// The session never had an event.
  case noSession
  /// No life of the session had this version.
  case noVersion(UInt32)
  /// Both versions are of this life, the last one that had both. `isErased`: the payload of an event that led to one of
  /// them was removed, so that fields may be absent for that.
  case versions(life: UInt32, from: SessionContext, to: SessionContext, isErased: Bool)
}

/// A point in a session's history.
public enum Moment: Equatable, Sendable {
  /// After the change that led to this version, in the session's last life that had one.
  case version(UInt32)
  /// At this time.
  case time(Instant)
  /// At this position of the tenant's log.
  case position(UInt64)
}

/// Answers questions about the past of single sessions by replaying their events, which chain backwards.
///
/// Works on a log alone, beside a daemon or in one. Costs what the session's life is long, whatever the log's size; of a
/// life it holds no more than the positions of its events.
struct History {
  let log: EventLog
  let tenant: TenantID

  /// How many events are read in one read transaction.
  private static let chunk = 256

  /// The session whose newest event is at `last`, as it was at `moment`; nil when it had not begun. `wentOn`: its next event
  /// shows that this life went on, whatever its time to live was.
  func session(
    last: UInt64, at moment: Moment
  ) throws(EventLogError) -> (past: PastSession, wentOn: Bool)? {
    let (life, wentOn) = try life(from: last) { frame in
      switch moment {
      case .version(let version): frame.version == version
      case .time(let time): frame.recordedAt <= time
      case .position(let position): frame.position <= position
      }
    }
    var state: Session?
    var isErased = false
    try replay(life) { recorded in
      evolve(&state, recorded.event)
      isErased = isErased || recorded.isErased
    }
    guard let state else { return nil }
    let position =
      switch moment {
      case .version, .position(.max): state.lastPosition
      case .time(let time): try log.lastPosition(of: tenant, at: time)
      case .position(let position): position
      }
    return (PastSession(session: state, position: position, isErased: isErased), wentOn)
  }

  /// What two versions hold of the session whose newest event is at `last`, 0 for none.
  func compare(last: UInt64, from: UInt32, to: UInt32) throws(EventLogError) -> Comparison {
    guard last > 0 else { return .noSession }
    // A life has every version up to its last one: the last life that had the later version had both.
    let (earlier, later) = (min(from, to), max(from, to))
    let (life, _) = try life(from: last) { $0.version == later }
    var states: (earlier: Session?, now: Session?)
    var isErased = false
    try replay(life) { recorded in
      if recorded.event.version > earlier, states.earlier == nil { states.earlier = states.now }
      evolve(&states.now, recorded.event)
      isErased = isErased || recorded.isErased
    }
    guard let new = states.now else { return .noVersion(later) }
    let old = states.earlier ?? new
    let isForward = from <= to
    return .versions(
      life: new.life, from: (isForward ? old : new).heldContext, to: (isForward ? new : old).heldContext,
      isErased: isErased)
  }

  /// Hands up to `limit` events of a session from position `from` backwards to `body`, newest first, until it returns
  /// that it has enough. Returns where the older ones begin, 0 when there are none.
  func read(
    from: UInt64, limit: Int, _ body: (RecordedEvent) -> Bool
  ) throws(EventLogError) -> UInt64 {
    try log.walk(tenant, from: from, limit: limit) { frame throws(DamagedRecord) in
      body(try RecordedEvent(frame))
    }
  }

  /// The position of the newest event before `version` of the life of the session's event at `from`, 0 without one. Before
  /// the first version come the events of the lives before.
  func position(before version: UInt32, from: UInt64) throws(EventLogError) -> UInt64 {
    var found: UInt64 = 0
    var life: UInt32?
    var next = from
    while next > 0 && found == 0 {
      next = try log.walk(tenant, from: next, limit: Self.chunk) { frame in
        let last = life ?? frame.life
        life = last
        if frame.version < version || frame.life < last { found = frame.position }
        return found == 0
      }
    }
    return found
  }

  /// The positions of a life's events in order, up to the session's newest event at `last` or before that is `wanted`; and
  /// whether the one behind that shows that the life went on.
  private func life(
    from last: UInt64, upTo wanted: (FrameView) -> Bool
  ) throws(EventLogError) -> (positions: [UInt64], wentOn: Bool) {
    var positions: [UInt64] = []
    var successor: (life: UInt32, kind: UInt8)?
    var wentOn = false
    var isDone = false
    var next = last
    while next > 0 && !isDone {
      next = try log.walk(tenant, from: next, limit: Self.chunk) { frame in
        if positions.isEmpty {
          guard wanted(frame) else {
            successor = (frame.life, frame.kind)
            return true
          }
          wentOn = successor.map { $0.life == frame.life && Event.Kind(rawValue: $0.kind)?.showsLife == true } ?? false
        }
        positions.append(frame.position)
        isDone = frame.kind == Event.Kind.started.rawValue
        return !isDone
      }
    }
    positions.reverse()
    return (positions, wentOn)
  }

  /// Hands the events at `positions` to `body`, one at a time.
  private func replay(_ positions: [UInt64], _ body: (RecordedEvent) -> Void) throws(EventLogError) {
    for start in stride(from: 0, to: positions.count, by: Self.chunk) {
      let part = positions[start..<min(start + Self.chunk, positions.count)]
      try log.read(tenant, at: part) { frame throws(DamagedRecord) in
        body(try RecordedEvent(frame))
      }
    }
  }
}

extension Event.Kind {
  /// Whether an event of this kind happens only to a session whose time hasn't run out.
  fileprivate var showsLife: Bool {
    switch self {
    case .replaced, .patched, .attributeSet, .attributeRemoved, .touched, .ended: true
    case .started, .expired, .erased: false
    }
  }
}

extension Session {
  /// What the session holds: nothing any more once it is over.
  fileprivate var heldContext: SessionContext { status == .active ? context : SessionContext() }
}
