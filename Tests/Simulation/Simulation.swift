import EventLog
import LMDB
import Platform
import SessionCodec
import SessionModel
import TestSupport

@testable import Projections
@testable import SessionStore

/// What the store did otherwise than it must.
struct Violation: Error, CustomStringConvertible {
  let description: String
}

/// One run of a store from a seed: its real parts on real files, without its threads. One hand moves the writer, the
/// projector and the sweeper, the clock and the faults, and looks after every step at what can be seen.
final class Simulation {
  /// How much was done, to see that nothing is left out.
  struct Counts {
    var commands = 0
    var accepted = 0
    var faults = 0
    var crashes = 0
    var expired = 0
    var erased = 0
    var pastAnswers = 0

    static func += (left: inout Counts, right: Counts) {
      left.commands += right.commands
      left.accepted += right.accepted
      left.faults += right.faults
      left.crashes += right.crashes
      left.expired += right.expired
      left.erased += right.erased
      left.pastAnswers += right.pastAnswers
    }
  }

  private static let tenants = ["acme", "acme2", "acmerival"].map { TenantID(valid: $0) }
  private static let ids = ["s", "s1", "s10", "\u{e4}/%"]
  private static let customers = ["c", "c1", "c\u{e4}"]
  private static let environment = Environment.Options(mapSizeBytes: 1 << 26, maximumReaders: 16)

  private var random: SeededRandomness
  private let folder: String
  private let doctored: Doctored?
  private let clock = TestClock()
  private let rules: DecisionRules
  private let retentionSeconds: Int64
  private var model: NaiveStore
  private var opened: Opened?
  /// A commit has failed, so that the process would end.
  private var isCrashDue = false
  private var clients: [Client]
  private(set) var counts = Counts()

  /// A store between two crashes.
  private struct Opened {
    let store: SessionStore
    let log: FaultyLog
    var cycle: WriterCycle
    var flush = FlushStep.nothing
    /// The latest time that was asked about: no event can come to be at it or before it.
    var settled = Int64.min
    /// What was answered about the past, and how often the session had been erased then.
    var past: [(tenant: TenantID, id: SessionID, time: Instant, answer: PastSession?, erasures: Int)] = []
  }

  /// How far the projector has come.
  private enum FlushStep {
    case nothing
    case frozen(Flush)
    case written
  }

  private struct Client {
    var task: (tenant: TenantID, task: WriterTask)?
    /// Whether it doesn't know what came of its last task, and how often it has sent it.
    var isUnsure = false
    var name: String
    var taskCount = 0
  }

  init(seed: UInt64, folder: String, doctored: Doctored?) throws {
    random = SeededRandomness(seed: seed)
    self.folder = folder
    self.doctored = doctored
    rules = DecisionRules(
      timeToLive: TimeToLive(
        anonymousSeconds: random.pick([0, 4, 10]), customerSeconds: random.pick([0, 6, 20])),
      tombstoneSeconds: random.pick([0, 5, 12]), maximumAttributes: random.pick([2, 3]),
      maximumSessions: random.pick([0, 0, 3]))
    retentionSeconds = random.pick([0, 15, 15])
    model = NaiveStore(rules: rules)
    clients = (1...4).map { Client(name: "client-\($0)") }
    try start(overlayBytes: 1 << 20)
  }

  private var open: Opened {
    get {
      guard let opened else { preconditionFailure("the store is closed") }
      return opened
    }
    set { opened = newValue }
  }

  private func start(overlayBytes: Int) throws {
    var checkpoints: [TenantID: Checkpoint] = [:]
    let lag: Int64 = doctored == .clockLate ? 1 : 0
    let clock = clock
    let store = try SessionStore(
      directory: DataDirectory(folder),
      configuration: SessionStore.Configuration(
        rules: rules, environment: Self.environment, overlayBytes: overlayBytes, diskReserveBytes: 0,
        retentionSeconds: retentionSeconds),
      observer: SessionStore.Observer(), now: { Instant(microseconds: clock.now.microseconds - lag) }
    ) { checkpoints = $1 }
    let log = FaultyLog(store.log, doctored: doctored)
    opened = Opened(store: store, log: log, cycle: store.makeCycle(over: log, from: checkpoints))
  }

