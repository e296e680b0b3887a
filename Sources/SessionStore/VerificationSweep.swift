internal import EventLog
internal import LMDB
internal import Projections
internal import SessionCodec
internal import SessionModel

/// One pass of a verification over the log, from tenant to tenant, in the order in which the records lie.
final class VerificationSweep {
  private let range: TenantRange
  private let marks: ChainMarks?
  private let head: ChainHead?
  private let log: EventLog
  private let projections: Projections?
  private let step: (Verification.Step) -> Void
  private var findingCount = 0
  /// The tenants whose log has been begun.
  private var seen: Set<TenantID> = []
  private var proof: TenantProof?
  /// Where to go on after a stop.
  private var jump: EventLog.SweepPlace?

  private static let recordsPerTransaction = 8192

  init(
    range: TenantRange, from marks: ChainMarks?, expecting head: ChainHead? = nil, log: EventLog,
    projections: Projections?, step: @escaping (Verification.Step) -> Void
  ) {
    self.range = range
    self.marks = marks
    self.head = head
    self.log = log
    self.projections = projections
    self.step = step
  }

  func run() throws(StoreError) {
    if let only = range.only {
      for tenant in only.sorted() where range.contains(tenant) { try run(from: EventLog.SweepPlace(before: tenant)) }
    } else {
      try run(from: range.after.map { EventLog.SweepPlace(after: $0) } ?? .start)
    }
    // Tenants that have no record, but of which something else is known.
    for tenant in try otherTenants() where range.contains(tenant) && !seen.contains(tenant) {
      begin(tenant)
      if proof?.isKnown == false {
        found(nil, "the tenant has neither records nor projections", of: tenant)
      }
      finish()
    }
    checkActivity()
  }

  /// Looks for entries in the index of activity that no snapshot has; with the snapshots those that are lacking are
  /// found. Only here, since the index is in the order of time over all tenants.
  private func checkActivity() {
    guard let projections, marks == nil else { return }
    var strays: [TenantID?: Int] = [:]
    do throws(ProjectionsError) {
      try projections.forEachStrayActivity { tenant in
        if tenant.map(range.contains) ?? true { strays[tenant, default: 0] += 1 }
      }
    } catch {
      found(nil, error.description)
    }
    for (tenant, count) in strays.sorted(by: { "\($0.key, default: "")" < "\($1.key, default: "")" }) {
      found(nil, "the index of activity has \(count) entries that no snapshot has", of: tenant)
    }
  }

  private func otherTenants() throws(StoreError) -> [TenantID] {
    var tenants = range.only ?? []
    if let marks { tenants.formUnion(marks.tails.keys) }
    do throws(ProjectionsError) {
      if let projections, marks == nil { tenants.formUnion(try projections.view().tenants()) }
    } catch {
      guard StoreError.projections(error).isDamage else { throw .projections(error) }
      found(nil, error.description)
    }
    return tenants.sorted()
  }

  private func run(from start: EventLog.SweepPlace) throws(StoreError) {
    var next: EventLog.SweepPlace? = start
    while let place = next {
      jump = nil
      do throws(EventLogError) {
        next =
          try log.sweep(after: place, limit: Self.recordsPerTransaction) { tenant, position, frame, damage in
            take(tenant, position, frame, damage)
          } ?? jump
      } catch {
        // LMDB itself sees that its pages can't be right. The rest of this tenant's log can't be reached by them.
        guard case .storage(let storage) = error, storage.code < 0 else { throw .log(error) }
        found((proof?.tail.position ?? 0) + 1, "\(error); the rest of the log could not be read", of: proof?.tenant)
        // Behind a tenant whose log has ended already there is nothing to go on from.
        guard let broken = proof, !broken.isBroken else { break }
        broken.isBroken = true
        next = EventLog.SweepPlace(after: broken.tenant)
        if range.only != nil { next = nil }
      }
      tell()
    }
    finish()
  }

  private func take(
    _ tenant: TenantID?, _ position: UInt64, _ frame: FrameView?, _ damage: DamagedRecord?
  ) -> EventLog.SweepAdvice {
    guard let tenant else {
      found(nil, damage?.reason ?? "a key can't be one")
      return .goOn
    }
    if proof?.tenant != tenant {
      // A damaged key may name anybody: only a whole record begins another log, or one that can be the first.
      let isFirst = position == 1 && (proof.map { $0.tenant < tenant } ?? true)
      guard frame != nil || isFirst else {
        found(position, damage?.reason ?? "the record can't be read", of: tenant)
        return .goOn
      }
      finish()
      guard range.contains(tenant) else { return .stop }
      guard !seen.contains(tenant) else {
        found(position, "the record lies apart from its log", of: tenant)
        return .goOn
      }
      begin(tenant)
      if let mark = proof?.mark {
        jump = EventLog.SweepPlace(after: mark.position, of: tenant)
        return .stop
      }
    }
    return proof?.take(position, frame, damage) == true ? .mayPause : .goOn
  }

  private func begin(_ tenant: TenantID) {
    seen.insert(tenant)
    let mark = marks?.tails[tenant]
    let isErased = { [log] position in (try? log.isErased(tenant, position)) != false }
    let proof = TenantProof(tenant, from: mark, expecting: head, isErased: isErased) {
      [unowned self] position, problem in found(position, problem, of: tenant)
    }
    self.proof = proof
    if marks == nil, let projections {
      step(.reading(.projections, of: tenant))
      do throws(ProjectionsError) {
        try proof.expect(projections)
      } catch {
        found(nil, "\(error)", of: tenant)
      }
    }
    step(.reading(.log, of: tenant))
    if let mark, (try? log.holds(mark, of: tenant)) != true {
      found(mark.position, "the record isn't the one that was proved before: it is lost or was rewritten", of: tenant)
    }
  }

  /// Ends the proof of the tenant that was worked on.
  private func finish() {
    guard let proof else { return }
    goOn(proof)
    tell()
    proof.finish()
    step(.proved(proof.tenant, proof.tail, snapshots: proof.comparedSnapshots, erasedEvents: proof.erasedEvents))
    self.proof = nil
  }

  /// Reads on while the log goes further than was read, and the projections do, too: while a daemon runs, its events
  /// may have come, and been flushed, since the read transaction began.
  private func goOn(_ proof: TenantProof) {
    let tenant = proof.tenant
    while let reach = proof.missingReach, (try? log.holds(reach, of: tenant)) == true {
      let position = proof.tail.position
      let place =
        position == 0 ? EventLog.SweepPlace(before: tenant) : EventLog.SweepPlace(after: position, of: tenant)
      _ = try? log.sweep(after: place, limit: Self.recordsPerTransaction) { owner, position, frame, damage in
        guard owner == tenant else { return .stop }
        return proof.take(position, frame, damage) ? .mayPause : .goOn
      }
      guard proof.tail.position > position else { return }
    }
  }

  private func tell() {
    guard let proof, proof.events > 0 else { return }
    step(.reached(proof.tenant, position: proof.tail.position, events: proof.events))
    proof.events = 0
  }

  private func found(_ position: UInt64?, _ problem: String, of tenant: TenantID? = nil) {
    findingCount += 1
    guard findingCount <= Verification.maximumFindings else { return }
    step(.found(Verification.Finding(tenant: tenant, position: position, problem: problem)))
  }
}
