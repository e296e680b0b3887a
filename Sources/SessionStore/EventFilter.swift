internal import EventLog
internal import Platform
public import SessionModel

/// Which events of a tenant are asked for: those that pass all of its parts. Nil: any.
public struct EventFilter: Equatable, Sendable {
  /// Events of this kind.
  public let kind: Event.Kind?
  /// Events of this session.
  public let session: SessionID?
  /// Events of the sessions that carry or carried this customer's id.
  public let customer: String?
  /// Those that are known to.
  private var carriers: CustomerSessions

  /// A filter of those parts, with what is known of the customer's sessions already.
  init(
    kind: Event.Kind?, session: SessionID?, customer: String?, carriers: CustomerSessions = CustomerSessions()
  ) {
    self.kind = kind
    self.session = session
    self.customer = customer
    self.carriers = carriers
  }

  /// Whether an event passes as far as its record's header tells, which costs less than to read the event.
  func mayPass(_ frame: FrameView) -> Bool {
    // Of another kind, an event may still be the one with which a session begins to carry the customer.
    if let kind, customer == nil, frame.kind != kind.rawValue { return false }
    guard let session else { return true }
    return frame.isOf(session)
  }

  /// Whether an event passes that `mayPass`. A session that comes to carry the customer's id passes from that event on, one
  /// that is erased up to that event: what begins afterwards is somebody else's.
  mutating func passes(_ event: Event) -> Bool {
    if let customer, !carriers.take(event, of: customer) { return false }
    return kind == nil || event.kind == kind
  }
}

/// The sessions of a tenant that carry or carried a customer's id, as of a position of its log, and as it goes on.
struct CustomerSessions: Equatable, Sendable {
  private var sessions: Set<SessionID>
  /// How far the log was when those were known: what was erased before is not among them, whatever came of it since.
  private var position: UInt64

  init(_ sessions: some Sequence<SessionID> = [], asOf position: UInt64 = 0) {
    self.sessions = Set(sessions)
    self.position = position
  }

  /// Takes in an event that follows those that were taken in. Returns whether it is of a session that carries or carried
  /// the id, now or before an erasure.
  @discardableResult
  mutating func take(_ event: Event, of customer: String) -> Bool {
    if event.sets(customer: customer) {
      sessions.insert(event.sessionID)
      return true
    }
    guard event.kind == .erased, event.position > position else { return sessions.contains(event.sessionID) }
    return sessions.remove(event.sessionID) != nil
  }

  /// Takes in that all events up to `position` have been taken in, though they may be handed in again.
  mutating func advance(to position: UInt64) { self.position = max(self.position, position) }
}

extension Event {
  /// Whether the event makes its session carry that customer's id.
  fileprivate func sets(customer: String) -> Bool {
    changes.fields.contains { $0.field == .customerID && $0.value?.utf8.elementsEqual(customer.utf8) == true }
  }
}
