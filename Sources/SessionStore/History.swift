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

/// A session as it was at a position of its tenant's log.
public struct PastSession: Equatable, Sendable {
  /// The folded state.
  public let session: Session
  /// The position that was asked for; the session's last event may lie before it.
  public let position: UInt64
  /// Whether the payload of an event that led here was removed: some fields may be absent for that.
  public let isErased: Bool
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
/// Works on a log alone, beside a daemon or in one; costs what the session's life is long, whatever the log's size.
struct History {
  let log: EventLog
  let tenant: TenantID

  /// How many events are read in one read transaction.
  private static let chunk = 1024

  /// The session whose newest event is at `last`, as it was at `moment`; nil when it had not begun.
  func session(last: UInt64, at moment: Moment) throws(EventLogError) -> PastSession? {
    let limit: UInt64
    switch moment {
    case .version: limit = .max
    case .position(let position): limit = position
    case .time(let time): limit = try log.lastPosition(of: tenant, at: time)
    }
    var life: [RecordedEvent] = []
    var isDone = false
    var next = last
    while next > 0 && !isDone {
      next = try log.walk(tenant, from: next, limit: Self.chunk) { frame throws(DamagedRecord) in
        guard frame.position <= limit else { return true }
        // Until the version is met nothing counts: what came later, and later lives.
        if case .version(let version) = moment, life.isEmpty, frame.version != version { return true }
        life.append(RecordedEvent(event: try frame.event(), isErased: frame.isErased))
        isDone = frame.kind == Event.Kind.started.rawValue
        return !isDone
      }
    }
    var state: Session?
    for recorded in life.reversed() { state = evolve(state, recorded.event) }
    guard let state else { return nil }
    let position = limit == .max ? state.lastPosition : limit
    return PastSession(session: state, position: position, isErased: life.contains { $0.isErased })
  }

  /// Up to `limit` events of a session from position `from` backwards, newest first, and where the page after begins.
  func events(from: UInt64, limit: Int) throws(EventLogError) -> (events: [RecordedEvent], next: UInt64) {
    var events: [RecordedEvent] = []
    let next = try log.walk(tenant, from: from, limit: limit) { frame throws(DamagedRecord) in
      events.append(RecordedEvent(event: try frame.event(), isErased: frame.isErased))
      return true
    }
    return (events, next)
  }

  /// The position of the newest event before `version` of the life of the session's event at `from`, 0 without one.
  func position(before version: UInt32, from: UInt64) throws(EventLogError) -> UInt64 {
    var found: UInt64 = 0
    var next = from
    while next > 0 && found == 0 {
      next = try log.walk(tenant, from: next, limit: Self.chunk) { frame in
        if frame.version < version { found = frame.position }
        return found == 0
      }
    }
    return found
  }
}
