internal import Platform
public import SessionModel

// A snapshot as stored in projections/ and held in the overlay. All numbers are little-endian.
//
//    0  u8   format, 1
//    1  u8   status (Session.Status)
//    2  u8   1: there is a last request
//    3  u8   number of accepted requests with a key
//    4  u32  life
//    8  u32  version
//   12  u64  position of the last event
//   20  u64  number of events that moved a version
//   28  i64  created, 36 i64 modified, 44 i64 active: microseconds since 1970
//   52  16   fingerprint of the last request
//   68  44   each accepted request: u64 number, 16 key, 16 fingerprint, u32 version
//    …       the fields that are set (FieldList)
//   -8  u64  checksum of all before, seeded with the key's: a snapshot under another key is damage, too

/// The stored form of a session's state: made once by the writer, then copied to disk and to answers as it is.
public enum SnapshotRecord {
  /// The format that is written. Projections of another one are built anew.
  public static let format: UInt8 = 1

  static let fixedByteCount = 68
  static let requestByteCount = 44

  /// The bytes of `session` under `key`.
  public static func encode(_ session: Session, key: Span<UInt8>) -> [UInt8] {
    let requestBytes = session.acceptedRequests.count * requestByteCount
    return [UInt8](byteCapacity: fixedByteCount + requestBytes + session.context.storedByteCount + 8) { bytes in
      bytes.append(format)
      bytes.append(session.status.rawValue)
      bytes.append(session.lastRequest == nil ? 0 : 1)
      bytes.append(UInt8(session.acceptedRequests.count))
      bytes.appendLittleEndian(session.life)
      bytes.appendLittleEndian(session.version)
      bytes.appendLittleEndian(session.lastPosition)
      bytes.appendLittleEndian(session.eventCount)
      bytes.appendLittleEndian(session.createdAt.microseconds)
      bytes.appendLittleEndian(session.modifiedAt.microseconds)
      bytes.appendLittleEndian(session.activeAt.microseconds)
      bytes.append(session.lastRequest ?? Fingerprint(low: 0, high: 0))
      for request in session.acceptedRequests {
        bytes.appendLittleEndian(request.number)
        bytes.append(request.key)
        bytes.append(request.fingerprint)
        bytes.appendLittleEndian(request.version)
      }
      bytes.appendFields(session.context)
      bytes.appendLittleEndian(checksum(bytes.span, seed: checksum(key)))
    }
  }
}

/// A stored snapshot, read where it lies. Its checksum has been compared, so its bytes are those that were written.
public struct SnapshotView: ~Escapable {
  private let bytes: Span<UInt8>

  /// A view of `bytes`, stored under `key`. Throws when the checksum doesn't fit or the format is unknown.
  @_lifetime(copy bytes)
  public init(_ bytes: Span<UInt8>, key: Span<UInt8>) throws(DamagedRecord) {
    let end = bytes.count - 8
    guard end >= SnapshotRecord.fixedByteCount else { throw DamagedRecord("the snapshot is cut short") }
    let body = bytes.extracting(0..<end)
    guard bytes.loadLittleEndian(at: end) == checksum(body, seed: checksum(key)) else {
      throw DamagedRecord("the snapshot's checksum doesn't fit its bytes")
    }
    guard bytes[0] == SnapshotRecord.format else { throw DamagedRecord("the snapshot has format \(bytes[0])") }
    self.bytes = body
  }

  /// Whether its life goes on; nil when the stored number is none.
  public var status: Session.Status? { Session.Status(rawValue: bytes[1]) }
  /// The session's version.
  public var version: UInt32 { bytes.loadLittleEndian(at: 8) }
  /// The position of its last event.
  public var lastPosition: UInt64 { bytes.loadLittleEndian(at: 12) }
  /// When its life began.
  public var createdAt: Instant { Instant(microseconds: bytes.loadLittleEndian(at: 28)) }
  /// When it last changed.
  public var modifiedAt: Instant { Instant(microseconds: bytes.loadLittleEndian(at: 36)) }
  /// When something last happened to it.
  public var activeAt: Instant { Instant(microseconds: bytes.loadLittleEndian(at: 44)) }

  /// The fields that are set, as stored.
  var fields: Span<UInt8> {
    @_lifetime(copy self)
    get {
      let start = SnapshotRecord.fixedByteCount + Int(bytes[3]) * SnapshotRecord.requestByteCount
      return bytes.extracting(min(start, bytes.count)..<bytes.count)
    }
  }

  /// Whether a customer is set: it would be the first field.
  public var hasCustomer: Bool {
    let fields = self.fields
    return fields.count > 0 && fields[0] == Field.customerID.rawValue
  }

  /// Whether the session can be read at `now`, as ``Session/isLive(at:timeToLive:)`` has it.
  public func isLive(at now: Instant, timeToLive: TimeToLive) -> Bool {
    guard bytes[1] == Session.Status.active.rawValue else { return false }
    guard let expiry = timeToLive.expiry(activeAt: activeAt, isCustomer: hasCustomer) else { return true }
    return now < expiry
  }

  /// Whether activity at `now` is worth an event, as for ``TimeToLive/nextTouch(activeAt:isCustomer:)``.
  public func isTouchDue(at now: Instant, timeToLive: TimeToLive) -> Bool {
    timeToLive.nextTouch(activeAt: activeAt, isCustomer: hasCustomer).map { now >= $0 } ?? false
  }

  /// The whole state. Throws when the bytes can't be one.
  public func session() throws(DamagedRecord) -> Session {
    var reader = RecordReader(bytes)
    _ = try reader.integer(UInt8.self)
    guard let status = Session.Status(rawValue: try reader.integer()) else { throw DamagedRecord("unknown status") }
    let hasLastRequest = try reader.integer(UInt8.self) == 1
    let requestCount = Int(try reader.integer(UInt8.self))
    let life = try reader.integer(UInt32.self)
    let version = try reader.integer(UInt32.self)
    let lastPosition = try reader.integer(UInt64.self)
    let eventCount = try reader.integer(UInt64.self)
    let createdAt = Instant(microseconds: try reader.integer())
    let modifiedAt = Instant(microseconds: try reader.integer())
    let activeAt = Instant(microseconds: try reader.integer())
    let lastRequest = try reader.fingerprint()
    var requests: [Session.AcceptedRequest] = []
    for _ in 0..<requestCount {
      let number = try reader.integer(UInt64.self)
      let key = try reader.fingerprint()
      let fingerprint = try reader.fingerprint()
      requests.append(
        Session.AcceptedRequest(number: number, key: key, fingerprint: fingerprint, version: try reader.integer()))
    }
    var context = SessionContext()
    try reader.fields().apply(to: &context)
    return Session(
      life: life, version: version, status: status, context: context, createdAt: createdAt, modifiedAt: modifiedAt,
      activeAt: activeAt, lastPosition: lastPosition, eventCount: eventCount,
      lastRequest: hasLastRequest ? lastRequest : nil, acceptedRequests: requests)
  }
}
