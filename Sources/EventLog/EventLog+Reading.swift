internal import LMDB
internal import Platform
public import SessionCodec
public import SessionModel

extension EventLog {
  /// The tenants that have a log, in order. Costs one look per tenant, however long the logs are.
  public func tenants() throws(EventLogError) -> [TenantID] {
    do {
      var tenants: [TenantID] = []
      let reader = try environment.read()
      var cursor = try reader.cursor(events)
      var next = try cursor.first()
      while let entry = next {
        let tenant = try LogSchema.parse(entry.key).tenant
        tenants.append(tenant)
        next = try cursor.seek(LogSchema.end(of: tenant).span)
      }
      return tenants
    } catch {
      throw EventLogError(error)
    }
  }

  /// The event at `position` of `tenant`'s log, nil when there is none. Throws when its record is damaged.
  public func event(_ tenant: TenantID, _ position: UInt64) throws(EventLogError) -> Event? {
    do {
      let reader = try environment.read()
      guard try position > 0 && position <= Self.lastPosition(reader.cursor(events), tenant) else { return nil }
      return try withFrame(reader, tenant, position) { frame throws(DamagedRecord) in try frame.event() }
    } catch {
      throw EventLogError(error)
    }
  }

  /// Whether `tenant`'s log holds the record at `tail`'s position, with its chain. Throws when the record is missing or
  /// damaged; there is none at position 0.
  public func holds(_ tail: LogTail, of tenant: TenantID) throws(EventLogError) -> Bool {
    do {
      let reader = try environment.read()
      guard try tail.position <= Self.lastPosition(reader.cursor(events), tenant) else { return false }
      return try withFrame(reader, tenant, tail.position) { $0.chain == tail.chain }
    } catch {
      throw EventLogError(error)
    }
  }

  /// Replays up to `limit` records of `tenant` that follow `position`, in order, in one short read transaction.
  ///
  /// `body` returns whether to go on after its record. Returns the position of the last one, or `position` when there is
  /// none: call it again from there for more.
  /// Throws when a record is damaged, missing or in another's place, and what `body` throws.
  public func replay(
    _ tenant: TenantID, after position: UInt64, limit: Int,
    _ body: (FrameView) throws(DamagedRecord) -> Bool
  ) throws(EventLogError) -> UInt64 {
    do {
      let reader = try environment.read()
      var cursor = try reader.cursor(events)
      var last = position
      var next = try cursor.seek(LogSchema.key(tenant, after: position).span)
      for _ in 0..<limit {
        guard let entry = next, let found = LogSchema.position(entry.key, in: tenant) else { break }
        guard found == last + 1 else {
          throw EventLogError.damaged(tenant: tenant, position: last + 1, reason: "the record is missing")
        }
        last = found
        do throws(DamagedRecord) {
          guard try body(try Self.frame(entry.value, entry.key, tenant, found)) else { break }
        } catch {
          throw EventLogError.damaged(tenant: tenant, position: found, reason: error.reason)
        }
        next = try cursor.next()
      }
      return last
    } catch {
      throw EventLogError(error)
    }
  }

  /// Walks a session's events backwards from `position`, newest first, in one short read transaction.
  ///
  /// `body` returns whether to go on. Returns the position that the walk stopped before: 0 when the session has no
  /// earlier event. Throws when a record is damaged or missing.
  public func walk(
    _ tenant: TenantID, from position: UInt64, limit: Int, _ body: (FrameView) throws(DamagedRecord) -> Bool
  ) throws(EventLogError) -> UInt64 {
    do {
      let reader = try environment.read()
      var next = position
      for _ in 0..<limit where next > 0 {
        let (previous, goesOn) = try withFrame(reader, tenant, next) { frame throws(DamagedRecord) in
          (frame.previousPosition, try body(frame))
        }
        guard previous < next else {
          throw EventLogError.damaged(tenant: tenant, position: next, reason: "its predecessor comes after it")
        }
        next = previous
        if !goesOn { break }
      }
      return next
    } catch {
      throw EventLogError(error)
    }
  }

  /// The positions of what erasing a session has to take the payload from: its events from `last` backwards that hold
  /// one, newest first. An earlier erasure has done so for all before it, and its own record tells who erased, and stays.
  ///
  /// Throws when one of the records is damaged, missing or of another session.
  public func erasablePositions(
    _ session: SessionID, of tenant: TenantID, from last: UInt64
  ) throws(EventLogError) -> [UInt64] {
    var positions: [UInt64] = []
    var isDone = false
    var next = last
    while next > 0 && !isDone {
      next = try walk(tenant, from: next, limit: 1024) { frame throws(DamagedRecord) in
        guard frame.isOf(session) else { throw DamagedRecord("the record is another session's") }
        isDone = frame.kind == Event.Kind.erased.rawValue
        if !isDone && !frame.isErased { positions.append(frame.position) }
        return !isDone
      }
    }
    return positions
  }

