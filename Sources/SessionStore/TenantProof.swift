internal import EventLog
internal import Platform
internal import Projections
internal import SessionCodec
internal import SessionModel

/// The proof of one tenant: its chain from record to record, and the fold that its snapshots must equal.
final class TenantProof {
  let tenant: TenantID
  /// Where the proof begins, nil at the log's beginning.
  let mark: LogTail?
  /// A chain that the log must have come to, nil for none.
  private let head: ChainHead?
  /// How many events were taken since that was last asked for.
  var events: UInt64 = 0
  /// How many snapshots were compared, nil when none were.
  private(set) var comparedSnapshots: Int?
  /// Whether the log ended in a page that can't be read, so that its end can't be told.
  var isBroken = false

  private var projected: ProjectedTenant?
  /// Whether all has been compared that the projections hold up to the checkpoint.
  private var isBehindCheckpoint = false
  /// What isn't as it must be in the projections.
  private var problems: [String] = []
  /// How many sessions are open, of those that have been compared.
  private var openSessions: UInt64 = 0
  private let found: (UInt64?, String) -> Void
  private var chain: ChainProof
  private var trail = ErasureTrail()
  /// Positions whose record is missing or can't be read.
  private var damaged: [ClosedRange<UInt64>] = []
  /// Whether the fold of any session can't be known.
  private var hasUnknown = false
  /// The sessions by the hash of their ids.
  private var sessions: [IDHash: Tracked] = [:]
  /// Whether the record at a position is erased by now, which it may not have been when it was read.
  private let isErased: (UInt64) -> Bool

  /// A proof of `tenant`'s log behind `mark`, and that it came to `head`.
  init(
    _ tenant: TenantID, from mark: LogTail?, expecting head: ChainHead?,
    isErased: @escaping (_ position: UInt64) -> Bool,
    found: @escaping (_ position: UInt64?, _ problem: String) -> Void
  ) {
    self.tenant = tenant
    self.mark = mark
    self.head = head
    self.isErased = isErased
    self.found = found
    chain = ChainProof(from: mark ?? .empty)
  }

  /// How far the log has been proved.
  var tail: LogTail { chain.tail }

  /// How many events have been found erased.
  var erasedEvents: UInt64 { trail.erasedCount }

  /// How far the log must go on, since snapshots go there; nil when it has.
  var missingReach: LogTail? { isBroken ? nil : projected?.reach }

  /// Makes it a proof, too, that the log folds to what `projections` hold, before any record is taken.
  func expect(_ projections: Projections) throws(ProjectionsError) {
    projected = try ProjectedTenant(tenant, projections) { id, snapshot in
      tracked(id.description.withBytes { IDHash($0) }, id).stored = snapshot
    }
    if projected?.checkpoint.tail.position == 0 { compare() }
  }

  /// Whether anything is known of the tenant beside its records.
  var isKnown: Bool { mark != nil || tail.position > 0 || (comparedSnapshots ?? 0) > 0 || projected != nil }

  /// Takes the next record of the log; returns whether it is whole and behind the ones before.
  func take(_ position: UInt64, _ frame: FrameView?, _ damage: DamagedRecord?) -> Bool {
    events += 1
    guard let frame else {
      found(position, damage?.reason ?? "the record can't be read")
      // In any other place its key can't be believed either; then its own place will turn out to be missing.
      if position == tail.position + 1 { lose(position...position) }
      return false
    }
    guard position > tail.position else {
      found(position, "the record lies behind that of position \(tail.position)")
      return false
    }
    if position > tail.position + 1 { miss(tail.position + 1...position - 1) }
    for problem in chain.take(frame) { found(position, problem) }
    if position == head?.position && frame.chain != head?.chain {
      found(position, "the chain isn't the one that was named: this log came to other records")
    }
    do throws(DamagedRecord) {
      try fold(frame)
    } catch {
      found(position, error.reason)
      lose(position...position)
      return false
    }
    guard let projected else { return true }
    let (end, reach) = (projected.checkpoint.tail, projected.reach)
    if position == end.position && frame.chain != end.chain || position == reach.position && frame.chain != reach.chain
    {
      found(position, "the projections were folded from another log")
    }
    if position == end.position { compare() }
    if position == reach.position { finishComparison() }
    return true
  }

  private func miss(_ positions: ClosedRange<UInt64>) {
    found(positions.lowerBound, ChainProof.absence(of: positions))
    lose(positions)
  }

  private func lose(_ positions: ClosedRange<UInt64>) {
    chain.lose(to: positions.upperBound)
    damaged.append(positions)
    guard let projected else { return }
    if positions.contains(projected.checkpoint.tail.position) { compare() }
    if positions.contains(projected.reach.position) { finishComparison() }
  }