  /// Runs all steps. Throws the first violation.
  func run(steps: Int) throws {
    for _ in 0..<steps {
      switch random.number(0...19) {
      case 0...9: try writeBatch()
      case 10...11: moveClock()
      case 12...14: try project()
      case 15: try sweep()
      case 16: if random.chance(2) { try crash() }
      default: try look()
      }
      if isCrashDue { try crash() }
    }
    try crash()
    opened = nil
    try verify()
    if let twice = model.appliedTwice() { throw Violation(description: twice) }
  }

  // MARK: The clock

  private func moveClock() {
    let seconds: Int64
    switch random.number(0...9) {
    case 0: seconds = -random.number(1...30)
    case 1: seconds = random.number(10...60)
    default: seconds = random.number(0...5)
    }
    clock.advance(microseconds: seconds * 1_000_000 + (random.chance(3) ? random.number(-1...1) : 0))
  }

  private var now: Int64 { clock.now.microseconds }

  // MARK: The writer

  private func writeBatch() throws {
    var senders: [Int] = []
    for index in clients.indices where random.chance(2) {
      if !clients[index].isUnsure || random.chance(4) { clients[index].task = newTask(of: index) }
      senders.append(index)
    }
    let sent = senders.compactMap { clients[$0].task }
    let outcomes = try write(sent.map { ($0.tenant, $0.task) })
    for (index, outcome) in zip(senders, outcomes) {
      if case .failed = outcome { clients[index].isUnsure = true } else { clients[index].isUnsure = random.chance(6) }
    }
  }

  /// Has the writer carry out a batch, with a fault now and then, and compares all that comes of it with the model.
  private func write(_ tasks: [(TenantID, WriterTask)]) throws -> [CommandOutcome] {
    guard !tasks.isEmpty else { return [] }
    // As the projector does it on its own thread; here nobody else makes room.
    while open.store.overlay.isHalfFull { try project() }
    counts.commands += tasks.count
    let time = max(now, open.settled)
    let before = model
    var after = model
    var expected = tasks.map { after.run($0.1, of: $0.0, at: time) }
    let growing = Self.tenants.filter { after.tenants[$0]?.log.count != model.tenants[$0]?.log.count }
    var fault: FaultyLog.Fault?
    if !growing.isEmpty, random.chance(8) {
      counts.faults += 1
      switch random.number(0...2) {
      case 0: fault = .failBefore
      case 1: fault = .failAfter
      default:
        let records = try intrusion(random.pick(growing), at: time)
        if records.isEmpty { break }
        fault = .intrude(records)
        after = model
        expected = tasks.map { after.run($0.1, of: $0.0, at: time) }
      // With what somebody else wrote, nothing may be left to write; then it is still unknown here, as it must be.
      }
    }
    open.log.plan(fault)
    let outcomes = send(tasks)
    let failed = outcomes.contains { if case .failed = $0 { true } else { false } }
    switch fault {
    case .failBefore: try require(failed, "the commit failed, and the answers are \(outcomes)")
    case .failAfter:
      try require(failed, "the commit's answer was lost, and the answers are \(outcomes)")
      model = after
    case .intrude, nil:
      try require(!failed, "without a fault the answers are \(outcomes)")
      model = after
      for (index, (outcome, wanted)) in zip(outcomes, expected).enumerated() {
        try compare(outcome, wanted, tasks[index])
      }
      try compareLog(from: before)
    }
    if failed {
      isCrashDue = true
    } else {
      for (tenant, task) in tasks { try lookAtSession(tenant, task) }
    }
    return outcomes
  }

  private func send(_ tasks: [(TenantID, WriterTask)]) -> [CommandOutcome] {
    let outcomes = Monitor<[CommandOutcome?]>(Array(repeating: nil, count: tasks.count))
    for (index, (tenant, task)) in tasks.enumerated() {
      var (tenant, task) = (tenant, task)
      switch (doctored, task) {
      case (.tenantMixed?, _) where random.chance(50): tenant = random.pick(Self.tenants)
      case (.markLost?, .change(let command)):
        task = .change(
          Command(
            sessionID: command.sessionID, action: command.action, precondition: command.precondition,
            customerProof: command.customerProof, request: RequestMark(fingerprint: random.fingerprint()),
            origin: command.origin))
      default: break
      }
      let pending = PendingCommand(tenant: tenant, task: task, salt: random.bytes(Frame.saltByteCount)) { outcome in
        outcomes.withLock { $0[index] = outcome }
      }
      if !open.store.queue.offer(pending) { pending.completion(.overloaded) }
    }
    if let batch = open.store.queue.takeAll(waitingMilliseconds: 0) { open.store.write(batch, &open.cycle) }
    return outcomes.withLock { $0.map { $0 ?? .overloaded } }
  }

