internal import Platform
internal import SessionCodec
public import SessionModel

/// An entry of the index of activity: since when nothing has happened to a session.
///
/// It is derived from the session's snapshot alone, whenever that is flushed. In the order of the entries those come
/// first whose time comes first, so that the sessions that are due are found without looking at any other.
public struct ActivityKey: Hashable, Comparable, Sendable {
  /// What a session waits for. The raw value is the first byte of the key.
  public enum Class: UInt8, Sendable {
    /// A session without a customer, for its expiry: the time is that of its last activity.
    case anonymous = 1
    /// A customer's session, for its expiry: the time is that of its last activity.
    case customer = 2
    /// A session that has ended or expired, for its retention: the time is when it was closed.
    case closed = 3
  }

  /// The key's bytes, at most 226: `class ‖ u64 big-endian microseconds ‖ tenant ‖ 0 ‖ session id`.
  public let bytes: [UInt8]

  static let prefixByteCount = 9

  /// The entry of the session `key` that its snapshot makes; nil when there is none, it holds nothing that waits, or it
  /// can't be read.
  public init?(snapshot: Span<UInt8>?, of key: SessionKey) {
    guard let snapshot else { return nil }
    do throws(DamagedRecord) {
      self.init(try SnapshotView(snapshot, key: key.bytes.span), of: key)
    } catch {
      return nil
    }
  }

  /// The same for a snapshot that can be read.
  init?(_ snapshot: SnapshotView, of key: SessionKey) {
    let prefix: [UInt8]
    switch snapshot.status {
    case .active: prefix = Self.prefix(snapshot.hasCustomer ? .customer : .anonymous, snapshot.activeAt)
    case .ended, .expired: prefix = Self.prefix(.closed, snapshot.modifiedAt)
    case .erased, nil: return nil
    }
    bytes = prefix + key.bytes
  }

  /// The entry that is stored as `bytes`.
  init(stored bytes: Span<UInt8>) {
    self.bytes = [UInt8](copying: bytes)
  }

  /// What all entries of a class and time begin with. Times before 1970 sort first.
  static func prefix(_ kind: Class, _ time: Instant) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(prefixByteCount + 64)
    bytes.append(kind.rawValue)
    bytes.appendBigEndian(UInt64(bitPattern: time.microseconds) ^ 1 << 63)
    return bytes
  }

  /// Whether the entry is of that class, and its time is `time` or before.
  public func isDue(_ kind: Class, upTo time: Instant) -> Bool {
    bytes[0] == kind.rawValue && !Self.prefix(kind, time).span.precedes(bytes.span.extracting(0..<Self.prefixByteCount))
  }

  /// Whose session it is, with its name over all tenants. Throws when the stored key can't be one.
  func session() throws(DamagedRecord) -> (tenant: TenantID, id: SessionID) {
    let name = bytes.dropFirst(Self.prefixByteCount)
    guard let end = name.firstIndex(of: 0), let tenant = TenantID(utf8: name[..<end]),
      let text = String(validating: bytes.span.extracting(end + 1..<bytes.count)), let id = SessionID(text)
    else { throw DamagedRecord("a key of the index of activity names no session") }
    return (tenant, id)
  }

  /// In the order of the bytes, which is the order on disk.
  public static func < (left: ActivityKey, right: ActivityKey) -> Bool {
    left.bytes.span.precedes(right.bytes.span)
  }
}
