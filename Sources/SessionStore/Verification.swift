public import EventLog
public import LMDB
internal import Platform
internal import Projections
internal import SessionCodec
public import SessionModel

/// A read-only proof that log, chain and projections agree. Runs beside the daemon.
///
/// Folds the whole log in memory: it takes about a kilobyte for each session of the tenant that is verified.
public struct Verification {
  /// Something that isn't as it must be.
  public struct Finding: Equatable, Sendable, CustomStringConvertible {
    /// Whose data it is about.
    public let tenant: TenantID
    /// The position in the tenant's log, nil when it is about the projections.
    public let position: UInt64?
    /// What is wrong.
    public let problem: String

    /// One line: where and what.
    public var description: String {
      position.map { "tenant \(tenant), position \($0): \(problem)" } ?? "tenant \(tenant): \(problem)"
    }
  }

  /// What a verification came to.
  public struct Report: Sendable {
    /// What isn't as it must be, at most ``Verification/maximumFindings``.
    public internal(set) var findings: [Finding] = []
    /// How many tenants were looked at.
    public internal(set) var tenants = 0
    /// How many events were proved.
    public internal(set) var events: UInt64 = 0
    /// How many snapshots were compared with the fold of their events.
    public internal(set) var snapshots = 0
    /// The end of each tenant's log, whose chain stands for all before it.
    public internal(set) var tails: [TenantID: LogTail] = [:]
  }

  /// How many findings are kept; a store with more of them needs no longer list.
  public static let maximumFindings = 1000

  private let log: EventLog
  private let projections: Projections

  /// A verification of the store in `directory`. Throws when it can't be opened.
  public init(directory: DataDirectory, options: Environment.Options = Environment.Options()) throws(StoreError) {
    var options = options
    options.isReadOnly = true
    do {
      log = try EventLog(path: directory.log, options: options)
      projections = try Projections(readOnly: directory.projections, options: options)
    } catch {
      throw StoreError(error)
    }
  }

  /// Verifies all tenants, or those given. `progress` is told how many events have been proved so far.
  public func run(tenants only: [TenantID]? = nil, progress: (UInt64) -> Void = { _ in }) throws(StoreError) -> Report {
    do {
      // The snapshots of one flush, compared with the fold up to its checkpoints; the log may go on meanwhile.
      let view = try projections.view()
      var report = Report()
      let logged = try log.tenants()
      let projected = try view.tenants()
      for tenant in only ?? Array(Set(logged + projected)).sorted() {
        report.tenants += 1
        var proof = try TenantProof(tenant, checkpoint: view.checkpoint(of: tenant))
        var reached: UInt64 = 0
        while true {
          let last = try log.scan(tenant, after: reached, limit: 8192) { proof.take($0, $1, $2) }
          if last == reached { break }
          reached = last
          progress(report.events + proof.events)
        }
        try proof.compare(view)
        report.add(proof)
      }
      return report
    } catch {
      throw StoreError(error)
    }
  }
}

extension Verification.Report {
  fileprivate mutating func add(_ proof: TenantProof) {
    events += proof.events
    snapshots += proof.comparedSnapshots
    tails[proof.tenant] = proof.tail
    findings.append(contentsOf: proof.findings.prefix(Verification.maximumFindings - findings.count))
  }
}

/// The proof of one tenant: its chain from the first record on, and the fold that its snapshots must equal.
private struct TenantProof {
  let tenant: TenantID
  let checkpoint: Checkpoint
  var tail = LogTail.empty
  var events: UInt64 = 0
  var comparedSnapshots = 0
  var findings: [Verification.Finding] = []
  private var damaged: Set<UInt64> = []
  /// Whether the record before the next one could be read: otherwise its chain is taken as a new beginning.
  private var isChained = true
  /// Sessions with an event that can't be read: their fold can't be known.
  private var unknown: Set<SessionID> = []
  private var latest: [SessionID: Session] = [:]
  private var atCheckpoint: [SessionID: Session] = [:]
  private var customers: Set<CustomerKey> = []

  init(_ tenant: TenantID, checkpoint: Checkpoint) {
    self.tenant = tenant
    self.checkpoint = checkpoint
  }