  /// What somebody else writes to a tenant's log in the middle of a batch; the model takes it in.
  private func intrusion(_ tenant: TenantID, at time: Int64) throws -> [LogRecord] {
    let id = SessionID(valid: random.pick(Self.ids))
    var context = SessionContext()
    context.cartID = "<\(tenant)>elsewhere"
    let action = random.pick(
      [
        .replace(context, upsert: true), .end, .setAttribute(Attribute(name: "a", value: Array("1".utf8))),
      ] as [Command.Action])
    let command = Command(
      sessionID: id, action: action, precondition: Precondition(ifMatch: nil),
      request: RequestMark(fingerprint: random.fingerprint()), origin: Origin(actor: "elsewhere"))
    let start = model.tenants[tenant]?.log.count ?? 0
    guard case .command(.accepted) = model.run(.change(command), of: tenant, at: time) else { return [] }
    var chain = try open.store.log.tail(of: tenant).chain
    return (model.tenants[tenant]?.log ?? []).dropFirst(start).map { entry in
      let salt = random.bytes(Frame.saltByteCount)
      let frame = Frame.encode(entry.event, tenant: tenant, salt: salt.span, previousChain: chain)
      chain = frame.chain
      return LogRecord(tenant: tenant, position: entry.event.position, frame: frame.bytes)
    }
  }

  private func compare(_ outcome: CommandOutcome, _ wanted: NaiveStore.Outcome, _ task: (TenantID, WriterTask)) throws {
    switch (outcome, wanted) {
    case (_, .command(let wanted)):
      try require(outcome == wanted, "\(outcome) instead of \(wanted) for \(task.1) of \(task.0)")
      if case .accepted = outcome { counts.accepted += 1 }
    case (.erased(let receipt), .erased(let sessions, let time, let tail)):
      let isSame =
        receipt.sessions.map(\.id.description) == sessions.map(\.id)
        && receipt.sessions.map(\.erasedPositions) == sessions.map(\.lost)
        && receipt.sessions.map(\.position) == sessions.map(\.position) && receipt.erasedAt == time
        && receipt.position == tail
      try require(isSame, "the receipt is \(receipt) instead of \(wanted)")
      counts.erased += sessions.count
    default: throw Violation(description: "\(outcome) instead of \(wanted) for \(task.1) of \(task.0)")
    }
  }

  // MARK: Clients

  private func newTask(of index: Int) -> (tenant: TenantID, task: WriterTask) {
    let tenant = random.pick(Self.tenants)
    let id = random.pick(Self.ids)
    clients[index].taskCount += 1
    var origin = Origin(actor: clients[index].name, requestID: "\(clients[index].name)/\(clients[index].taskCount)")
    if random.chance(16) {
      let subject: ErasureSubject =
        random.chance(2) ? .session(SessionID(valid: id)) : .customer(random.pick(Self.customers))
      return (tenant, .erase(subject, origin))
    }
    let session = model.session(tenant, id)
    let version = random.chance(6) ? random.number(0...4) : Int64(session.version)
    let key = random.chance(2) ? nil : Fingerprint(low: random.number(1...40), high: 7)
    var belief = Precondition(expectedVersion: random.chance(8) ? nil : version)
    // What the check for requests that were applied twice goes by.
    if belief.expectedVersion != nil { origin.requestID += "@\(version)" }
    if random.chance(10) {
      belief.ifMatch = random.chance(2) ? .any : .oneOf([UInt32(clamping: version), random.number(1...3)])
    }
    if random.chance(15) { belief.ifNoneMatch = random.chance(2) ? .any : .oneOf([random.number(1...4)]) }
    let proof: CustomerProof =
      random.chance(6) ? random.pick([.missing, .customer(random.pick(Self.customers))]) : .notRequired
    // One of few fingerprints now and then: another request with the same key, or the same request of another client.
    let mark = RequestMark(fingerprint: random.fingerprint(few: random.chance(8)), key: key)
    let command = Command(
      sessionID: SessionID(valid: id), action: action(tenant), precondition: belief, customerProof: proof,
      request: mark, origin: origin)
    return (tenant, .change(command))
  }

