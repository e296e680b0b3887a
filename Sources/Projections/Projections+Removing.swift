internal import LMDB
internal import Platform
public import SessionModel

extension Projections {
  private static let entriesPerTransaction = 8192

  /// Removes all that is held of `tenant`: its checkpoint first, then the entries of each table, in bounded transactions.
  ///
  /// Stopped in between, it leaves entries without a checkpoint; so whoever calls it sees to it that it is called again.
  public func remove(_ tenant: TenantID) throws(ProjectionsError) {
    let prefix = SessionKey.prefix(of: tenant)
    do throws(LMDBError) {
      var transaction = try environment.write()
      try transaction.remove(tables.checkpoints, Array(tenant.description.utf8).span)
      try transaction.commit()
      for table in [tables.snapshots, tables.customers, tables.carriers] { try remove(table, prefix: prefix) }
      try remove(tables.activity) { key in
        key.count > ActivityKey.prefixByteCount
          && key.extracting(ActivityKey.prefixByteCount..<key.count).hasPrefix(prefix)
      }
    } catch {
      throw .storage(error)
    }
  }

  private func remove(_ table: Table, prefix: [UInt8]) throws(LMDBError) {
    var count = 1
    while count > 0 {
      var transaction = try environment.write()
      count = try transaction.remove(table, prefix: prefix, limit: Self.entriesPerTransaction)
      try transaction.commit()
    }
  }

  /// Removes the entries whose keys `isIncluded` says so of; looks at all of them.
  private func remove(_ table: Table, where isIncluded: (Span<UInt8>) -> Bool) throws(LMDBError) {
    var place: [UInt8] = [0]
    while true {
      let keys = try keys(table, from: place, where: isIncluded)
      guard let last = keys.last else { return }
      var transaction = try environment.write()
      for key in keys { try transaction.remove(table, key.span) }
      try transaction.commit()
      place = last
    }
  }

  private func keys(
    _ table: Table, from place: [UInt8], where isIncluded: (Span<UInt8>) -> Bool
  ) throws(LMDBError) -> [[UInt8]] {
    var keys: [[UInt8]] = []
    let reader = try environment.read()
    var cursor = try reader.cursor(table)
    var next = try cursor.seek(place.span)
    while keys.count < Self.entriesPerTransaction, let entry = next {
      if isIncluded(entry.key) { keys.append([UInt8](copying: entry.key)) }
      next = try cursor.next()
    }
    return keys
  }
}
