internal import LMDB
internal import Platform
internal import SessionCodec
public import SessionModel

/// A session whose time may have come.
public struct DueSession: Sendable {
  /// Its entry, to go on behind it.
  public let entry: ActivityKey
  /// Whose it is.
  public let tenant: TenantID
  /// Its name.
  public let id: SessionID
  /// Whether it has been active since, so that the entry has to be moved.
  public let isOvertaken: Bool
}

extension ProjectionsView {
  /// The sessions of a class whose entries' time is `time` or before, in that order: at most `limit` behind `entry`. Entries
  /// that no snapshot has are left out; `damaged` is called for each.
  public borrowing func due(
    _ kind: ActivityPlace.Class, upTo time: Instant, after entry: ActivityKey?, limit: Int, damaged: () -> Void
  ) throws(ProjectionsError) -> [DueSession] {
    var found: [DueSession] = []
    do {
      try forEachDue(kind, upTo: time, after: entry) { entry in
        guard let (tenant, id) = try? entry.session(), try !isStray(entry, SessionKey(tenant, id)) else {
          damaged()
          return true
        }
        let isOvertaken = try !isDue(kind, upTo: time, SessionKey(tenant, id))
        found.append(DueSession(entry: entry, tenant: tenant, id: id, isOvertaken: isOvertaken))
        return found.count < limit
      }
    } catch {
      throw ProjectionsError(error)
    }
    return found
  }

  /// How many sessions of a class have been waiting since `time` or longer, counted up to `limit`.
  public borrowing func dueCount(
    _ kind: ActivityPlace.Class, upTo time: Instant, limit: Int
  ) throws(ProjectionsError) -> Int {
    var count = 0
    do {
      try forEachDue(kind, upTo: time, after: nil) { entry in
        if let (tenant, id) = try? entry.session(), try isDue(kind, upTo: time, SessionKey(tenant, id)) { count += 1 }
        return count < limit
      }
    } catch {
      throw ProjectionsError(error)
    }
    return count
  }

  private borrowing func forEachDue(
    _ kind: ActivityPlace.Class, upTo time: Instant, after entry: ActivityKey?, _ body: (ActivityKey) throws -> Bool
  ) throws {
    // Behind all entries of that very time: what follows the time in a key is the name of a tenant, in letters.
    let end = ActivityKey.prefix(kind, time) + [UInt8.max]
    var cursor = try transaction.cursor(tables.activity)
    let start = entry?.bytes ?? [kind.rawValue]
    var next = try cursor.seek(start.span)
    while let found = next, found.key.precedes(end.span) {
      let isNew = entry.map { !$0.bytes.span.isEqual(to: found.key) } ?? true
      if isNew {
        guard try body(ActivityKey(stored: found.key)) else { return }
      }
      next = try cursor.next()
    }
  }

  /// Whether the index has an entry for a session that waits for something, where it is met in time.
  public borrowing func hasActivity(of key: SessionKey) throws(ProjectionsError) -> Bool {
    do throws(LMDBError) {
      guard let value = try transaction.value(tables.snapshots, key.bytes.span),
        let places = try? SnapshotEntry.places(value, of: key)
      else { return true }
      guard places.indexed.serves(places.exact) else { return false }
      return try transaction.value(tables.activity, ActivityKey(places.indexed, of: key).bytes.span) != nil
    } catch {
      throw .storage(error)
    }
  }

  /// Looks at up to `limit` entries of the index behind `entry`; tells `found` whose they are where no snapshot has
  /// them, nil where the key can't be one. Returns where to go on, nil at the end.
  fileprivate borrowing func findStrays(
    after entry: ActivityKey?, limit: Int, _ found: (TenantID?) -> Void
  ) throws(ProjectionsError) -> ActivityKey? {
    do {
      var cursor = try transaction.cursor(tables.activity)
      let start = entry?.bytes ?? [0]
      var next = try cursor.seek(start.span)
      var last: ActivityKey?
      var count = 0
      while let stored = next, count < limit {
        count += 1
        let current = ActivityKey(stored: stored.key)
        last = current
        if current != entry {
          if let (tenant, id) = try? current.session() {
            if try isStray(current, SessionKey(tenant, id)) { found(tenant) }
          } else {
            found(nil)
          }
        }
        next = try cursor.next()
      }
      return count < limit ? nil : last
    } catch {
      throw ProjectionsError(error)
    }
  }

  /// Whether the entry isn't where its session's snapshot has it. Of a snapshot that can't be read nobody knows.
  private borrowing func isStray(_ entry: ActivityKey, _ key: SessionKey) throws(LMDBError) -> Bool {
    guard let value = try transaction.value(tables.snapshots, key.bytes.span) else { return true }
    do throws(DamagedRecord) {
      return try SnapshotEntry.places(value, of: key).map { ActivityKey($0.indexed, of: key) } != entry
    } catch {
      return false
    }
  }

  /// Whether the snapshot of a session leaves it due. One that can't be read does, so that somebody looks at it.
  private borrowing func isDue(
    _ kind: ActivityPlace.Class, upTo time: Instant, _ key: SessionKey
  ) throws(LMDBError) -> Bool {
    guard let value = try transaction.value(tables.snapshots, key.bytes.span) else { return false }
    let exact = ActivityPlace(snapshot: SnapshotEntry.snapshot(value, key.bytes.span), of: key)
    return exact?.isDue(kind, upTo: time) ?? true
  }
}

extension Projections {
  /// Looks at all entries of the index of activity, in views that are short; tells `found` whose they are where no
  /// snapshot has them, nil where the key can't be one.
  public func forEachStrayActivity(_ found: (TenantID?) -> Void) throws(ProjectionsError) {
    var next: ActivityKey?
    repeat { next = try view().findStrays(after: next, limit: 8192, found) } while next != nil
  }
}
