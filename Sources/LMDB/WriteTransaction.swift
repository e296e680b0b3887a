internal import CLMDB
internal import Platform

/// The one transaction that may write. ``commit()`` consumes it; dropping it undoes what it did.
@safe
public struct WriteTransaction: ~Copyable {
  private let handle: OpaquePointer
  private var isOpen = true
  // Keeps the environment open for as long as the transaction is.
  private let environment: Environment

  init(handle: OpaquePointer, environment: Environment) {
    unsafe self.handle = handle
    self.environment = environment
  }

  deinit {
    if isOpen { unsafe mdb_txn_abort(handle) }
  }

  /// Makes all of it durable, or none: when this returns, the changes are on disk.
  ///
  /// Throws on any failure. After a failed sync the page cache can't be trusted, so the process should end.
  public consuming func commit() throws(LMDBError) {
    // lmdb.h, mdb_txn_commit: the handle is freed whatever comes out.
    isOpen = false
    unsafe try check(mdb_txn_commit(handle), "commit to \(environment.path)")
  }

  /// Makes tables of those names.
  func createTables(_ names: [StaticString]) throws(LMDBError) -> [Table] {
    try names.map { name throws(LMDBError) in try unsafe openTable(handle, name, create: true) }
  }

  /// The value under `key`, without copying, or nil. It can't outlive the next write.
  @_lifetime(borrow self)
  public borrowing func value(_ table: Table, _ key: Span<UInt8>) throws(LMDBError) -> Span<UInt8>? {
    guard let value = unsafe try find(handle, table, key) else { return nil }
    return unsafe span(value, of: self)
  }

  /// A cursor over `table`; no write can happen while it lives.
  @_lifetime(borrow self)
  public borrowing func cursor(_ table: Table) throws(LMDBError) -> Cursor {
    let cursor = unsafe Cursor(try openCursor(handle, table))
    return unsafe _overrideLifetime(cursor, borrowing: self)
  }

  /// Stores `value` under `key`, in place of what was there.
  public mutating func put(_ table: Table, _ key: Span<UInt8>, _ value: Span<UInt8>) throws(LMDBError) {
    try check(store(table, key, value, flags: 0), "write \(table.name)")
  }

  /// Stores `value` under the new key `key`. Keys that sort after all others fill their pages whole (`MDB_APPEND`).
  /// Throws MDB_KEYEXIST when the key is there already.
  public mutating func insert(_ table: Table, _ key: Span<UInt8>, _ value: Span<UInt8>) throws(LMDBError) {
    // lmdb.h, MDB_APPEND: MDB_KEYEXIST for a key that doesn't sort last; then it goes between the others. Any other
    // failure has spoilt the transaction.
    let code = store(table, key, value, flags: UInt32(MDB_APPEND))
    guard code == MDB_KEYEXIST else { return try check(code, "append to \(table.name)") }
    try check(store(table, key, value, flags: UInt32(MDB_NOOVERWRITE)), "append to \(table.name)")
  }

  /// Removes `key` with its value. Returns whether it was there.
  @discardableResult
  public mutating func remove(_ table: Table, _ key: Span<UInt8>) throws(LMDBError) -> Bool {
    let code = unsafe withValue(key) { unsafe mdb_del(handle, table.handle, &$0, nil) }
    return try checkFound(code, "remove from \(table.name)")
  }

  /// Removes up to `limit` entries whose keys begin with `prefix`, the first ones in order. Returns how many there were.
  public mutating func remove(_ table: Table, prefix: [UInt8], limit: Int) throws(LMDBError) -> Int {
    let keys = try keys(table, prefix: prefix, limit: limit)
    for key in keys { try remove(table, key.span) }
    return keys.count
  }

  private borrowing func keys(_ table: Table, prefix: [UInt8], limit: Int) throws(LMDBError) -> [[UInt8]] {
    var keys: [[UInt8]] = []
    var cursor = try cursor(table)
    var next = try cursor.seek(prefix.span)
    while keys.count < limit, let entry = next, entry.key.hasPrefix(prefix) {
      keys.append([UInt8](copying: entry.key))
      next = try cursor.next()
    }
    return keys
  }

  private func store(_ table: Table, _ key: Span<UInt8>, _ value: Span<UInt8>, flags: UInt32) -> Int32 {
    unsafe withValue(key) { key in
      unsafe withValue(value) { value in
        // lmdb.h, mdb_put: copies both; the data is only written to with MDB_RESERVE, which isn't used here.
        unsafe mdb_put(handle, table.handle, &key, &value, flags)
      }
    }
  }
}
