public import EventLog
internal import LMDB
internal import Platform
internal import SessionCodec
public import SessionModel

/// A consistent view of the projections: snapshots, indexes and checkpoints as one transaction left them. Keep it short.
public struct ProjectionsView: ~Copyable {
  let transaction: ReadTransaction
  let tables: Projections.Tables

  /// The stored snapshot of a session, nil when there is none, which has been proved then. It can't outlive the view.
  @_lifetime(borrow self)
  public borrowing func snapshot(_ key: SessionKey) throws(ProjectionsError) -> Span<UInt8>? {
    do throws(LMDBError) {
      if let value = try transaction.value(tables.snapshots, key.bytes.span) {
        return SnapshotEntry.snapshot(value, key.bytes.span)
      }
    } catch {
      throw .storage(error)
    }
    try proveAbsence(of: key)
    return nil
  }

  /// Throws when an entry beside the place of `key` isn't under the key that was written: it may be the one.
  private borrowing func proveAbsence(of key: SessionKey) throws(ProjectionsError) {
    func check(_ entry: borrowing Cursor.Entry, isInOrder: Bool) throws(DamagedRecord) {
      guard SnapshotEntry.isSealed(entry.value, entry.key) else {
        throw DamagedRecord("a snapshot's key isn't the one that was written")
      }
      guard isInOrder else { throw DamagedRecord("the snapshots are out of order") }
    }
    do {
      let key = key.bytes
      var cursor = try transaction.cursor(tables.snapshots)
      let behind = try cursor.seek(key.span) { before throws(DamagedRecord) in
        try check(before, isInOrder: before.key.precedes(key.span))
      }
      if let behind { try check(behind, isInOrder: key.span.precedes(behind.key)) }
    } catch {
      throw ProjectionsError(error)
    }
  }

  /// How far `tenant`'s log has been folded in.
  public borrowing func checkpoint(of tenant: TenantID) throws(ProjectionsError) -> Checkpoint {
    try record(of: tenant).checkpoint
  }

  /// How far snapshots of `tenant` may be ahead of its checkpoint, which is behind it or the same. A snapshot that is ahead
  /// is the fold of the log up to its own last event.
  public borrowing func reach(of tenant: TenantID) throws(ProjectionsError) -> LogTail {
    try record(of: tenant).reach
  }

  private borrowing func record(of tenant: TenantID) throws(ProjectionsError) -> CheckpointRecord {
    do {
      let key = Array(tenant.description.utf8)
      guard let value = try transaction.value(tables.checkpoints, key.span) else { return .start }
      return try CheckpointRecord(decoding: value, key: key.span)
    } catch {
      throw ProjectionsError(error)
    }
  }

  /// The tenants that have a checkpoint.
  public borrowing func tenants() throws(ProjectionsError) -> [TenantID] {
    do {
      var cursor = try transaction.cursor(tables.checkpoints)
      var tenants: [TenantID] = []
      while let entry = try cursor.next() {
        guard let tenant = String(validating: entry.key).flatMap({ TenantID($0) }) else {
          throw DamagedRecord("a checkpoint names no tenant")
        }
        tenants.append(tenant)
      }
      return tenants
    } catch {
      throw ProjectionsError(error)
    }
  }

  /// The sessions that carry or carried a customer's id, in order, at most `limit` after `session`; without those that
  /// `isLeftOut` names.
  public borrowing func sessions(
    of customer: String, in tenant: TenantID, after session: SessionID? = nil, limit: Int,
    unless isLeftOut: (SessionID) -> Bool = { _ in false }
  ) throws(ProjectionsError) -> [SessionID] {
    do {
      let prefix = CustomerKey.prefix(tenant, customer: customer)
      var sessions: [SessionID] = []
      var cursor = try transaction.cursor(tables.customers)
      try cursor.forEachKey(from: prefix + Array((session?.description ?? "").utf8), prefix: prefix) { key in
        guard sessions.count < limit else { return false }
        let id = try Self.session(key, after: prefix)
        if id != session, !isLeftOut(id) { sessions.append(id) }
        return true
      }
      return sessions
    } catch {
      throw ProjectionsError(error)
    }
  }

  /// Hands each of `tenant`'s snapshots to `body`, in the order of the session ids' bytes; no bytes where its key was
  /// damaged.
  public borrowing func forEachSnapshot(
    of tenant: TenantID, _ body: (SessionID, Span<UInt8>) -> Void
  ) throws(ProjectionsError) {
    do {
      let prefix = SessionKey.prefix(of: tenant)
      var cursor = try transaction.cursor(tables.snapshots)
      var next = try cursor.seek(prefix.span)
      while let entry = next, entry.key.hasPrefix(prefix) {
        body(try Self.session(entry.key, after: prefix), SnapshotEntry.snapshot(entry.value, entry.key))
        next = try cursor.next()
      }
    } catch {
      throw ProjectionsError(error)
    }
  }

  /// Hands each of `tenant`'s entries in the index of customers to `body`, in order.
  public borrowing func forEachCustomer(
    of tenant: TenantID, _ body: (CustomerKey) -> Void
  ) throws(ProjectionsError) {
    try forEachKey(tables.customers, of: tenant) { body(CustomerKey(stored: [UInt8](copying: $0))) }
  }

  /// Whether the index by session has the counterpart of an entry in the index of customers.
  public borrowing func hasCarrier(of entry: CustomerKey) throws(ProjectionsError) -> Bool {
    do throws(LMDBError) {
      let key = entry.carrier.bytes
      return try transaction.value(tables.carriers, key.span) != nil
    } catch {
      throw .storage(error)
    }
  }

  /// How many entries of `tenant` the index by session has.
  public borrowing func carrierCount(of tenant: TenantID) throws(ProjectionsError) -> Int {
    var count = 0
    try forEachKey(tables.carriers, of: tenant) { _ in count += 1 }
    return count
  }

  private borrowing func forEachKey(
    _ table: Table, of tenant: TenantID, _ body: (Span<UInt8>) -> Void
  ) throws(ProjectionsError) {
    do {
      let prefix = SessionKey.prefix(of: tenant)
      var cursor = try transaction.cursor(table)
      try cursor.forEachKey(from: prefix, prefix: prefix) { key in
        body(key)
        return true
      }
    } catch {
      throw ProjectionsError(error)
    }
  }

  /// How many sessions have a snapshot.
  public borrowing func sessionCount() throws(ProjectionsError) -> Int {
    do throws(LMDBError) {
      return try transaction.count(tables.snapshots)
    } catch {
      throw .storage(error)
    }
  }

  /// The session in a key that begins with `prefix`.
  private static func session(_ key: Span<UInt8>, after prefix: [UInt8]) throws(DamagedRecord) -> SessionID {
    guard let id = String(validating: key.extracting(prefix.count..<key.count)).flatMap({ SessionID($0) }) else {
      throw DamagedRecord("a key of the projections names no session")
    }
    return id
  }
}
