internal import Platform
internal import SessionCodec
public import SessionModel

/// What a session waits for, and since when.
public struct ActivityPlace: Equatable, Sendable {
  /// What a session waits for. The raw value is the first byte of its key in the index of activity.
  public enum Class: UInt8, Sendable {
    /// A session without a customer, for its expiry: the time is that of its last activity.
    case anonymous = 1
    /// A customer's session, for its expiry: the time is that of its last activity.
    case customer = 2
    /// A session that has ended or expired, for its retention: the time is when it was closed.
    case closed = 3
  }

  /// What it waits for.
  public let kind: Class
  /// Since when.
  public let time: Instant

  /// A place of those parts.
  init(_ kind: Class, _ time: Instant) {
    self.kind = kind
    self.time = time
  }

  /// What the session `key` waits for by its snapshot, and since when exactly; nil when there is none, it holds nothing that
  /// waits, or it can't be read.
  public init?(snapshot: Span<UInt8>, of key: SessionKey) {
    do throws(DamagedRecord) {
      self.init(try SnapshotView(snapshot, key: key.bytes.span))
    } catch {
      return nil
    }
  }

  /// The same for a snapshot that can be read.
  init?(_ snapshot: SnapshotView) {
    switch snapshot.status {
    case .active: self.init(snapshot.hasCustomer ? .customer : .anonymous, snapshot.activeAt)
    case .ended, .expired: self.init(.closed, snapshot.modifiedAt)
    case .erased, nil: return nil
    }
  }

  /// Whether the session counts as open: begun and, as far as events tell, neither ended nor expired.
  var isOpen: Bool { kind != .closed }

  /// Whether the time of a session that waits for `kind` is `limit` or before.
  public func isDue(_ kind: Class, upTo limit: Instant) -> Bool { self.kind == kind && time <= limit }

  /// Whether an entry here is met in time when the session's place is exactly `exact`.
  func serves(_ exact: ActivityPlace) -> Bool { isDue(exact.kind, upTo: exact.time) }
}

/// An entry of the index of activity: a session, what it waits for, and since when at most.
///
/// It stays where it is while the session is active, since to move it with each change would write as many pages as the
/// snapshots do. So its time is that of the session's last activity or an earlier one; the sweeper, who meets it when that
/// time has come, has it moved. In the order of the entries those come first whose time comes first, so that the sessions
/// that may be due are found without looking at any other.
public struct ActivityKey: Equatable, Comparable, Sendable {
  /// The key's bytes, at most 226: `class ‖ u64 big-endian microseconds ‖ tenant ‖ 0 ‖ session id`.
  public let bytes: [UInt8]

  static let prefixByteCount = 9

  /// The entry of the session `key` at `place`.
  init(_ place: ActivityPlace, of key: SessionKey) {
    bytes = Self.prefix(place.kind, place.time) + key.bytes
  }

  /// The entry that is stored as `bytes`.
  init(stored bytes: Span<UInt8>) {
    self.bytes = [UInt8](copying: bytes)
  }

  /// What all entries of a class and time begin with. Times before 1970 sort first.
  static func prefix(_ kind: ActivityPlace.Class, _ time: Instant) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(prefixByteCount + 64)
    bytes.append(kind.rawValue)
    bytes.appendBigEndian(UInt64(bitPattern: time.microseconds) ^ 1 << 63)
    return bytes
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
