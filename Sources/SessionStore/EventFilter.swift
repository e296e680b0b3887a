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
  private var carriers: Set<SessionID>

  /// A filter of those parts. `carriers` are the sessions that carry or carried the customer's id already.
  init(kind: Event.Kind?, session: SessionID?, customer: String?, carriers: Set<SessionID> = []) {
    self.kind = kind
    self.session = session
    self.customer = customer
    self.carriers = carriers
  }

  /// Whether an event passes as far as its record's header tells, which costs less than to read the event.
  func mayPass(_ frame: FrameView) -> Bool {
    if let kind, frame.kind != kind.rawValue { return false }
    guard let session else { return true }
    return session.description.withBytes { frame.sessionID.isEqual(to: $0) }
  }

  /// Whether an event passes that `mayPass`. A session that comes to carry the customer's id passes from that event on.
  mutating func passes(_ event: Event) -> Bool {
    guard let customer else { return true }
    let names = event.sets(customer: customer)
    if names { carriers.insert(event.sessionID) }
    return names || carriers.contains(event.sessionID)
  }
}

extension Event {
  /// Whether the event makes its session carry that customer's id.
  func sets(customer: String) -> Bool {
    changes.fields.contains { $0.field == .customerID && $0.value?.utf8.elementsEqual(customer.utf8) == true }
  }
}
