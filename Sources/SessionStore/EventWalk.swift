internal import EventLog
internal import Platform
internal import Projections
internal import SessionCodec
public import SessionModel

/// Which events are asked for. What isn't said isn't asked.
public struct EventSelection: Equatable, Sendable {
  /// Events of this tenant alone.
  public var tenant: TenantID?
  /// Events of this session alone.
  public var session: SessionID?
  /// Events of the sessions that carry or once carried this customer's id, those before they did, too.
  public var customer: String?
  /// Events of this kind alone.
  public var kind: Event.Kind?
  /// Events at these positions of their tenant's log.
  public var positions: ClosedRange<UInt64> = 1 ... .max
  /// Events that were recorded then or later.
  public var since: Instant?
  /// Events that were recorded then or earlier.
  public var until: Instant?

  /// A selection of all events.
  public init() {}
}

/// Goes through the events of a selection in order: tenant by tenant, and each tenant's by position. Once at the end, it
/// goes on with what has come since then.
public struct EventWalk {
  /// What the walk comes to.
  public enum Item: Equatable, Sendable {
    /// An event that was asked for.
    case event(RecordedEvent)
    /// Records that might have been asked for and can't be read.
    case damage(positions: ClosedRange<UInt64>, reason: String)
  }

  private static let recordsPerTransaction = 1024

  private let reader: StoreReader
  private let selection: EventSelection
  private var tenants: [TenantID: Place] = [:]

  /// How far a tenant's log has been walked.
  private struct Place {
    var reached: UInt64
    /// Where the log ended when that was last looked for.
    var end: UInt64 = 0
    var filter: EventFilter
    var isDone = false
  }

  /// A walk over the events of `reader`'s store that are selected; over those alone that are still to come when
  /// `fromEnd`.
  public init(_ reader: StoreReader, _ selection: EventSelection, fromEnd: Bool = false) throws(StoreError) {
    self.reader = reader
    self.selection = selection
    guard fromEnd else { return }
    for tenant in try selectedTenants() {
      let end = try Self.lastPosition(of: tenant, in: reader.log)
      tenants[tenant] = Place(reached: end, end: end, filter: try filter(in: tenant))
    }
  }

  /// Hands what has come since the last time to `body`, which may take its time: no transaction is open meanwhile.
  /// `progress` is told how many records have been looked at since the last time it was.
  public mutating func run<Failure: Error>(
    progress: (UInt64) -> Void = { _ in }, _ body: (TenantID, Item) throws(Failure) -> Void
  ) throws {
    for tenant in try selectedTenants() {
      var place = try tenants[tenant] ?? firstPlace(tenant)
      let end = try Self.lastPosition(of: tenant, in: reader.log)
      // The tenant was removed since the last time, and perhaps begun anew.
      if end < place.end { place = try firstPlace(tenant) }
      place.end = end
      while !place.isDone {
        let before = place.reached
        let items = try next(tenant, &place)
        for item in items { try body(tenant, item) }
        if place.reached == before { break }
        progress(place.reached - before)
      }
      tenants[tenant] = place
    }
  }

  private func selectedTenants() throws(StoreError) -> [TenantID] {
    if let tenant = selection.tenant { return [tenant] }
    return try reader.tenants()
  }

  private func firstPlace(_ tenant: TenantID) throws(StoreError) -> Place {
    var reached = selection.positions.lowerBound - 1
    if let since = selection.since {
      let before = Instant(microseconds: since.microseconds - 1)
      // Where that can't be told for damage, the walk comes upon the damage itself.
      reached = max(reached, (try? reader.log.lastPosition(of: tenant, at: before)) ?? 0)
    }
    return Place(reached: reached, filter: try filter(in: tenant))
  }

  /// About how many records the walk has to look at.
  public func count() throws(StoreError) -> UInt64 {
    var count: UInt64 = 0
    for tenant in try selectedTenants() {
      let first = try firstPlace(tenant).reached
      let last = min(try Self.lastPosition(of: tenant, in: reader.log), selection.positions.upperBound)
      count += last - min(first, last)
    }
    return count
  }

  private static func lastPosition(of tenant: TenantID, in log: EventLog) throws(StoreError) -> UInt64 {
    do throws(EventLogError) {
      return try log.lastPosition(of: tenant)
    } catch {
      throw .log(error)
    }
  }

  private func next(_ tenant: TenantID, _ place: inout Place) throws(EventLogError) -> [Item] {
    var items: [Item] = []
    let start = place.reached
    var state = place
    let last = try reader.log.scan(tenant, after: start, limit: Self.recordsPerTransaction) { position, frame, damage in
      guard position > state.reached, !state.isDone else { return }
      if position > selection.positions.upperBound { return state.isDone = true }
      if position > state.reached + 1 {
        items.append(.damage(positions: state.reached + 1...position - 1, reason: "missing"))
      }
      state.reached = position
      do throws(DamagedRecord) {
        guard let frame else { throw damage ?? DamagedRecord("it can't be read") }
        if let event = try take(frame, &state) { items.append(.event(event)) }
      } catch {
        items.append(.damage(positions: position...position, reason: error.reason))
      }
    }
    place = state
    if last == start || place.reached == selection.positions.upperBound { place.isDone = last != start }
    return items
  }

  /// The event of a record, nil when it isn't asked for.
  private func take(_ frame: FrameView, _ place: inout Place) throws(DamagedRecord) -> RecordedEvent? {
    if let since = selection.since, frame.recordedAt < since { return nil }
    if let until = selection.until, frame.recordedAt > until {
      // Times never go back within a log.
      place.isDone = true
      return nil
    }
    guard place.filter.mayPass(frame) else { return nil }
    let recorded = try RecordedEvent(frame)
    return place.filter.passes(recorded.event) ? recorded : nil
  }

  private func filter(in tenant: TenantID) throws(StoreError) -> EventFilter {
    var carriers = CustomerSessions()
    if let customer = selection.customer { carriers = try self.carriers(of: customer, in: tenant) }
    return EventFilter(
      kind: selection.kind, session: selection.session, customer: selection.customer, carriers: carriers)
  }

  /// The sessions that carry or carried the customer up to the end of the log: from the index, and from what the log has
  /// beyond it.
  private func carriers(of customer: String, in tenant: TenantID) throws(StoreError) -> CustomerSessions {
    do {
      let (indexed, checkpoint) = indexedCarriers(of: customer, in: tenant)
      var carriers = CustomerSessions(indexed, asOf: checkpoint)
      var reached = checkpoint
      while true {
        let last = try reader.log.scan(tenant, after: reached, limit: Self.recordsPerTransaction) { _, frame, _ in
          if let event = try? frame?.event() { carriers.take(event, of: customer) }
        }
        if last <= reached { break }
        reached = last
      }
      carriers.advance(to: reached)
      return carriers
    } catch {
      throw StoreError(error)
    }
  }

  /// What the index of customers knows, and up to where; nothing when that can't be told, or isn't of this log.
  private func indexedCarriers(of customer: String, in tenant: TenantID) -> ([SessionID], UInt64) {
    guard let projections = reader.projections, let view = try? projections.view(),
      let isOfLog = try? view.isOf(reader.log, tenant), isOfLog,
      let checkpoint = try? view.checkpoint(of: tenant),
      let sessions = try? view.sessions(of: customer, in: tenant, limit: .max)
    else { return ([], 0) }
    return (sessions, checkpoint.tail.position)
  }
}
