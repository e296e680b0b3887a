internal import CLMDB
internal import Platform

/// A place in a table that moves in the order of the keys. It can't outlive its transaction.
@safe
public struct Cursor: ~Copyable, ~Escapable {
  private let handle: OpaquePointer

  @_lifetime(immortal)
  init(_ handle: OpaquePointer) {
    unsafe self.handle = handle
  }

  deinit {
    unsafe mdb_cursor_close(handle)
  }

  /// Moves to the first entry.
  @_lifetime(copy self)
  public mutating func first() throws(LMDBError) -> Entry? {
    try move(MDB_FIRST)
  }

  /// Moves to the last entry.
  @_lifetime(copy self)
  public mutating func last() throws(LMDBError) -> Entry? {
    try move(MDB_LAST)
  }

  /// Moves to the next entry; on a new cursor to the first.
  @_lifetime(copy self)
  public mutating func next() throws(LMDBError) -> Entry? {
    try move(MDB_NEXT)
  }

  /// Moves to the entry before; on a new cursor to the last.
  @_lifetime(copy self)
  public mutating func previous() throws(LMDBError) -> Entry? {
    try move(MDB_PREV)
  }

  /// Moves to the first entry whose key is `key` or sorts after it. Throws MDB_CORRUPTED when damaged pages have LMDB
  /// find one that sorts before it: who goes on from seek to seek would never come to an end.
  @_lifetime(copy self)
  public mutating func seek(_ key: Span<UInt8>) throws(LMDBError) -> Entry? {
    var value = unsafe MDB_val()
    var found = unsafe MDB_val()
    let code = unsafe withValue(key) { key in
      let code = unsafe mdb_cursor_get(handle, &key, &value, MDB_SET_RANGE)
      unsafe found = key
      return code
    }
    guard try checkFound(code, "seek") else { return nil }
    guard unsafe !span(found, of: self).precedes(key) else { throw LMDBError(code: MDB_CORRUPTED, operation: "seek") }
    return unsafe entry(found, value)
  }

  /// Moves to the last entry whose key sorts before `key`.
  @_lifetime(copy self)
  public mutating func seek(before key: Span<UInt8>) throws(LMDBError) -> Entry? {
    guard try seek(key) != nil else { return try last() }
    return try previous()
  }

  @_lifetime(copy self)
  private mutating func move(_ operation: MDB_cursor_op) throws(LMDBError) -> Entry? {
    var key = unsafe MDB_val()
    var value = unsafe MDB_val()
    let code = unsafe mdb_cursor_get(handle, &key, &value, operation)
    guard try checkFound(code, "move a cursor") else { return nil }
    return unsafe entry(key, value)
  }

  /// lmdb.h: what a cursor returns stays valid as long as its transaction neither ends nor writes, however it moves on.
  @_lifetime(copy self)
  private func entry(_ key: MDB_val, _ value: MDB_val) -> Entry {
    let entry = unsafe Entry(key: span(key, of: self), value: span(value, of: self))
    return unsafe _overrideLifetime(entry, copying: self)
  }

  /// A key with its value, without copying.
  public struct Entry: ~Escapable {
    /// The key's bytes.
    public let key: Span<UInt8>
    /// The value's bytes.
    public let value: Span<UInt8>

    @_lifetime(copy key, copy value)
    init(key: Span<UInt8>, value: Span<UInt8>) {
      self.key = key
      self.value = value
    }
  }
}
