internal import LMDB
internal import Platform
public import SessionModel

// The removal of a tenant takes several transactions, since one that frees the pages of a large log would be large itself.
// A mark is made before the first record goes, and taken away after the last one: whoever opens the log to write to it
// completes what is marked before anything else.

extension EventLog {
  /// The tenants whose removal has begun and not ended, in order.
  public func removals() throws(EventLogError) -> [TenantID] {
    do {
      let reader = try environment.read()
      var cursor = try reader.cursor(meta)
      var tenants: [TenantID] = []
      let prefix = LogSchema.removalPrefix
      var next = try cursor.seek(prefix.span)
      while let entry = next, entry.key.hasPrefix(prefix) {
        let name = [UInt8](copying: entry.key.extracting(prefix.count..<entry.key.count))
        guard let tenant = TenantID(utf8: name[...]) else {
          throw EventLogError.damagedKey(reason: "the mark of a removal names no tenant")
        }
        tenants.append(tenant)
        next = try cursor.next()
      }
      return tenants
    } catch {
      throw EventLogError(error)
    }
  }

  /// Marks that `tenant` is removed: from here on there is no way back.
  public func beginRemoval(of tenant: TenantID) throws(EventLogError) {
    do throws(LMDBError) {
      let nothing: [UInt8] = []
      let key = Self.removalKey(tenant)
      var transaction = try environment.write()
      try transaction.put(meta, key.span, nothing.span)
      try transaction.commit()
    } catch {
      throw .storage(error)
    }
  }

  /// Removes up to `limit` records of a tenant whose removal has begun, in one transaction, and the mark when there are no
  /// more. Returns how many there were; 0 means that all are gone.
  public func removeRecords(of tenant: TenantID, limit: Int) throws(EventLogError) -> Int {
    do throws(LMDBError) {
      let key = Self.removalKey(tenant)
      var transaction = try environment.write()
      let count = try transaction.remove(events, prefix: LogSchema.prefix(of: tenant), limit: limit)
      if count == 0 { try transaction.remove(meta, key.span) }
      try transaction.commit()
      return count
    } catch {
      throw .storage(error)
    }
  }

  private static func removalKey(_ tenant: TenantID) -> [UInt8] {
    LogSchema.removalPrefix + Array(tenant.description.utf8)
  }

  /// How many bytes the records of `tenant` have that follow `position`, at most `limit` of them, and the position of the
  /// last one; `position` itself when there is none.
  public func recordBytes(
    of tenant: TenantID, after position: UInt64, limit: Int
  ) throws(EventLogError) -> (bytes: UInt64, last: UInt64) {
    do throws(LMDBError) {
      let reader = try environment.read()
      var cursor = try reader.cursor(events)
      var (bytes, last) = (UInt64(0), position)
      var next = try cursor.seek(LogSchema.key(tenant, after: position).span)
      for _ in 0..<limit {
        guard let entry = next, let found = LogSchema.position(entry.key, in: tenant) else { break }
        bytes += UInt64(entry.value.count)
        last = found
        next = try cursor.next()
      }
      return (bytes, last)
    } catch {
      throw .storage(error)
    }
  }
}