  private func fold(_ frame: FrameView) throws(DamagedRecord) {
    let event = try frame.event()
    let session = tracked(IDHash(frame.sessionID), event.sessionID)
    let isFirst = session.lastPosition == 0
    // What was before the mark hasn't been read.
    let isExpected =
      event.previousPosition == session.lastPosition || isFirst && event.previousPosition <= mark?.position ?? 0
    if !isExpected {
      if session.isUnknown || damaged.contains(where: { $0.contains(event.previousPosition) }) {
        session.isUnknown = true
        hasUnknown = true
      } else {
        found(event.position, "names \(event.previousPosition) as the session's event before it")
      }
    } else if !isFirst, event.kind != .started, event.version != event.kind.version(after: session.version) {
      found(event.position, "has version \(event.version) after \(session.version)")
    }
    session.lastPosition = event.position
    session.version = event.version
    try trail.take(frame)
    notePayload(frame, event, session)
    guard projected != nil else { return }
    guard !isBehindCheckpoint else {
      // Only what is ahead of the checkpoint is still to be compared, each where its snapshot was made.
      guard let stored = session.stored else { return }
      evolve(&session.state, event)
      if event.position == stored.position { compare(session) }
      return
    }
    evolve(&session.state, event)
    for change in event.changes.fields where change.field == .customerID {
      guard let customer = change.value else { continue }
      let entry = CustomerKey(tenant, customer: customer, event.sessionID)
      if !session.customers.contains(entry) { session.customers.append(entry) }
    }
  }

  /// An erasure must leave out none of the session's records before it.
  private func notePayload(_ frame: FrameView, _ event: Event, _ session: Tracked) {
    guard event.kind == .erased else {
      if !frame.isErased { session.payloadPosition = event.position }
      return
    }
    if let payload = session.payloadPosition, !isErased(payload) {
      found(event.position, "erases the session, whose record at \(payload) still has its payload")
    }
    session.payloadPosition = nil
    session.customers = []
  }

  private func tracked(_ hash: IDHash, _ id: SessionID) -> Tracked {
    if let session = sessions[hash] { return session }
    let session = Tracked(id)
    sessions[hash] = session
    return session
  }

  /// Ends the proof at the end of the log.
  func finish() {
    if let head, head.position > tail.position, !isBroken {
      found(head.position, "the log ends at \(tail.position), before the chain that was named")
    }
    let loose = sessions.values.filter { trail.isOpen($0.id) && !$0.isUnknown }.count
    if loose > 0 && !isBroken && damaged.isEmpty {
      found(nil, "\(loose) sessions have events without payload, and none that records their erasure")
    }
    guard let projected, !isBroken else { return }
    for problem in problems.sorted() { found(nil, problem) }
    found(nil, "the projections are ahead of the log: \(projected.reach.position) to \(tail.position)")
  }

  /// Compares what was folded up to the checkpoint with what the projections hold. From then on only the states are needed
  /// of sessions whose snapshots are ahead.
  private func compare() {
    guard let projected else { return }
    isBehindCheckpoint = true
    let checkpoint = projected.checkpoint.tail.position
    var customers: Set<CustomerKey> = []
    var uncertain: Set<SessionKey> = []
    for session in sessions.values {
      customers.formUnion(session.customers)
      if trail.isOpen(session.id) { uncertain.insert(SessionKey(tenant, session.id)) }
      session.customers = []
      if session.stored?.position ?? 0 <= checkpoint { compare(session) }
    }
    if !hasUnknown {
      if projected.customers.subtracting(customers).contains(where: { !uncertain.contains($0.carrier.session) }) {
        problems.append("the index of customers has an entry that no event made")
      }
    }
    if projected.lackingActivity > 0 {
      problems.append("the index of activity lacks \(projected.lackingActivity) entries")
    }
    let lacking = customers.subtracting(projected.customers).count
    if lacking > 0 { problems.append("the index of customers lacks \(lacking) entries") }
    if !projected.carriersAgree {
      problems.append("the index of customers by session doesn't agree with the one by customer")
    }
    if projected.reach.position <= checkpoint { finishComparison() }
  }

  /// Compares a session's snapshot with what its events up to the snapshot's last one fold to.
  private func compare(_ session: Tracked) {
    if session.state?.status == .active { openSessions += 1 }
    // One that is to be erased is of a time before that, whose events the log doesn't have any more.
    if !trail.isOpen(session.id), !session.isUnknown, let problem = session.problem(of: tenant) {
      problems.append(problem)
    }
    session.state = nil
    session.stored = nil
  }

