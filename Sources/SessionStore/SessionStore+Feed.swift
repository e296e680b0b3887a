internal import EventLog
internal import Projections
internal import SessionCodec
public import SessionModel

extension SessionStore {
  /// How far a look at a tenant's log went.
  public struct Reach: Equatable, Sendable {
    /// The position up to which all events have been looked at.
    public let position: UInt64
    /// Whether there was no event behind it.
    public let isAtEnd: Bool
  }

  /// A filter for the events of a tenant; of a customer's those of all sessions that carry or carried its id by now.
  public func eventFilter(
    of tenant: AuthorizedTenant, kind: Event.Kind? = nil, session: SessionID? = nil, customer: String? = nil
  ) throws(StoreError) -> EventFilter {
    guard let customer else { return EventFilter(kind: kind, session: session, customer: nil) }
    // Asked for first: what comes in between is taken in again.
    let position = lastPosition(of: tenant)
    let carriers = CustomerSessions(try sessionIDs(of: customer, in: tenant), asOf: position)
    return EventFilter(kind: kind, session: session, customer: customer, carriers: carriers)
  }

  /// Hands the tenant's events after `position` that pass `filter` to `body`, in order, until it returns that it has
  /// enough; looks at no more than `scanLimit` events, and at none that snapshots don't show yet. One short read
  /// transaction, during which `body` runs.
  public func readEvents(
    of tenant: AuthorizedTenant, after position: UInt64, scanLimit: Int, filter: inout EventFilter,
    _ body: (RecordedEvent) -> Bool
  ) throws(StoreError) -> Reach {
    let shown = overlay.shownPosition(of: tenant.id)
    guard shown > position else { return Reach(position: position, isAtEnd: true) }
    let limit = Int(min(UInt64(scanLimit), shown - position))
    do throws(EventLogError) {
      var reached = position
      var scanned = 0
      var hasEnough = false
      let last = try log.replay(tenant.id, after: position, limit: limit) { frame throws(DamagedRecord) in
        // One record more than asked for tells whether the end is reached.
        guard !hasEnough else { return false }
        scanned += 1
        reached = frame.position
        guard filter.mayPass(frame) else { return true }
        let recorded = try RecordedEvent(frame)
        if filter.passes(recorded.event) { hasEnough = !body(recorded) }
        return true
      }
      return Reach(position: reached, isAtEnd: reached == last && scanned < scanLimit)
    } catch {
      throw .log(error)
    }
  }

  /// The position of the tenant's last event that snapshots show, 0 without one.
  public func lastPosition(of tenant: AuthorizedTenant) -> UInt64 { overlay.shownPosition(of: tenant.id) }
}
