internal import EventLog
internal import LMDB
internal import Platform
internal import Projections
internal import SessionModel

/// Compares old projections with ones that were built anew from the same log.
///
/// The old ones may lag behind the log, as after a crash. So the events that they lack are folded over them first, in
/// memory; then both must hold the same, byte for byte.
public struct ProjectionsComparison {
  private let log: EventLog
  private let old: Projections
  private let new: Projections
  private let found: (String) -> Void

  /// Compares the projections in the folders `old` and `new`, both folded from the log of `directory`. `found` is told
  /// each difference.
  ///
  /// Throws when the old ones can't be read or were folded from another log.
  public static func run(
    _ directory: DataDirectory, old: String, new: String, found: @escaping (String) -> Void
  ) throws(StoreError) {
    do {
      let options = Environment.Options(isReadOnly: true)
      let comparison = ProjectionsComparison(
        log: try EventLog(path: directory.log, options: options),
        old: try Projections(readOnly: old, options: options), new: try Projections(readOnly: new, options: options),
        found: found)
      try comparison.run()
    } catch {
      throw StoreError(error)
    }
  }

  private func run() throws {
    guard try old.storeID() == log.storeID else { return found("the old projections belong to another log") }
    let late = try foldLate()
    let oldView = try old.view()
    let newView = try new.view()
    for tenant in Set(try oldView.tenants()).union(late.checkpoints.keys).union(try newView.tenants()).sorted() {
      let checkpoint = try late.checkpoints[tenant] ?? oldView.checkpoint(of: tenant)
      if checkpoint != (try newView.checkpoint(of: tenant)) {
        found("tenant \(tenant): the old checkpoint isn't where the log leads")
      }
      try compareSnapshots(of: tenant, oldView, newView, late)
      try compareCustomers(of: tenant, oldView, newView, late)
    }
    try checkActivity()
  }

  /// Whether the old index of activity has no entries but those that the old snapshots have.
  private func checkActivity() throws {
    var strays: [TenantID?: Int] = [:]
    try old.forEachStrayActivity { strays[$0, default: 0] += 1 }
    for (tenant, count) in strays {
      let owner = tenant.map { "tenant \($0)" } ?? "no tenant"
      found("\(owner): the old index of activity had \(count) entries that no snapshot had")
    }
  }

  /// What the events change that the old projections lack.
  private func foldLate() throws -> Publication {
    var fold = Fold(over: SnapshotReader(overlay: Overlay(maximumBytes: 0), projections: old).session)
    for tenant in try log.tenants() {
      var checkpoint = try old.view().checkpoint(of: tenant)
      guard try old.view().isOf(log, tenant) else {
        throw ProjectionsError.damaged(reason: "they were folded from another log")
      }
      var before: UInt64
      repeat {
        before = checkpoint.tail.position
        _ = try fold.replay(log, of: tenant, after: &checkpoint, limit: 4096)
      } while checkpoint.tail.position > before
    }
    return fold.finish()
  }

  private func compareSnapshots(
    of tenant: TenantID, _ oldView: borrowing ProjectionsView, _ newView: borrowing ProjectionsView, _ late: Publication
  ) throws {
    try newView.forEachSnapshot(of: tenant) { id, snapshot in
      let key = SessionKey(tenant, id)
      if let bytes = late.snapshots[key] {
        if !bytes.span.isEqual(to: snapshot) { found(Self.changed(id, of: tenant)) }
      } else if let stored = try? oldView.snapshot(key) {
        if !stored.isEqual(to: snapshot) { found(Self.changed(id, of: tenant)) }
      } else {
        found("tenant \(tenant): session \(id) had no snapshot")
      }
    }
    var lacking = 0
    try oldView.forEachSnapshot(of: tenant) { id, _ in
      let key = SessionKey(tenant, id)
      let isKnown = (try? newView.snapshot(key)) != nil
      if !isKnown { found("tenant \(tenant): session \(id) had a snapshot and no event") }
      if (try? oldView.hasActivity(of: key)) == false { lacking += 1 }
    }
    if lacking > 0 { found("tenant \(tenant): the old index of activity lacked \(lacking) entries") }
  }

  private static func changed(_ id: SessionID, of tenant: TenantID) -> String {
    "tenant \(tenant): the old snapshot of session \(id) was another one"
  }

  private func compareCustomers(
    of tenant: TenantID, _ oldView: borrowing ProjectionsView, _ newView: borrowing ProjectionsView, _ late: Publication
  ) throws {
    var entries: Set<CustomerKey> = []
    try newView.forEachCustomer(of: tenant) { entries.insert($0) }
    var surplus = 0
    var lackingCarriers = 0
    var count = 0
    try oldView.forEachCustomer(of: tenant) { entry in
      count += 1
      if (try? oldView.hasCarrier(of: entry)) == false { lackingCarriers += 1 }
      // What was erased since leaves the index when that is folded.
      if late.erased.contains(entry.carrier.session) { return }
      if entries.remove(entry) == nil { surplus += 1 }
    }
    let lacking = entries.subtracting(late.customers.values.joined()).count
    let carriers = try oldView.carrierCount(of: tenant)
    if lackingCarriers > 0 || carriers != count - lackingCarriers {
      found("tenant \(tenant): the old index of customers by session didn't agree with the one by customer")
    }
    if lacking > 0 { found("tenant \(tenant): the old index of customers lacked \(lacking) entries") }
    if surplus > 0 { found("tenant \(tenant): the old index of customers had \(surplus) entries that no event made") }
  }
}
