public import Platform
public import SessionCodec
public import SessionModel

// A record of the log. All numbers are little-endian.
//
//    0  u64  checksum of all that follows, seeded with the key's
//    8  u8   format, 1                                     ┐
//    9  u8   event type (Event.Kind)                       │
//   10  u16  0                                             │
//   12  u32  life                                          │
//   16  u32  session version                               │ header
//   20  u64  position                                      │
//   28  u64  previous position of this session, 0: none    │
//   36  i64  recorded at: microseconds since 1970          │
//   44  u8   length of the tenant's name                   │
//   45  u8   length of the session id                      │
//   46       tenant, session id                            ┘
//    …  32   payload digest: SHA-256(salt ‖ payload)
//    …  32   chain: SHA-256(chain of the tenant's previous record ‖ header ‖ payload digest)
//    …  16   salt                                          ┐ removed by erasure
//    …       payload (EventPayload)                        ┘
//
// The checksum finds accidents at every read for a few nanoseconds; the chain finds tampering when it is verified. The
// chain covers the payload by its salted digest alone, so it still holds when salt and payload have been erased.

/// Layout and encoding of the log's records.
public enum Frame {
  /// The format that is written.
  public static let format: UInt8 = 1
  /// The length of a salt in bytes.
  public static let saltByteCount = 16

  static let headerStart = 8
  static let fixedEnd = 46

  /// The record of `event` in `tenant`'s log, and the chain that it leads to.
  ///
  /// - Parameters:
  ///   - salt: 16 unpredictable bytes, so that nobody can guess an erased payload from its digest.
  ///   - previousChain: the chain of the tenant's record before it, `Digest.zero` for the first.
  public static func encode(
    _ event: Event, tenant: TenantID, salt: Span<UInt8>, previousChain: Digest
  ) -> (bytes: [UInt8], chain: Digest) {
    precondition(salt.count == saltByteCount)
    let name = tenant.description.utf8
    let session = event.sessionID.description.utf8
    let headerEnd = fixedEnd + name.count + session.count
    let secretStart = headerEnd + 2 * Digest.byteCount

    var bytes: [UInt8] = []
    bytes.append(addingCapacity: secretStart + saltByteCount + EventPayload.byteCount(of: event)) { bytes in
      bytes.appendLittleEndian(UInt64(0))
      bytes.append(format)
      bytes.append(event.kind.rawValue)
      bytes.appendLittleEndian(UInt16(0))
      bytes.appendLittleEndian(event.life)
      bytes.appendLittleEndian(event.version)
      bytes.appendLittleEndian(event.position)
      bytes.appendLittleEndian(event.previousPosition)
      bytes.appendLittleEndian(event.recordedAt.microseconds)
      bytes.append(UInt8(name.count))
      bytes.append(UInt8(session.count))
      tenant.description.withBytes { bytes.append(copying: $0) }
      event.sessionID.description.withBytes { bytes.append(copying: $0) }
      // The digests and the checksum need what stands behind them.
      Digest.zero.append(to: &bytes)
      Digest.zero.append(to: &bytes)
      bytes.append(copying: salt)
      EventPayload.append(event, to: &bytes)
    }
    let payloadDigest = sha256(bytes.span.extracting(secretStart..<bytes.count))
    bytes.store(payloadDigest, at: headerEnd)
    let chain = chain(after: previousChain, bytes.span.extracting(headerStart..<headerEnd + Digest.byteCount))
    bytes.store(chain, at: headerEnd + Digest.byteCount)
    let key = LogSchema.key(tenant, event.position)
    let checksum = checksum(bytes.span.extracting(8..<bytes.count), seed: checksum(key.span))
    bytes.storeLittleEndian(checksum, at: 0)
    return (bytes, chain)
  }

  /// Whose record `bytes` say they are, nil when they name nobody. Nothing is proved: it helps to tell what is wrong with a
  /// record that isn't whole or in its place.
  public static func claimedTenant(_ bytes: Span<UInt8>) -> TenantID? {
    guard bytes.count > fixedEnd, bytes.count - fixedEnd >= Int(bytes[44]) else { return nil }
    return TenantID(utf8: [UInt8](copying: bytes.extracting(fixedEnd..<fixedEnd + Int(bytes[44])))[...])
  }

  /// The chain after a record whose header and payload digest are `covered`.
  static func chain(after previous: Digest, _ covered: Span<UInt8>) -> Digest {
    var hasher = DigestHasher()
    hasher.update(previous)
    hasher.update(covered)
    return hasher.finish()
  }
}

/// A record of the log, read where it lies. Its checksum has been compared, so its bytes are those that were written.
public struct FrameView: ~Escapable {
  private let bytes: Span<UInt8>
  private let headerEnd: Int

