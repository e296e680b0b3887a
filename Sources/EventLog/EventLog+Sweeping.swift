internal import LMDB
internal import Platform
public import SessionCodec
public import SessionModel

extension EventLog {
  /// Where a sweep goes on: behind the record under this key.
  public struct SweepPlace: Equatable, Sendable {
    let key: [UInt8]
    /// Whether a record was met there, so that it is looked for where its key doesn't lead to it.
    let isRecord: Bool

    /// Before all records.
    public static let start = SweepPlace(key: [0])

    /// Before all records of `tenant`.
    public init(before tenant: TenantID) {
      self.init(key: LogSchema.key(tenant, 0))
    }

    /// Behind all records of `tenant`.
    public init(after tenant: TenantID) {
      self.init(key: LogSchema.end(of: tenant))
    }

    /// Behind the record at `position`.
    public init(after position: UInt64, of tenant: TenantID) {
      self.init(key: LogSchema.key(tenant, position), isRecord: true)
    }

    init(key: [UInt8], isRecord: Bool = false) {
      self.key = key
      self.isRecord = isRecord
    }
  }

  /// What a sweep does behind a record.
  public enum SweepAdvice: Sendable {
    /// It goes on; it could not find this place again.
    case goOn
    /// It may pause here: the record is whole and in its place, so that it can be found again.
    case mayPause
    /// It stops.
    case stop
  }

  /// What is done with each record: it is given the tenant and the position that the key names, no tenant when it can't
  /// be a key; and the record, or why it can't be read.
  public typealias SweepBody = (
    _ tenant: TenantID?, _ position: UInt64, _ frame: FrameView?, _ damage: DamagedRecord?
  ) -> SweepAdvice

  /// Hands the records of all tenants behind `place` to `body`, in the order in which they lie on the pages, damaged
  /// ones too. Goes on where the order of keys is broken, so that one damaged key hides no other record.
  ///
  /// One short read transaction of about `limit` records. Returns where to go on; nil at the end, or when `body` said to
  /// stop.
  public func sweep(
    after place: SweepPlace, limit: Int, _ body: SweepBody
  ) throws(EventLogError) -> SweepPlace? {
    do {
      let reader = try environment.read()
      var cursor = try reader.cursor(events)
      let isFound = try place.isRecord && Self.find(place.key, &cursor)
      var next = try isFound ? cursor.next() : cursor.seek(place.key.span)
      var tenant: TenantID?
      var count = 0
      while let entry = next {
        count += 1
        let (owner, position) = Self.place(entry.key, like: tenant)
        tenant = owner ?? tenant
        switch Self.hand(entry.value, entry.key, owner, position, to: body) {
        case .stop: return nil
        case .mayPause where count >= limit: return SweepPlace(key: [UInt8](copying: entry.key), isRecord: true)
        case .mayPause, .goOn: break
        }
        next = try cursor.next()
      }
      return nil
    } catch {
      throw EventLogError(error)
    }
  }

  /// How many entries are looked through for one that its key doesn't lead to: more than a page can hold.
  private static let searchLimit = 4096

  /// Moves the cursor to the entry of `key`; returns false when there is no such entry, or it can't be found.
  private static func find(_ key: [UInt8], _ cursor: inout Cursor) throws(LMDBError) -> Bool {
    var next = try cursor.seek(key.span)
    // Keys that are out of order hide an entry from the search; then it lies nearby.
    for _ in 0..<searchLimit {
      guard let entry = next else { return false }
      if entry.key.isEqual(to: key.span) { return true }
      next = try cursor.next()
    }
    return false
  }

  private static func hand(
    _ value: Span<UInt8>, _ key: Span<UInt8>, _ tenant: TenantID?, _ position: UInt64, to body: SweepBody
  ) -> SweepAdvice {
    guard let tenant else {
      return body(nil, position, nil, DamagedRecord("the key \(hexadecimal(key)) names no tenant and position"))
    }
    do throws(DamagedRecord) {
      return body(tenant, position, try frame(value, key, tenant, position), nil)
    } catch {
      return body(tenant, position, nil, error)
    }
  }

  private static func place(_ key: Span<UInt8>, like tenant: TenantID?) -> (TenantID?, UInt64) {
    if let tenant, let position = LogSchema.position(key, in: tenant) { return (tenant, position) }
    guard let parsed = try? LogSchema.parse(key) else { return (nil, 0) }
    return (parsed.tenant, parsed.position)
  }

  /// The position of `tenant`'s last record, 0 when there is none; damaged or not.
  public func lastPosition(of tenant: TenantID) throws(EventLogError) -> UInt64 {
    do throws(LMDBError) {
      let reader = try environment.read()
      return try Self.lastPosition(reader.cursor(events), tenant)
    } catch {
      throw .storage(error)
    }
  }
}
