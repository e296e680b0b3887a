/// An immutable fact of one session's past, as the log keeps it.
public struct Event: Equatable, Sendable {
  /// What happened. The raw value is the type's number in stored records: never reuse one.
  public enum Kind: UInt8, CaseIterable, Sendable {
    /// A life of the session began.
    case started = 1
    /// The context was replaced as a whole (PUT).
    case replaced = 2
    /// Some fields were changed (PATCH).
    case patched = 3
    /// One attribute was set.
    case attributeSet = 4
    /// One attribute was removed.
    case attributeRemoved = 5
    /// Activity that changed nothing moved the expiry.
    case touched = 6
    /// The time to live ran out.
    case expired = 7
    /// The session was ended: logout.
    case ended = 8
    /// Personal data was removed.
    case erased = 9

    /// The type's name in CloudEvents, with its version.
    public var name: String {
      switch self {
      case .started: "session.started.v1"
      case .replaced: "session.replaced.v1"
      case .patched: "session.patched.v1"
      case .attributeSet: "session.attribute-set.v1"
      case .attributeRemoved: "session.attribute-removed.v1"
      case .touched: "session.touched.v1"
      case .expired: "session.expired.v1"
      case .ended: "session.ended.v1"
      case .erased: "session.erased.v1"
      }
    }

    /// The kind of that name, nil when there is none.
    public init?(name: String) {
      guard let kind = Self.allCases.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) else { return nil }
      self = kind
    }

    /// Whether an event of this kind moves the session's version: all but touches do.
    public var movesVersion: Bool { self != .touched }
  }

  /// The place in the tenant's log, from 1, without gaps.
  public var position: UInt64
  /// The position of the same session's event before this one, 0 when there is none.
  public var previousPosition: UInt64
  /// Which life of the session id this belongs to, from 1.
  public var life: UInt32
  /// The session's version after this event, from 1 in each life.
  public var version: UInt32
  /// When it was accepted; never before its predecessor in the tenant's log.
  public var recordedAt: Instant
  /// The session.
  public var sessionID: SessionID
  /// What happened.
  public var kind: Kind
  /// What it changed.
  public var changes: ContextChanges
  /// Who asked for it, and how that can be traced.
  public var origin: Origin
  /// The request that led to it, nil for those that no request made, such as expiry.
  public var request: RequestMark?

  /// An event with all its parts.
  public init(
    position: UInt64, previousPosition: UInt64, life: UInt32, version: UInt32, recordedAt: Instant,
    sessionID: SessionID, kind: Kind, changes: ContextChanges, origin: Origin, request: RequestMark?
  ) {
    self.position = position
    self.previousPosition = previousPosition
    self.life = life
    self.version = version
    self.recordedAt = recordedAt
    self.sessionID = sessionID
    self.kind = kind
    self.changes = changes
    self.origin = origin
    self.request = request
  }
}

/// Who asked for a change, and how it can be traced through other systems. Empty texts where nothing is known.
public struct Origin: Equatable, Sendable {
  /// The caller, such as `service:backoffice` or `customer:8871`.
  public var actor: String
  /// The request's id (`X-Request-Id`).
  public var requestID: String
  /// The W3C `traceparent`.
  public var traceParent: String

  /// An origin with all its parts.
  public init(actor: String, requestID: String = "", traceParent: String = "") {
    self.actor = actor
    self.requestID = requestID
    self.traceParent = traceParent
  }

  /// That of expiries, for which nobody asked.
  public static var expiry: Origin { Origin(actor: "expiry") }
}

/// 128 bits that stand for something longer: a prefix of a SHA-256 digest.
public struct Fingerprint: Hashable, Sendable {
  /// The first eight bytes, least significant first.
  public let low: UInt64
  /// The next eight bytes, least significant first.
  public let high: UInt64

  /// A fingerprint of those halves.
  public init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }
}

/// What tells a request from another one, so that the same one is not applied twice.
public struct RequestMark: Equatable, Sendable {
  /// Stands for caller, operation and body: two requests with the same fingerprint are the same request.
  public var fingerprint: Fingerprint
  /// Stands for the caller's `Idempotency-Key`, nil when it sent none.
  public var key: Fingerprint?

  /// A mark of those parts.
  public init(fingerprint: Fingerprint, key: Fingerprint? = nil) {
    self.fingerprint = fingerprint
    self.key = key
  }
}
