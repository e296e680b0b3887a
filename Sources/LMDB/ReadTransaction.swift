internal import CLMDB

/// A consistent view of the last commit at the time it began. Dropping it ends it.
///
/// Keep it short: pages that were freed after it began can't be used again until it ends.
@safe
public struct ReadTransaction: ~Copyable {
  let handle: OpaquePointer
  private let environment: Environment

  init(handle: OpaquePointer, environment: Environment) {
    unsafe self.handle = handle
    self.environment = environment
  }

  deinit {
    // lmdb.h, mdb_txn_reset: keeps the reader slot for a later mdb_txn_renew.
    unsafe mdb_txn_reset(handle)
    unsafe environment.recycle(handle)
  }

  /// The number of the commit that it sees.
  var identifier: UInt64 { UInt64(unsafe mdb_txn_id(handle)) }

  /// The value under `key`, without copying, or nil. It can't outlive the transaction.
  @_lifetime(borrow self)
  public borrowing func value(_ table: Table, _ key: Span<UInt8>) throws(LMDBError) -> Span<UInt8>? {
    guard let value = unsafe try find(handle, table, key) else { return nil }
    return unsafe span(value, of: self)
  }

  /// A cursor over `table`, which can't outlive the transaction.
  @_lifetime(borrow self)
  public borrowing func cursor(_ table: Table) throws(LMDBError) -> Cursor {
    let cursor = unsafe Cursor(try openCursor(handle, table))
    return unsafe _overrideLifetime(cursor, borrowing: self)
  }

  /// A cursor over the names of the tables, which can't outlive the transaction.
  @_lifetime(borrow self)
  borrowing func tables() throws(LMDBError) -> Cursor {
    var names: MDB_dbi = 0
    // lmdb.h, mdb_dbi_open: without a name it is the table that has the others' names for keys.
    try check(unsafe mdb_dbi_open(handle, nil, 0, &names), "open the table of tables")
    return try cursor(Table(handle: names, name: "the table of tables"))
  }

  /// How many entries `table` holds.
  public borrowing func count(_ table: Table) throws(LMDBError) -> Int {
    var statistics = MDB_stat()
    try check(unsafe mdb_stat(handle, table.handle, &statistics), "look at \(table.name)")
    return statistics.ms_entries
  }
}

/// The value under `key` as LMDB returns it.
func find(_ transaction: OpaquePointer, _ table: Table, _ key: Span<UInt8>) throws(LMDBError) -> MDB_val? {
  var value = unsafe MDB_val()
  let code = unsafe withValue(key) { unsafe mdb_get(transaction, table.handle, &$0, &value) }
  return unsafe try checkFound(code, "read \(table.name)") ? value : nil
}

/// LMDB's cursor over `table`.
func openCursor(_ transaction: OpaquePointer, _ table: Table) throws(LMDBError) -> OpaquePointer {
  var cursor: OpaquePointer?
  try check(unsafe mdb_cursor_open(transaction, table.handle, &cursor), "open a cursor on \(table.name)")
  guard let cursor = unsafe cursor else { throw LMDBError(code: 12, operation: "open a cursor on \(table.name)") }
  return unsafe cursor
}
