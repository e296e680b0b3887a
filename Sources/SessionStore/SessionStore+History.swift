internal import EventLog
internal import Projections
internal import SessionCodec
public import SessionModel

/// A session of a customer.
public struct CustomerSession: Sendable {
  /// The session.
  public let id: SessionID
  /// Its state now.
  public let session: Session
  /// Whether it can be read: it has neither ended nor expired.
  public let isLive: Bool
}

extension SessionStore {
  /// Whether a time has come, so that it can be asked what was then.
  public func hasCome(_ time: Instant) -> Bool { time <= now() }

  /// Closes the past up to `moment`, if that is a time: no event is recorded at it any more. Returns whether all of it is
  /// written; otherwise a commit is under way that may be of that time, for which ``whenWritten(_:_:)`` waits.
  public func settle(_ moment: Moment) -> Bool {
    guard case .time(let time) = moment else { return true }
    return recordingClock.settle(min(time, now()))
  }

  /// Calls `body` once when all up to `moment`, which was settled, is written: at once or on the writer's thread. It must
  /// not block.
  public func whenWritten(_ moment: Moment, _ body: @escaping @Sendable () -> Void) {
    guard case .time(let time) = moment else { return body() }
    recordingClock.whenWritten(min(time, now()), body)
  }

  /// A session as it was at `moment`; nil when it had not begun, had ended, or its time had run out then.
  ///
  /// About a time that was settled and is written the answer stays the same, whatever is written later.
  public func session(
    _ id: SessionID, of tenant: AuthorizedTenant, at moment: Moment
  ) throws(StoreError) -> PastSession? {
    do {
      guard let last = try lastPosition(id, of: tenant) else { return nil }
      guard let (past, wentOn) = try History(log: log, tenant: tenant.id).session(last: last, at: moment) else {
        return nil
      }
      switch moment {
      case .time(let time):
        // A later event knows better than the times to live of today, and so than what an erasure has left of a customer.
        if wentOn { return past }
        return past.session.isLive(at: time, timeToLive: configuration.rules.timeToLive) ? past : nil
      case .version, .position:
        return past.session.status == .active ? past : nil
      }
    } catch {
      throw StoreError(error)
    }
  }

  /// Where to begin in a session's history.
  public enum HistoryStart: Equatable, Sendable {
    /// At the newest event.
    case newest
    /// At the newest event before a version of the current life.
    case before(version: UInt32)
    /// At an event of the session, as a page's `next` has it.
    case position(UInt64)
  }

  /// Hands up to `limit` of a session's events to `body`, newest first, those of ended and expired lives too, until it
  /// returns that it has enough. One short read transaction, during which `body` runs.
  ///
  /// Returns where the older ones begin, 0 when there are none; nil when the session never had one. Costs what `body`
  /// gets; beginning before a version costs what the life is long since then.
  public func readEvents(
    of id: SessionID, _ tenant: AuthorizedTenant, from start: HistoryStart, limit: Int,
    _ body: (RecordedEvent) -> Bool
  ) throws(StoreError) -> UInt64? {
    do {
      guard let last = try lastPosition(id, of: tenant) else { return nil }
      let history = History(log: log, tenant: tenant.id)
      let from: UInt64
      switch start {
      case .newest:
        from = last
      case .before(let version):
        from = try history.position(before: version, from: last)
      case .position(let position):
        // Only an event of this very session can be a page's beginning.
        guard position <= last, try log.event(tenant.id, position)?.sessionID == id else { return nil }
        from = position
      }
      return try history.read(from: from, limit: limit, body)
    } catch {
      throw StoreError(error)
    }
  }

  /// What two versions of a session hold, both of the last life that had both.
  public func compare(
    _ id: SessionID, of tenant: AuthorizedTenant, from: UInt32, to: UInt32
  ) throws(StoreError) -> Comparison {
    do {
      let last = try lastPosition(id, of: tenant) ?? 0
      return try History(log: log, tenant: tenant.id).compare(last: last, from: from, to: to)
    } catch {
      throw StoreError(error)
    }
  }

  /// Hands up to `limit` of the sessions that carry or carried a customer's id to `body`, in the order of their ids, until
  /// it returns that it has enough. Returns the last one that was looked at, nil when there is none after it.
  public func readSessions(
    of customer: String, in tenant: AuthorizedTenant, after session: SessionID?, limit: Int,
    _ body: (CustomerSession) -> Bool
  ) throws(StoreError) -> SessionID? {
    do {
      let ids = try snapshots.sessions(of: customer, in: tenant.id, after: session, limit: limit + 1)
      var looked = 0
      for id in ids.prefix(limit) {
        looked += 1
        guard let state = try snapshots.session(SessionKey(tenant.id, id)) else { continue }
        let isLive = state.isLive(at: overlay.time(of: tenant.id, now()), timeToLive: configuration.rules.timeToLive)
        guard body(CustomerSession(id: id, session: state, isLive: isLive)) else { break }
      }
      return looked < ids.count ? ids[looked - 1] : nil
    } catch {
      throw StoreError(error)
    }
  }

  /// All sessions that carry or carried a customer's id.
  public func sessionIDs(of customer: String, in tenant: AuthorizedTenant) throws(StoreError) -> [SessionID] {
    do throws(ProjectionsError) {
      return try snapshots.sessions(of: customer, in: tenant.id)
    } catch {
      throw StoreError(error)
    }
  }

  private func lastPosition(_ id: SessionID, of tenant: AuthorizedTenant) throws(ProjectionsError) -> UInt64? {
    try snapshots.withSnapshot(SessionKey(tenant.id, id)) { $0?.lastPosition }
  }
}
