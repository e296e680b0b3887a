/// A session's folded state: what ``evolve(_:_:)`` makes of its events.
public struct Session: Equatable, Sendable {
  /// Whether the current life goes on, as far as events tell. Whether its time ran out is asked of
  /// ``isLive(at:timeToLive:)``.
  public enum Status: UInt8, Sendable {
    /// The session lives.
    case active = 0
    /// It was ended; its tombstone holds off late saves.
    case ended = 1
    /// Its time to live ran out and that has been recorded.
    case expired = 2
    /// What it held was erased. No tombstone stands: the next upsert begins a new life, as new data.
    case erased = 3
  }

  /// A request with an `Idempotency-Key` that this session has accepted.
  public struct AcceptedRequest: Equatable, Sendable {
    /// The value of ``Session/eventCount`` after its event.
    public var number: UInt64
    /// Stands for the key.
    public var key: Fingerprint
    /// Stands for the whole request.
    public var fingerprint: Fingerprint
    /// The version that it led to.
    public var version: UInt32

    /// A request with all its parts.
    public init(number: UInt64, key: Fingerprint, fingerprint: Fingerprint, version: UInt32) {
      self.number = number
      self.key = key
      self.fingerprint = fingerprint
      self.version = version
    }
  }

  /// How many of a session's last events the memory of idempotency keys reaches back (API contract).
  public static let rememberedEvents = 32

  /// Which life of the id this is, from 1.
  public var life: UInt32
  /// The number of accepted changes in this life, from 1: `metadata.version`.
  public var version: UInt32
  /// Whether this life goes on.
  public var status: Status
  /// What the shop keeps; empty once the life is over.
  public var context: SessionContext
  /// When this life began.
  public var createdAt: Instant
  /// When the last change was accepted.
  public var modifiedAt: Instant
  /// When something last happened, touches included: the time to live counts from here.
  public var activeAt: Instant
  /// The position of the session's last event in the tenant's log.
  public var lastPosition: UInt64
  /// The number of events of all lives that moved a version; the key memory is counted by it.
  public var eventCount: UInt64
  /// The fingerprint of the request that led to the current version, nil when no request did.
  public var lastRequest: Fingerprint?
  /// The requests with a key among the last ``rememberedEvents`` events, oldest first.
  public var acceptedRequests: [AcceptedRequest]

  /// A state with all its parts.
  public init(
    life: UInt32, version: UInt32, status: Status, context: SessionContext, createdAt: Instant, modifiedAt: Instant,
    activeAt: Instant, lastPosition: UInt64, eventCount: UInt64, lastRequest: Fingerprint?,
    acceptedRequests: [AcceptedRequest]
  ) {
    self.life = life
    self.version = version
    self.status = status
    self.context = context
    self.createdAt = createdAt
    self.modifiedAt = modifiedAt
    self.activeAt = activeAt
    self.lastPosition = lastPosition
    self.eventCount = eventCount
    self.lastRequest = lastRequest
    self.acceptedRequests = acceptedRequests
  }
}

/// How long sessions live without activity, in seconds; 0: for ever.
public struct TimeToLive: Equatable, Sendable {
  /// For sessions without a customer.
  public var anonymousSeconds: Int64
  /// For sessions with a customer.
  public var customerSeconds: Int64

  /// Times to live of both classes, in seconds; 0: for ever.
  public init(anonymousSeconds: Int64 = 3600, customerSeconds: Int64 = 0) {
    self.anonymousSeconds = anonymousSeconds
    self.customerSeconds = customerSeconds
  }

  /// When a session that was last active at `activeAt` expires, nil when it never does.
  public func expiry(activeAt: Instant, isCustomer: Bool) -> Instant? {
    let seconds = isCustomer ? customerSeconds : anonymousSeconds
    return seconds == 0 ? nil : activeAt.advanced(bySeconds: seconds)
  }

  /// When activity after `activeAt` is worth an event again: a tenth of the time to live later, so that at most one in
  /// ten of it is lost. Nil when the session never expires.
  public func nextTouch(activeAt: Instant, isCustomer: Bool) -> Instant? {
    let seconds = isCustomer ? customerSeconds : anonymousSeconds
    return seconds == 0 ? nil : Instant(microseconds: activeAt.microseconds + seconds * 100_000)
  }
}

extension Session {
  /// Whether activity at `now` is worth an event.
  func isTouchDue(at now: Instant, timeToLive: TimeToLive) -> Bool {
    timeToLive.nextTouch(activeAt: activeAt, isCustomer: context.customerID != nil).map { now >= $0 } ?? false
  }

  /// Whether the session can be read at `now`: neither ended nor expired, to the microsecond.
  public func isLive(at now: Instant, timeToLive: TimeToLive) -> Bool {
    guard status == .active else { return false }
    guard let expiry = timeToLive.expiry(activeAt: activeAt, isCustomer: context.customerID != nil) else { return true }
    return now < expiry
  }
}