  /// A view of the record `bytes` that is stored under `key`. Throws when the checksum, the format or a length is wrong.
  @_lifetime(copy bytes)
  public init(_ bytes: Span<UInt8>, key: Span<UInt8>) throws(DamagedRecord) {
    guard bytes.count >= Frame.fixedEnd else { throw DamagedRecord("the record is cut short") }
    guard bytes.loadLittleEndian(at: 0) == checksum(bytes.extracting(8..<bytes.count), seed: checksum(key)) else {
      throw DamagedRecord("the checksum doesn't fit the bytes")
    }
    guard bytes[8] == Frame.format else { throw DamagedRecord("the record has format \(bytes[8])") }
    headerEnd = Frame.fixedEnd + Int(bytes[44]) + Int(bytes[45])
    let digestsEnd = headerEnd + 2 * Digest.byteCount
    guard bytes.count == digestsEnd || bytes.count > digestsEnd + Frame.saltByteCount else {
      throw DamagedRecord("the record's lengths don't fit")
    }
    self.bytes = bytes
  }

  /// The record as it is stored.
  public var stored: Span<UInt8> {
    @_lifetime(copy self)
    get { bytes }
  }
  /// The record's length in bytes.
  public var byteCount: Int { bytes.count }
  /// The number of the event's type.
  public var kind: UInt8 { bytes[9] }
  /// Which life of the session id it belongs to.
  public var life: UInt32 { bytes.loadLittleEndian(at: 12) }
  /// The session's version after it.
  public var version: UInt32 { bytes.loadLittleEndian(at: 16) }
  /// Its place in the tenant's log.
  public var position: UInt64 { bytes.loadLittleEndian(at: 20) }
  /// The position of the session's event before it, 0: none.
  public var previousPosition: UInt64 { bytes.loadLittleEndian(at: 28) }
  /// When it was accepted.
  public var recordedAt: Instant { Instant(microseconds: bytes.loadLittleEndian(at: 36)) }

  /// The tenant's name as the record has it.
  public var tenant: Span<UInt8> {
    @_lifetime(copy self)
    get { bytes.extracting(Frame.fixedEnd..<Frame.fixedEnd + Int(bytes[44])) }
  }
  /// The session id's text.
  public var sessionID: Span<UInt8> {
    @_lifetime(copy self)
    get { bytes.extracting(headerEnd - Int(bytes[45])..<headerEnd) }
  }
  /// The digest of salt and payload, which outlives both.
  public var payloadDigest: Digest { Digest(bytes.extracting(headerEnd..<headerEnd + Digest.byteCount)) }
  /// The chain up to and including this record.
  public var chain: Digest {
    Digest(bytes.extracting(headerEnd + Digest.byteCount..<headerEnd + 2 * Digest.byteCount))
  }
  /// The end of a log whose last record this is.
  public var tail: LogTail { LogTail(position: position, chain: chain, recordedAt: recordedAt) }
  /// Whether salt and payload have been erased.
  public var isErased: Bool { bytes.count == headerEnd + 2 * Digest.byteCount }

  /// The record under `key` as it is once salt and payload are erased: all that the chain covers stays.
  func withoutPayload(key: Span<UInt8>) -> [UInt8] {
    var skeleton = [UInt8](copying: bytes.extracting(0..<headerEnd + 2 * Digest.byteCount))
    skeleton.storeLittleEndian(
      checksum(skeleton.span.extracting(8..<skeleton.count), seed: checksum(key)), at: 0)
    return skeleton
  }

  private var secret: Span<UInt8> {
    @_lifetime(copy self)
    get { bytes.extracting(headerEnd + 2 * Digest.byteCount..<bytes.count) }
  }

  /// Whether salt and payload are those whose digest was stored; true when they were erased.
  public var isPayloadIntact: Bool { isErased || sha256(secret) == payloadDigest }

  /// Whether this record follows one with the chain `previous`.
  public func follows(_ previous: Digest) -> Bool {
    Frame.chain(after: previous, bytes.extracting(Frame.headerStart..<headerEnd + Digest.byteCount)) == chain
  }

  /// Whether it is a record of `session`.
  public func isOf(_ session: SessionID) -> Bool { session.description.withBytes { sessionID.isEqual(to: $0) } }

  /// The session. Throws when the record's text can't be the id of one.
  public func session() throws(DamagedRecord) -> SessionID {
    guard let name = String(validating: sessionID), let session = SessionID(name) else {
      throw DamagedRecord("the session id can't be one")
    }
    return session
  }

  /// The event that the record holds; without changes and origin when they were erased. Throws when it can't be one.
  public func event() throws(DamagedRecord) -> Event { try event(of: session(), hasOrigin: true) }

  /// The event as far as it is folded: without who asked for it. Throws when it can't be one.
  ///
  /// - Parameter session: the session whose id the record holds.
  public func event(of session: SessionID) throws(DamagedRecord) -> Event { try event(of: session, hasOrigin: false) }

  private func event(of session: SessionID, hasOrigin: Bool) throws(DamagedRecord) -> Event {
    guard let kind = Event.Kind(rawValue: kind) else { throw DamagedRecord("there is no event type \(kind)") }
    let (changes, origin, request) =
      isErased
      ? (ContextChanges(), Origin(actor: ""), nil)
      : try EventPayload.read(format1: secret.extracting(Frame.saltByteCount..<secret.count), hasOrigin: hasOrigin)
    return Event(
      position: position, previousPosition: previousPosition, life: life, version: version, recordedAt: recordedAt,
      sessionID: session, kind: kind, changes: changes, origin: origin, request: request)
  }
}
