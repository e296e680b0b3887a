import SessionModel
import TestSupport

/// A session's past, for tests that read: given these events, when this command, then this decision.
struct Given {
  private(set) var events: [Event] = []
  var rules = DecisionRules()

  static let session = SessionID(valid: "s1")
  /// What the first event's request is marked with; the later ones count up from it.
  static let firstFingerprint: UInt64 = 100

  /// No events at all.
  static let nothing = Given()

  /// A session that began with `context`.
  static func started(_ context: SessionContext = SessionContext(), key: Fingerprint? = nil) -> Given {
    Given().and(.started, ContextChanges(from: SessionContext(), to: context), key: key)
  }

  /// What the events lead to.
  var state: Session? { events.reduce(into: nil as Session?) { evolve(&$0, $1) } }

  /// When the last event was recorded; the events are a second apart.
  var lastTime: Instant { events.last?.recordedAt ?? .start }

  /// Its fingerprint, as a request's mark carries it.
  static func fingerprint(_ number: Int) -> Fingerprint {
    Fingerprint(low: firstFingerprint + UInt64(number), high: 7)
  }

  /// Another event, a second later, in the same life unless it starts a new one.
  func and(
    _ kind: Event.Kind, _ changes: ContextChanges = ContextChanges(), key: Fingerprint? = nil,
    fingerprint: Fingerprint? = nil
  ) -> Given {
    var given = self
    let last = events.last
    let isNewLife = kind == .started
    given.events.append(
      Event(
        position: UInt64(events.count + 1), previousPosition: last?.position ?? 0,
        life: (last?.life ?? 0) + (isNewLife ? 1 : 0),
        version: isNewLife ? 1 : (last?.version ?? 0) + (kind.movesVersion ? 1 : 0),
        recordedAt: Instant.start.advanced(bySeconds: Int64(events.count)), sessionID: Self.session, kind: kind,
        changes: changes, origin: Origin(actor: "test"),
        request: RequestMark(fingerprint: fingerprint ?? Self.fingerprint(events.count), key: key)))
    return given
  }

  /// The same event over and over.
  func and(_ count: Int, times kind: Event.Kind, _ changes: ContextChanges = ContextChanges()) -> Given {
    (0..<count).reduce(self) { given, _ in given.and(kind, changes) }
  }

  func ruled(_ change: (inout DecisionRules) -> Void) -> Given {
    var given = self
    change(&given.rules)
    return given
  }

  /// Decides on a command, a second after the last event unless another time is given.
  func when(
    _ action: Command.Action, naming version: Int64? = nil, ifMatch: Precondition.Versions? = nil,
    ifNoneMatch: Precondition.Versions? = nil, proof: CustomerProof = .notRequired,
    fingerprint: Fingerprint = Fingerprint(low: 1, high: 1), key: Fingerprint? = nil, at time: Instant? = nil,
    openSessions: UInt64 = 0
  ) -> Decision {
    let command = Command(
      sessionID: Self.session, action: action,
      precondition: Precondition(expectedVersion: version, ifMatch: ifMatch, ifNoneMatch: ifNoneMatch),
      customerProof: proof, request: RequestMark(fingerprint: fingerprint, key: key), origin: Origin(actor: "test"))
    return decide(
      command, on: state, at: time ?? lastTime.advanced(bySeconds: 1), by: rules, openSessions: openSessions)
  }
}

extension SessionContext {
  /// A context with these fields set.
  init(_ fields: [Field: String], attributes: [Attribute] = []) {
    self.init()
    for (field, value) in fields { self[field] = value }
    self.attributes = attributes
  }
}

extension ContextChanges {
  /// The change of one field.
  static func one(_ field: Field, _ value: String?) -> ContextChanges {
    ContextChanges(fields: [FieldChange(field: field, value: value)])
  }
}

extension Attribute {
  init(_ name: String, _ json: String) {
    self.init(name: name, value: Array(json.utf8))
  }
}

/// An idempotency key.
func key(_ number: UInt64) -> Fingerprint { Fingerprint(low: number, high: 99) }