  /// Ends the comparison where no snapshot may be further.
  private func finishComparison() {
    guard let projected else { return }
    self.projected = nil
    for session in sessions.values where session.stored != nil { compare(session) }
    let counted = projected.checkpoint.openSessions
    if !hasUnknown, openSessions != counted {
      problems.append("the checkpoint counts \(counted) open sessions instead of \(openSessions)")
    }
    for problem in problems.sorted() { found(nil, problem) }
    comparedSnapshots = projected.snapshotCount
  }
}

extension Event.Kind {
  /// The version after an event of this kind in the same life; the last one there is stays.
  fileprivate func version(after version: UInt32) -> UInt32 {
    movesVersion && version < .max ? version + 1 : version
  }
}

/// A session while its tenant is proved.
private final class Tracked {
  let id: SessionID
  var lastPosition: UInt64 = 0
  var version: UInt32 = 0
  /// An event of it can't be read, so that its fold can't be known.
  var isUnknown = false
  /// The last event with a payload since the last erasure.
  var payloadPosition: UInt64?
  /// Its entries in the index of customers, up to the checkpoint.
  var customers: [CustomerKey] = []
  /// What its events fold to, until that has been compared.
  var state: Session?
  /// Its snapshot, until that has been compared.
  var stored: StoredSnapshot?

  init(_ id: SessionID) {
    self.id = id
  }

  /// How the snapshot differs from the fold, nil when it doesn't.
  func problem(of tenant: TenantID) -> String? {
    switch (state, stored) {
    case (nil, nil): return nil
    case (nil, _?): return "session \(id) has a snapshot and no event"
    case (_?, nil): return "session \(id) has no snapshot"
    case (let state?, let stored?):
      let snapshot = SnapshotRecord.encode(state, key: SessionKey(tenant, id).bytes.span)
      return sha256(snapshot.span) == stored.digest
        ? nil : "the snapshot of session \(id) is not the fold of its events"
    }
  }
}

/// 128 bits that stand for a session's id while a log is proved; seeded anew by each process, so that nobody can choose
/// ids that collide.
private struct IDHash: Hashable {
  private let low: UInt64
  private let high: UInt64

  private static let seeds = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))

  init(_ id: Span<UInt8>) {
    low = checksum(id, seed: Self.seeds.0)
    high = checksum(id, seed: Self.seeds.1)
  }

  func hash(into hasher: inout Hasher) { hasher.combine(low) }
}

/// What is needed of a snapshot to compare it with a fold.
struct StoredSnapshot {
  let digest: Digest
  /// The position of the last event that was folded in, 0 when it can't be read.
  let position: UInt64
}

/// What the projections hold of one tenant, taken in one short view: of the snapshots only their number; their digests
/// stand with the sessions. So no view need stay open while the log is folded.
struct ProjectedTenant {
  let checkpoint: Checkpoint
  /// How far snapshots may be ahead of the checkpoint.
  let reach: LogTail
  let snapshotCount: Int
  let customers: Set<CustomerKey>
  /// Whether the index of customers by session has the same entries.
  let carriersAgree: Bool
  /// How many entries the index of activity lacks that the snapshots need.
  let lackingActivity: Int

  /// Looks at the projections of `tenant`; `snapshot` is given each session's.
  init(
    _ tenant: TenantID, _ projections: Projections, snapshot: (SessionID, StoredSnapshot) -> Void
  ) throws(ProjectionsError) {
    let view = try projections.view()
    checkpoint = try view.checkpoint(of: tenant)
    reach = try view.reach(of: tenant)
    var count = 0
    var lacking = 0
    try view.forEachSnapshot(of: tenant) { id, bytes in
      count += 1
      let key = SessionKey(tenant, id)
      let position = (try? SnapshotView(bytes, key: key.bytes.span))?.lastPosition ?? 0
      snapshot(id, StoredSnapshot(digest: sha256(bytes), position: position))
      if (try? view.hasActivity(of: key)) == false { lacking += 1 }
    }
    snapshotCount = count
    lackingActivity = lacking
    var customers: Set<CustomerKey> = []
    var lackingCarriers = 0
    try view.forEachCustomer(of: tenant) { entry in
      customers.insert(entry)
      if (try? view.hasCarrier(of: entry)) == false { lackingCarriers += 1 }
    }
    self.customers = customers
    let carriers = try view.carrierCount(of: tenant)
    carriersAgree = lackingCarriers == 0 && carriers == customers.count
  }
}
