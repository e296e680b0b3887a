public import LMDB
internal import Platform
internal import SessionCodec
public import SessionModel

/// The log of all tenants in one LMDB environment: the only thing that has to be durable.
public final class EventLog: CommitLog {
  let environment: Environment
  let events: Table
  let meta: Table
  /// 16 random bytes in hexadecimal that name this store, made when it was created.
  public let storeID: String

  /// Opens the log in the folder `path`, creating it when it is missing.
  /// Throws when it can't be opened or has a format that this version doesn't know.
  public init(path: String, options: Environment.Options = Environment.Options()) throws(EventLogError) {
    do {
      environment = try Environment(path: path, options: options)
      let tables = try environment.openTables([LogSchema.events, LogSchema.meta], filledBy: Self.writeFormat)
      (events, meta) = (tables[0], tables[1])
      let reader = try environment.read()
      guard let format = try reader.value(meta, LogSchema.formatKey.span) else {
        throw EventLogError.damagedKey(reason: "it doesn't say what format it has")
      }
      guard String(validating: format) == LogSchema.format else {
        throw EventLogError.unknownFormat("other than \(LogSchema.format)")
      }
      guard let store = try reader.value(meta, LogSchema.storeKey.span) else {
        throw EventLogError.damagedKey(reason: "the store has no name")
      }
      storeID = hexadecimal(store)
    } catch {
      throw EventLogError(error)
    }
  }

  private static func writeFormat(
    _ transaction: inout WriteTransaction, _ tables: [Table]
  ) throws(LMDBError) {
    var random = RandomBytes()
    try transaction.put(tables[1], LogSchema.formatKey.span, Array(LogSchema.format.utf8).span)
    try transaction.put(tables[1], LogSchema.storeKey.span, random.next(16).span)
  }

  /// Appends the batch, and erases, in one transaction. See ``CommitLog/append(_:erasing:expecting:)``.
  public func append(
    _ batch: [LogRecord], erasing erased: [LogPlace], expecting tails: [TenantID: UInt64]
  ) throws(EventLogError) -> AppendOutcome {
    do {
      var transaction = try environment.write()
      for (tenant, expected) in tails {
        guard try Self.lastPosition(transaction.cursor(events), tenant) == expected else { return .tailMoved(tenant) }
      }
      for record in batch {
        try transaction.insert(events, LogSchema.key(record.tenant, record.position).span, record.frame.span)
      }
      for place in erased { try erase(place, &transaction) }
      try transaction.commit()
      return .committed
    } catch {
      throw EventLogError(error)
    }
  }

  private func erase(_ place: LogPlace, _ transaction: inout WriteTransaction) throws {
    let key = LogSchema.key(place.tenant, place.position)
    let skeleton: [UInt8]
    do {
      guard let value = try transaction.value(events, key.span) else { throw DamagedRecord("the record is missing") }
      skeleton = try Self.frame(value, key.span, place.tenant, place.position).withoutPayload(key: key.span)
    } catch let damage as DamagedRecord {
      throw EventLogError.damaged(tenant: place.tenant, position: place.position, reason: damage.reason)
    }
    try transaction.put(events, key.span, skeleton.span)
  }

  /// The position of a tenant's last record, 0 when there is none.
  static func lastPosition(_ cursor: consuming Cursor, _ tenant: TenantID) throws(LMDBError) -> UInt64 {
    guard let entry = try cursor.seek(before: LogSchema.end(of: tenant).span) else { return 0 }
    return LogSchema.position(entry.key, in: tenant) ?? 0
  }

  /// Frees the reader slots of processes that died.
  public func clearStaleReaders() throws(EventLogError) {
    do throws(LMDBError) {
      try environment.clearStaleReaders()
    } catch {
      throw .storage(error)
    }
  }

  /// What is wrong with the pages of its file, nil when nothing is. Reads all of it.
  public func pageProblem() throws(EventLogError) -> String? {
    do throws(LMDBError) {
      return try environment.pageProblem()
    } catch {
      throw .storage(error)
    }
  }

  /// The number of the last commit, of whatever tenants.
  public var lastCommit: UInt64 { environment.lastTransaction }

  /// How much of the environment is in use.
  public var usage: Environment.Usage { environment.usage }
}