  private func action(_ tenant: TenantID) -> Command.Action {
    switch random.number(0...13) {
    case 0...3: return .replace(context(tenant), upsert: !random.chance(4))
    case 4: return .begin(context(tenant))
    case 5...6:
      let changed = context(tenant)
      var changes = ContextChanges()
      for field in Field.allCases where random.chance(2) {
        changes.fields.append(.init(field: field, value: changed[field]))
      }
      if random.chance(3) { changes.attributes = .replaced(changed.attributes) }
      return .patch(changes)
    case 7...9: return .setAttribute(attribute(tenant))
    case 10: return .removeAttribute(random.pick(["a", "b", "\u{e4}"]))
    case 11...12: return .touch
    default: return .end
    }
  }

  private func attribute(_ tenant: TenantID) -> Attribute {
    Attribute(
      name: random.pick(["a", "b", "\u{e4}", "a\u{308}"]), value: Array("\"<\(tenant)>\(random.number(0...99))\"".utf8))
  }

  private func context(_ tenant: TenantID) -> SessionContext {
    var context = SessionContext()
    for field in Field.allCases where field != .customerID && random.chance(3) {
      context[field] = "<\(tenant)>\(random.number(0...9))"
    }
    if random.chance(3) { context.customerID = random.pick(Self.customers) }
    for _ in 0..<random.number(0...2) {
      let attribute = attribute(tenant)
      if context.attributeIndex(attribute.name) == nil { context.attributes.append(attribute) }
    }
    return context
  }

  // MARK: Projector, sweeper

  /// The projector's next move: between any two of them everything else can happen.
  private func project() throws {
    let overlay = open.store.overlay
    switch open.flush {
    case .nothing:
      guard let frozen = overlay.freeze() else { return }
      open.flush = .frozen(Flush(frozen, sessionsPerTransaction: random.number(1...3)))
      if doctored == .droppedEarly { overlay.dropFlushed() }
    case .frozen(var flush):
      let isDone = try doctored == .flushSkipped || flush.advance(in: open.store.projections)
      open.flush = isDone ? .written : .frozen(flush)
    case .written:
      if doctored != .droppedEarly { overlay.dropFlushed() }
      open.flush = .nothing
    }
  }

  private func sweep() throws {
    if random.chance(2) {
      repeat { try project() } while open.store.overlay.usage.events > 0
    }
    let store = open.store
    let isFlushed = store.overlay.usage.events == 0
    var violation: (any Error)?
    // While it waits the projector goes on, since it may be that which it waits for.
    func pause(_ milliseconds: Int) -> Bool {
      do { try project() } catch { violation = error }
      return violation == nil
    }
    let sweeper = Sweeper(store, pause: pause) { [unowned self] task, tenant, completion in
      // After a crash the rest of what it has found is asked of nobody.
      guard !self.isCrashDue, violation == nil else { return completion(.failed(.closed)) }
      do {
        completion(try self.write([(tenant, task)])[0])
      } catch {
        violation = error
        completion(.failed(.closed))
      }
    }
    if doctored != .sweepSkipped { _ = sweeper.run(milliseconds: 1 << 40) }
    if let violation { throw violation }
    guard isFlushed, !isCrashDue else { return }
    for (tenant, log) in model.tenants {
      for (id, session) in log.sessions {
        try require(
          session.status != "active" || model.isLive(session, at: now),
          "session \(id) of \(tenant) has run out, was flushed, and its expiry isn't recorded after a sweep")
        let isClosed = session.status == "ended" || session.status == "expired"
        let keep = max(retentionSeconds, rules.tombstoneSeconds)
        try require(
          !isClosed || retentionSeconds == 0 || (session.times["modified"] ?? 0) > now - keep * 1_000_000,
          "session \(id) of \(tenant) has been closed for long enough, was flushed, and isn't erased after a sweep")
        if session.status == "expired" { counts.expired += 1 }
      }
    }
  }

  // MARK: Crashes