  private mutating func report(_ problem: String, at position: UInt64?) {
    guard findings.count < Verification.maximumFindings else { return }
    findings.append(Verification.Finding(tenant: tenant, position: position, problem: problem))
  }

  /// Takes the next record of the log.
  mutating func take(_ position: UInt64, _ frame: FrameView?, _ damage: DamagedRecord?) {
    if position != tail.position + 1 {
      for missing in (tail.position + 1)..<min(position, tail.position + 1000) {
        damaged.insert(missing)
        report("the record is missing", at: missing)
      }
      isChained = false
    }
    events += 1
    guard let frame else {
      tail.position = position
      return lose(position, damage?.reason ?? "the record can't be read")
    }
    if isChained && !frame.follows(tail.chain) { report("the record doesn't fit the chain", at: position) }
    if !frame.isPayloadIntact { report("the payload doesn't fit its digest", at: position) }
    if frame.recordedAt < tail.recordedAt { report("its time is before its predecessor's", at: position) }
    tail = LogTail(position: position, chain: frame.chain, recordedAt: frame.recordedAt)
    isChained = true
    do throws(DamagedRecord) {
      fold(try frame.event())
    } catch {
      lose(position, error.reason)
    }
    if position == checkpoint.tail.position {
      if frame.chain != checkpoint.tail.chain { report("the projections were folded from another log", at: position) }
      atCheckpoint = latest
    }
  }

  private mutating func lose(_ position: UInt64, _ reason: String) {
    report(reason, at: position)
    damaged.insert(position)
    isChained = false
    if position == checkpoint.tail.position { atCheckpoint = latest }
  }

  private mutating func fold(_ event: Event) {
    let before = latest[event.sessionID]
    let isExpected = event.previousPosition == before?.lastPosition ?? 0
    if !isExpected {
      if damaged.contains(event.previousPosition) || unknown.contains(event.sessionID) {
        unknown.insert(event.sessionID)
      } else {
        report("names \(event.previousPosition) as the session's event before it", at: event.position)
      }
    }
    if isExpected, event.kind != .started, event.version != (before?.version ?? 0) + (event.kind.movesVersion ? 1 : 0) {
      report("has version \(event.version) after \(before?.version ?? 0)", at: event.position)
    }
    latest[event.sessionID] = evolve(before, event)
    guard event.position <= checkpoint.tail.position else { return }
    for change in event.changes.fields where change.field == .customerID {
      if let customer = change.value { customers.insert(CustomerKey(tenant, customer: customer, event.sessionID)) }
    }
  }

  /// Compares what was folded up to the checkpoint with what the projections hold.
  mutating func compare(_ view: borrowing ProjectionsView) throws(ProjectionsError) {
    guard checkpoint.tail.position <= tail.position else {
      return report("the projections are ahead of the log: \(checkpoint.tail.position) to \(tail.position)", at: nil)
    }
    let open = atCheckpoint.values.filter { $0.status == .active }.count
    if unknown.isEmpty && open != checkpoint.openSessions {
      report("the checkpoint counts \(checkpoint.openSessions) open sessions instead of \(open)", at: nil)
    }
    var expected = atCheckpoint
    var problems: [String] = []
    var compared = 0
    try view.forEachSnapshot(of: tenant) { id, stored in
      compared += 1
      let key = SessionKey(tenant, id)
      guard let state = expected.removeValue(forKey: id) else {
        if !unknown.contains(id) { problems.append("session \(id) has a snapshot and no event") }
        return
      }
      guard !unknown.contains(id) else { return }
      if !SnapshotRecord.encode(state, key: key.bytes.span).span.isEqual(to: stored) {
        problems.append("the snapshot of session \(id) is not the fold of its events")
      }
    }
    for id in expected.keys where !unknown.contains(id) { problems.append("session \(id) has no snapshot") }
    var entries = customers
    try view.forEachCustomer(of: tenant) { entry in
      if entries.remove(entry) == nil && unknown.isEmpty {
        problems.append("the index of customers has an entry that no event made")
      }
    }
    if !entries.isEmpty { problems.append("the index of customers lacks \(entries.count) entries") }
    comparedSnapshots = compared
    for problem in problems { report(problem, at: nil) }
  }
}
