internal import CLMDB

// The two conversions between LMDB's pointers and Swift's spans. All others go through these.

/// Runs `body` with `span` as an MDB_val, which LMDB only reads.
func withValue<Result>(_ span: Span<UInt8>, _ body: (inout MDB_val) -> Result) -> Result {
  unsafe span.withUnsafeBufferPointer { buffer in
    var value = unsafe MDB_val(mv_size: buffer.count, mv_data: UnsafeMutableRawPointer(mutating: buffer.baseAddress))
    return unsafe body(&value)
  }
}

/// The memory that an MDB_val from LMDB points to.
///
/// lmdb.h: "The memory pointed to by the returned values is owned by the database. The caller … may not modify it in any
/// way. For values returned in a read-only transaction … valid until the transaction ends", in a write transaction until
/// the next update. So the result's lifetime is bound to `owner`, which every caller makes its transaction.
@_lifetime(borrow owner)
func span<Owner: ~Copyable & ~Escapable>(_ value: MDB_val, of owner: borrowing Owner) -> Span<UInt8> {
  let buffer = unsafe UnsafeBufferPointer(
    start: value.mv_data?.assumingMemoryBound(to: UInt8.self), count: value.mv_size)
  return unsafe _overrideLifetime(Span(_unsafeElements: buffer), borrowing: owner)
}