  /// All that is in memory goes, wherever the projector was; the files stay, or older projections or none come back.
  private func crash() throws {
    counts.crashes += 1
    isCrashDue = false
    let directory = DataDirectory(folder)
    let kept = folder + "/kept"
    // The last reference: closes the files, and writes nothing.
    opened = nil
    switch random.number(0...11) {
    case 0: try Files.removeDirectory(directory.projections)
    case 1: try TemporaryFolder.copy(directory.projections, to: kept)
    case 2 where (try? Files.exists(kept)) == true: try TemporaryFolder.copy(kept, to: directory.projections)
    default: break
    }
    if random.chance(8) { try verify() }
    try start(overlayBytes: random.pick([1 << 10, 1 << 13, 1 << 20]))
    for index in clients.indices where random.chance(2) { clients[index].isUnsure = clients[index].task != nil }
    try compareAll()
  }

  // MARK: What can be seen

  private func require(_ holds: Bool, _ problem: @autoclosure () -> String) throws {
    if !holds { throw Violation(description: problem()) }
  }

  private func look() throws {
    let tenant = random.pick(Self.tenants)
    let id = SessionID(valid: random.pick(Self.ids))
    try lookAtDocument(tenant, id)
    switch random.number(0...3) {
    case 0: try lookAtPast(tenant, id)
    case 1: try lookAgain()
    case 2: try lookAtHistory(tenant, id)
    default: try lookAtCustomer(tenant, random.pick(Self.customers))
    }
  }

  private func lookAtSession(_ tenant: TenantID, _ task: WriterTask) throws {
    guard case .change(let command) = task else { return }
    try compareSnapshot(tenant, command.sessionID.description)
    try lookAtDocument(tenant, command.sessionID)
  }

  private func compareSnapshot(_ tenant: TenantID, _ id: String) throws {
    let state = try open.store.snapshots.session(SessionKey(tenant, SessionID(valid: id)))
    let naive = model.session(tenant, id)
    if let difference = naive.difference(to: state) {
      throw Violation(
        description: "session \(id) of \(tenant): \(difference) differs: \(String(describing: state)) for \(naive)")
    }
  }

  private func lookAtDocument(_ tenant: TenantID, _ id: SessionID) throws {
    let document = try open.store.document(id, of: tenant.authorized)
    let naive = model.session(tenant, id.description)
    let isLive = model.isLive(naive, at: model.now(tenant, now))
    try require(
      document?.version == (isLive ? naive.version : nil),
      "session \(id) of \(tenant) is read with version \(String(describing: document?.version)), "
        + "and is \(isLive ? "live with version \(naive.version)" : "not live")")
    let text = String(decoding: document?.json ?? [], as: UTF8.self)
    for other in Self.tenants where other != tenant {
      try require(!text.contains("<\(other)>"), "\(tenant) reads data of \(other): \(text)")
    }
  }

  private func lookAtCustomer(_ tenant: TenantID, _ customer: String) throws {
    let found = try open.store.sessionIDs(of: customer, in: tenant.authorized).map(\.description)
    let naive = model.tenants[tenant]?.carriers[customer] ?? []
    try require(
      Set(found) == naive && found.count == naive.count, "\(customer) of \(tenant) has \(found), not \(naive)")
  }

  private func lookAtHistory(_ tenant: TenantID, _ id: SessionID) throws {
    var found: [RecordedEvent] = []
    _ = try open.store.readEvents(of: id, tenant.authorized, from: .newest, limit: 1000) {
      found.append($0)
      return true
    }
    let naive = model.tenants[tenant]?.events(id.description) ?? []
    try require(found.count == naive.count, "\(id) of \(tenant) has \(found.count) events, not \(naive.count)")
    for (recorded, entry) in zip(found.reversed(), naive) {
      try compare(recorded.event, recorded.isErased, entry, tenant)
    }
  }

