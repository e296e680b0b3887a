internal import Platform
public import SessionCodec
public import SessionModel

/// An event's payload by itself, as its stored form has it.
public struct StoredPayload: Equatable, Sendable {
  /// What the event changed.
  public var changes: ContextChanges
  /// Who asked for it.
  public var origin: Origin
  /// The request that led to it.
  public var request: RequestMark?

  /// A payload of those parts.
  public init(
    changes: ContextChanges = ContextChanges(), origin: Origin = Origin(actor: ""), request: RequestMark? = nil
  ) {
    self.changes = changes
    self.origin = origin
    self.request = request
  }

  /// The payload of `event`.
  public init(_ event: Event) {
    self.init(changes: event.changes, origin: event.origin, request: event.request)
  }

  /// The payload whose bytes are of format 1. Throws when they can't be one.
  public init(format1 bytes: Span<UInt8>) throws(DamagedRecord) {
    let (changes, origin, request) = try EventPayload.read(format1: bytes)
    self.init(changes: changes, origin: origin, request: request)
  }

  /// Its bytes in the newest format.
  public var bytes: [UInt8] {
    let event = Event(
      position: 1, previousPosition: 0, life: 1, version: 1, recordedAt: Instant(microseconds: 0),
      sessionID: SessionID(valid: "s"), kind: .started, changes: changes, origin: origin, request: request)
    let byteCount = EventPayload.byteCount(of: event)
    var bytes: [UInt8] = []
    bytes.append(addingCapacity: byteCount) { EventPayload.append(event, to: &$0) }
    precondition(bytes.count == byteCount)
    return bytes
  }
}
