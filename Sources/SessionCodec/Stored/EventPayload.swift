public import SessionModel

// The part of an event that may be personal or large, and that erasure removes. Format 1: u8 what follows (1: a request's
// fingerprint, 2: its key's too), 16 bytes each; actor, request id and trace parent, each behind a u16 length; then the
// changed fields up to the end (FieldList).

/// The stored form of what an event changed, who asked for it and the request that led to it.
public enum EventPayload {
  /// How many bytes ``append(_:to:)`` appends.
  public static func byteCount(of event: Event) -> Int {
    let requestBytes = event.request.map { $0.key == nil ? 16 : 32 } ?? 0
    let origin = event.origin
    let originBytes = origin.actor.utf8.count + origin.requestID.utf8.count + origin.traceParent.utf8.count
    return 1 + requestBytes + 6 + originBytes + event.changes.storedByteCount
  }

  /// Appends the payload of `event` in the newest format; traps when there is no room for its ``byteCount(of:)``.
  @_lifetime(bytes: copy bytes)
  public static func append(_ event: Event, to bytes: inout OutputSpan<UInt8>) {
    if let request = event.request {
      bytes.append(request.key == nil ? 1 : 2)
      bytes.append(request.fingerprint)
      if let key = request.key { bytes.append(key) }
    } else {
      bytes.append(0)
    }
    bytes.appendText(event.origin.actor)
    bytes.appendText(event.origin.requestID)
    bytes.appendText(event.origin.traceParent)
    bytes.appendFields(event.changes)
  }

  /// The parts of a payload whose bytes are of format 1. Throws when they can't be one.
  ///
  /// - Parameter hasOrigin: whether it is wanted who asked; otherwise the origin's texts stay empty.
  public static func read(
    format1 bytes: Span<UInt8>, hasOrigin: Bool = true
  ) throws(DamagedRecord) -> (changes: ContextChanges, origin: Origin, request: RequestMark?) {
    var reader = RecordReader(bytes)
    let request = try reader.requestMark()
    let origin = hasOrigin ? try reader.origin() : try reader.skippedOrigin()
    return (try reader.fields(), origin, request)
  }
}

extension RecordReader {
  @_lifetime(self: copy self)
  fileprivate mutating func requestMark() throws(DamagedRecord) -> RequestMark? {
    switch try integer(UInt8.self) {
    case 0:
      return nil
    case 1:
      return RequestMark(fingerprint: try fingerprint())
    case 2:
      let fingerprint = try fingerprint()
      return RequestMark(fingerprint: fingerprint, key: try self.fingerprint())
    case let other:
      throw DamagedRecord("there is no request mark of kind \(other)")
    }
  }

  @_lifetime(self: copy self)
  fileprivate mutating func origin() throws(DamagedRecord) -> Origin {
    let actor = try text()
    let requestID = try text()
    return Origin(actor: actor, requestID: requestID, traceParent: try text())
  }

  @_lifetime(self: copy self)
  fileprivate mutating func skippedOrigin() throws(DamagedRecord) -> Origin {
    for _ in 0..<3 { _ = try bytes(Int(integer(UInt16.self))) }
    return Origin(actor: "")
  }
}
