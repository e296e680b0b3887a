internal import EventLog
internal import Projections
internal import SessionCodec
public import SessionModel

/// One page of a list that goes on at `next`, nil at its end.
public struct Page<Item: Sendable, Next: Sendable>: Sendable {
  /// The items, in the list's order.
  public let items: [Item]
  /// Where the next page begins, nil when there is none.
  public let next: Next?
}

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
  /// A session as it was at `moment`; nil when it had not begun, had ended, or its time had run out then.
  public func session(
    _ id: SessionID, of tenant: AuthorizedTenant, at moment: Moment
  ) throws(StoreError) -> PastSession? {
    do {
      guard let last = try lastPosition(id, of: tenant) else { return nil }
      guard let past = try History(log: log, tenant: tenant.id).session(last: last, at: moment) else { return nil }
      switch moment {
      case .time(let time):
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

  /// A page of a session's events, newest first, those of ended and expired lives too; nil when it never had one.
  /// Costs what the page is long; beginning before a version costs what the life is long since then.
  public func events(
    _ id: SessionID, of tenant: AuthorizedTenant, from start: HistoryStart, limit: Int
  ) throws(StoreError) -> Page<RecordedEvent, UInt64>? {
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
      let (events, next) = try history.events(from: from, limit: limit)
      return Page(items: events, next: next == 0 ? nil : next)
    } catch {
      throw StoreError(error)
    }
  }

  /// The sessions that carry or carried a customer's id, in the order of their ids.
  public func sessions(
    of customer: String, in tenant: AuthorizedTenant, after session: SessionID?, limit: Int
  ) throws(StoreError) -> Page<CustomerSession, SessionID> {
    do {
      let ids = try snapshots.sessions(of: customer, in: tenant.id, after: session, limit: limit + 1)
      var items: [CustomerSession] = []
      for id in ids.prefix(limit) {
        guard let state = try snapshots.session(SessionKey(tenant.id, id)) else { continue }
        let isLive = state.isLive(at: now(), timeToLive: configuration.rules.timeToLive)
        items.append(CustomerSession(id: id, session: state, isLive: isLive))
      }
      return Page(items: items, next: ids.count > limit ? ids[limit - 1] : nil)
    } catch {
      throw StoreError(error)
    }
  }

  /// All sessions that carry or carried a customer's id.
  public func sessionIDs(of customer: String, in tenant: AuthorizedTenant) throws(StoreError) -> [SessionID] {
    do throws(ProjectionsError) {
      return try snapshots.sessions(of: customer, in: tenant.id)
    } catch {
      throw .projections(error)
    }
  }

  private func lastPosition(_ id: SessionID, of tenant: AuthorizedTenant) throws(ProjectionsError) -> UInt64? {
    try snapshots.withSnapshot(SessionKey(tenant.id, id)) { $0?.lastPosition }
  }
}
