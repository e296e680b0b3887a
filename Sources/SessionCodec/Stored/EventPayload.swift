public import SessionModel

/// The part of an event that may be personal or large, and that erasure removes.
public struct EventPayload: Equatable, Sendable {
  /// What the event changed.
  public var changes: ContextChanges
  /// Who asked for it.
  public var origin: Origin
  /// The request that led to it.
  public var request: RequestMark?

  /// A payload of those parts.
  public init(changes: ContextChanges, origin: Origin, request: RequestMark?) {
    self.changes = changes
    self.origin = origin
    self.request = request
  }

  // Format 1: u8 what follows (1: a request's fingerprint, 2: its key's too), 16 bytes each; actor, request id and trace
  // parent, each behind a u16 length; then the changed fields up to the end (FieldList).

  /// How many bytes ``append(to:)`` appends.
  public var byteCount: Int {
    let requestBytes = request.map { $0.key == nil ? 16 : 32 } ?? 0
    let originBytes = origin.actor.utf8.count + origin.requestID.utf8.count + origin.traceParent.utf8.count
    return 1 + requestBytes + 6 + originBytes + changes.storedByteCount
  }

  /// Appends the payload's bytes in the newest format; traps when there is no room for ``byteCount``.
  @_lifetime(bytes: copy bytes)
  public func append(to bytes: inout OutputSpan<UInt8>) {
    if let request {
      bytes.append(request.key == nil ? 1 : 2)
      bytes.append(request.fingerprint)
      if let key = request.key { bytes.append(key) }
    } else {
      bytes.append(0)
    }
    bytes.appendText(origin.actor)
    bytes.appendText(origin.requestID)
    bytes.appendText(origin.traceParent)
    bytes.appendFields(changes)
  }

  /// Reads the bytes of a payload of format 1. Throws when they can't be one.
  ///
  /// - Parameter hasOrigin: whether it is wanted who asked; otherwise the origin's texts stay empty.
  public init(format1 bytes: Span<UInt8>, hasOrigin: Bool = true) throws(DamagedRecord) {
    var reader = RecordReader(bytes)
    switch try reader.integer(UInt8.self) {
    case 0:
      request = nil
    case 1:
      request = RequestMark(fingerprint: try reader.fingerprint())
    case 2:
      let fingerprint = try reader.fingerprint()
      request = RequestMark(fingerprint: fingerprint, key: try reader.fingerprint())
    case let other:
      throw DamagedRecord("there is no request mark of kind \(other)")
    }
    if hasOrigin {
      let actor = try reader.text()
      let requestID = try reader.text()
      origin = Origin(actor: actor, requestID: requestID, traceParent: try reader.text())
    } else {
      for _ in 0..<3 { _ = try reader.bytes(Int(reader.integer(UInt16.self))) }
      origin = Origin(actor: "")
    }
    changes = try reader.fields()
  }
}