  private func lookAtPast(_ tenant: TenantID, _ id: SessionID) throws {
    let time = now - random.number(0...12) * 1_000_000 - random.number(0...1)
    open.settled = max(open.settled, time + 1)
    let answer = try pastAnswer(tenant, id, at: Instant(microseconds: time))
    counts.pastAnswers += 1
    let naive = model.past(tenant, id.description, at: time)
    try require((answer == nil) == (naive == nil), "\(id) of \(tenant) was \(String(describing: answer)) at \(time)")
    if let naive, let answer {
      let difference = naive.session.difference(to: answer.session)
      try require(
        difference == nil && answer.isErased == naive.isErased,
        "\(id) of \(tenant) was otherwise at \(time): \(difference ?? "erased")")
    }
    open.past.append((tenant, id, Instant(microseconds: time), answer, erasures(tenant, id)))
  }

  private func pastAnswer(_ tenant: TenantID, _ id: SessionID, at time: Instant) throws -> PastSession? {
    guard doctored == .pastOpen else {
      try require(open.store.settle(.time(time)), "a commit is under way on the only thread")
      return try open.store.session(id, of: tenant.authorized, at: .time(time))
    }
    guard let last = try open.store.snapshots.session(SessionKey(tenant, id))?.lastPosition else { return nil }
    guard let (past, wentOn) = try History(log: open.store.log, tenant: tenant).session(last: last, at: .time(time))
    else { return nil }
    return wentOn || past.session.isLive(at: time, timeToLive: rules.timeToLive) ? past : nil
  }

  private func erasures(_ tenant: TenantID, _ id: SessionID) -> Int {
    model.tenants[tenant]?.events(id.description).count { $0.event.kind == .erased } ?? 0
  }

  /// An answer about a time that has come stays the same, whatever is written and the clock does.
  private func lookAgain() throws {
    guard !open.past.isEmpty else { return }
    let before = random.pick(open.past)
    guard erasures(before.tenant, before.id) == before.erasures else { return }
    let answer = try pastAnswer(before.tenant, before.id, at: before.time)
    try require(
      answer == before.answer,
      "\(before.id) of \(before.tenant) at \(before.time): \(String(describing: answer)), and it was "
        + String(describing: before.answer))
  }

  // MARK: The log

  private func compareLog(from before: NaiveStore) throws {
    for tenant in Self.tenants {
      let entries = model.tenants[tenant]?.log ?? []
      let start = before.tenants[tenant]?.log.count ?? 0
      guard entries.count > start else { continue }
      try compareLog(tenant, entries, after: start)
    }
  }

  private func compareLog(_ tenant: TenantID, _ entries: [NaiveStore.Entry], after start: Int) throws {
    var found: [(event: Event, isErased: Bool)] = []
    let last = try open.store.log.replay(tenant, after: UInt64(start), limit: .max) { frame throws(DamagedRecord) in
      guard frame.isPayloadIntact else { throw DamagedRecord("the payload doesn't fit its digest") }
      found.append((try frame.event(), frame.isErased))
      return true
    }
    try require(last == UInt64(entries.count), "the log of \(tenant) ends at \(last) instead of \(entries.count)")
    for (record, entry) in zip(found, entries[start...]) {
      try compare(record.event, record.isErased, entry, tenant)
    }
  }

  private func compare(_ event: Event, _ isErased: Bool, _ entry: NaiveStore.Entry, _ tenant: TenantID) throws {
    var event = event
    let wanted = entry.visible
    // How the change is put into words is the log's own matter; what it leads to is compared as a snapshot.
    event.changes = wanted.changes
    try require(
      event == wanted && isErased == entry.isErased,
      "\(tenant) has \(event), erased: \(isErased), in place of \(wanted), erased: \(entry.isErased)")
  }

  private func compareAll() throws {
    let found = try open.store.log.tenants()
    let wanted = model.tenants.filter { !$0.value.log.isEmpty }.keys.sorted()
    try require(found == wanted, "there are the tenants \(found), not \(wanted)")
    for tenant in Self.tenants {
      try compareLog(tenant, model.tenants[tenant]?.log ?? [], after: 0)
      for id in Self.ids { try compareSnapshot(tenant, id) }
      for customer in Self.customers { try lookAtCustomer(tenant, customer) }
    }
  }

  /// The proof that operators run, chains and all; and now and then a rebuild that must come to the same.
  private func verify() throws {
    var report = Verification.Report()
    try Verification(directory: DataDirectory(folder), options: Self.environment)
      .run(tenants: nil, after: nil, from: nil) { report.take($0) }
    try require(report.findings.isEmpty, "verify finds: \(report.findings.map(\.description))")
  }
}