  /// Whether the payload of the record at `position` was erased. Throws when the record is damaged or missing.
  public func isErased(_ tenant: TenantID, _ position: UInt64) throws(EventLogError) -> Bool {
    do {
      let reader = try environment.read()
      return try withFrame(reader, tenant, position) { $0.isErased }
    } catch {
      throw EventLogError(error)
    }
  }

  /// Hands the records at `positions` to `body`, in that order, in one short read transaction.
  ///
  /// Throws when one of them is damaged or missing, and what `body` throws.
  public func read(
    _ tenant: TenantID, at positions: ArraySlice<UInt64>, _ body: (FrameView) throws(DamagedRecord) -> Void
  ) throws(EventLogError) {
    do {
      let reader = try environment.read()
      for position in positions { try withFrame(reader, tenant, position, body) }
    } catch {
      throw EventLogError(error)
    }
  }

  /// How far from a record that can't be read the search for a time looks for one that can.
  private static let searchReach: UInt64 = 512

  /// The position of `tenant`'s last record that was accepted at or before `time`, 0 when there is none.
  ///
  /// Looks at as many records as the position has bits: times never go back within a log. In place of one that can't be
  /// read it asks the nearest one that can. Records that can't be read right behind the one it finds may be of that time,
  /// too. Throws when it comes upon more than a thousand in a row that can't be read.
  public func lastPosition(of tenant: TenantID, at time: Instant) throws(EventLogError) -> UInt64 {
    do {
      let reader = try environment.read()
      var low: UInt64 = 0
      var high = try Self.lastPosition(reader.cursor(events), tenant)
      while low < high {
        let middle = high - (high - low) / 2
        guard let found = try recordedAt(reader, tenant, near: middle, in: low + 1...high) else { break }
        if found.time <= time { low = found.position } else { high = found.position - 1 }
      }
      return low
    } catch {
      throw EventLogError(error)
    }
  }

  /// The time of the record nearest to `middle` that can be read, nil when none in `range` can.
  private func recordedAt(
    _ reader: borrowing ReadTransaction, _ tenant: TenantID, near middle: UInt64, in range: ClosedRange<UInt64>
  ) throws -> (position: UInt64, time: Instant)? {
    for distance in 0...Self.searchReach {
      // What wraps around is outside of any log.
      let neighbours = [middle &- distance, middle &+ distance].filter(range.contains)
      if neighbours.isEmpty { return nil }
      for position in neighbours {
        do {
          return (position, try withFrame(reader, tenant, position) { $0.recordedAt })
        } catch is EventLogError {
          continue
        }
      }
    }
    throw EventLogError.damaged(
      tenant: tenant, position: middle, reason: "neither it nor any record near it can be read")
  }

  /// Hands up to `limit` records of `tenant` that follow `position` to `body`, in order, damaged ones too: nil where the
  /// record can't be read, with the reason. Positions that are missing are left out.
  ///
  /// Returns the position of the last one, or `position` when there is none.
  public func scan(
    _ tenant: TenantID, after position: UInt64, limit: Int,
    _ body: (_ position: UInt64, _ frame: FrameView?, _ damage: DamagedRecord?) -> Void
  ) throws(EventLogError) -> UInt64 {
    do {
      let reader = try environment.read()
      var cursor = try reader.cursor(events)
      var last = position
      var next = try cursor.seek(LogSchema.key(tenant, after: position).span)
      for _ in 0..<limit {
        guard let entry = next, let found = LogSchema.position(entry.key, in: tenant) else { break }
        last = found
        do throws(DamagedRecord) {
          body(found, try Self.frame(entry.value, entry.key, tenant, found), nil)
        } catch {
          body(found, nil, error)
        }
        next = try cursor.next()
      }
      return last
    } catch {
      throw EventLogError(error)
    }
  }

  private func withFrame<Result>(
    _ reader: borrowing ReadTransaction, _ tenant: TenantID, _ position: UInt64,
    _ body: (FrameView) throws(DamagedRecord) -> Result
  ) throws -> Result {
    let key = LogSchema.key(tenant, position)
    guard let value = try reader.value(events, key.span) else {
      throw EventLogError.damaged(tenant: tenant, position: position, reason: "the record is missing")
    }
    do throws(DamagedRecord) {
      return try body(try Self.frame(value, key.span, tenant, position))
    } catch {
      throw EventLogError.damaged(tenant: tenant, position: position, reason: error.reason)
    }
  }

  /// The record under `key`, after checking that it says so itself.
  @_lifetime(copy value)
  static func frame(
    _ value: Span<UInt8>, _ key: Span<UInt8>, _ tenant: TenantID, _ position: UInt64
  ) throws(DamagedRecord) -> FrameView {
    let frame = try FrameView(value, key: key)
    let isTenants = tenant.description.withBytes { frame.tenant.isEqual(to: $0) }
    guard frame.position == position, isTenants else {
      throw DamagedRecord("the record belongs to another place")
    }
    return frame
  }
}
