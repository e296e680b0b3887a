import EventLog
import Platform
import Projections
import SessionCodec
import SessionModel
import Testing
import TestSupport

@testable import SessionStore

/// A log in memory, whose next answers the test can choose.
final class MemoryLog: CommitLog {
  enum Answer {
    /// Append and say so.
    case commit
    /// Fail; whether the batch is on disk stays open.
    case fail(EventLogError)
    /// Somebody else appends these events first.
    case intrude([(TenantID, Event)])
    /// Say that somebody else wrote first, though nobody did.
    case lie(TenantID)
  }

  private struct State {
    var records: [TenantID: [LogRecord]] = [:]
    var tails: [TenantID: LogTail] = [:]
    var answers: [Answer] = []
    var batches: [[LogRecord]] = []
  }
  private let state = Monitor(State())

  /// The answers to the next appends; afterwards all are committed.
  func plan(_ answers: Answer...) { state.withLock { $0.answers = answers } }

  func tail(of tenant: TenantID) -> LogTail { state.withLock { $0.tails[tenant] ?? .empty } }

  /// The batches that were offered, committed or not.
  var batches: [[LogRecord]] { state.withLock { $0.batches } }

  func records(_ tenant: TenantID) -> [LogRecord] { state.withLock { $0.records[tenant] ?? [] } }

  func events(_ tenant: TenantID) throws -> [Event] {
    try records(tenant).map { record in
      let key = LogSchema.key(tenant, record.position)
      return try FrameView(record.frame.span, key: key.span).event()
    }
  }

  func append(
    _ batch: [LogRecord], erasing places: [LogPlace], expecting tails: [TenantID: UInt64]
  ) throws(EventLogError) -> AppendOutcome {
    try state.withLock { state throws(EventLogError) in
      state.batches.append(batch)
      switch state.answers.isEmpty ? .commit : state.answers.removeFirst() {
      case .commit: break
      case .fail(let error): throw error
      case .lie(let tenant): return .tailMoved(tenant)
      case .intrude(let events):
        for (tenant, event) in events {
          let salt = [UInt8](repeating: 7, count: Frame.saltByteCount)
          let before = state.tails[tenant] ?? .empty
          let frame = Frame.encode(event, tenant: tenant, salt: salt.span, previousChain: before.chain)
          Self.add(LogRecord(tenant: tenant, position: event.position, frame: frame.bytes), to: &state)
        }
      }
      for (tenant, expected) in tails where (state.tails[tenant] ?? .empty).position != expected {
        return .tailMoved(tenant)
      }
      for record in batch { Self.add(record, to: &state) }
      for place in places {
        let index = Int(place.position) - 1
        guard let frame = state.records[place.tenant]?[index].frame else { preconditionFailure("no such record") }
        state.records[place.tenant]?[index].frame = erased(frame, place.tenant, place.position)
      }
      return .committed
    }
  }

  /// As the log itself has it.
  func erasablePositions(_ session: SessionID, _ tenant: TenantID, _ last: UInt64) throws(EventLogError) -> [UInt64] {
    var positions: [UInt64] = []
    var next = last
    while next > 0 {
      let record = records(tenant)[Int(next) - 1]
      let key = LogSchema.key(tenant, next)
      guard let frame = try? FrameView(record.frame.span, key: key.span) else {
        throw .damaged(tenant: tenant, position: next, reason: "as the test wants it")
      }
      if frame.kind == Event.Kind.erased.rawValue { break }
      if !frame.isErased { positions.append(next) }
      next = frame.previousPosition
    }
    return positions
  }

  /// The payload digests of a tenant's records, which tell two salts apart where all else is the same.
  func payloadDigests(_ tenant: TenantID) throws -> [Digest] {
    try records(tenant).map { record in
      let key = LogSchema.key(tenant, record.position)
      return try FrameView(record.frame.span, key: key.span).payloadDigest
    }
  }

  /// The salts of a tenant's records, of which none may be erased.
  func salts(_ tenant: TenantID) -> [[UInt8]] {
    records(tenant).map { record in
      // See Frame: the salt is behind the header and two digests, and the header ends with tenant and session.
      let start = 46 + Int(record.frame[44]) + Int(record.frame[45]) + 2 * Digest.byteCount
      return Array(record.frame[start..<start + Frame.saltByteCount])
    }
  }

  /// Spoils a record.
  func damage(_ tenant: TenantID, _ position: UInt64) {
    state.withLock { $0.records[tenant]?[Int(position) - 1].frame[60] ^= 1 }
  }

  /// The position of an erased record's payload tells nothing; of any other one, whether it is there.
  func erasedPositions(_ tenant: TenantID) throws -> [UInt64] {
    try records(tenant).compactMap { record in
      let key = LogSchema.key(tenant, record.position)
      return try FrameView(record.frame.span, key: key.span).isErased ? record.position : nil
    }
  }

  private static func add(_ record: LogRecord, to state: inout State) {
    let key = LogSchema.key(record.tenant, record.position)
    guard let frame = try? FrameView(record.frame.span, key: key.span) else { preconditionFailure("no frame") }
    let before = state.tails[record.tenant] ?? .empty
    precondition(record.position == before.position + 1 && frame.follows(before.chain), "not the next record")
    state.tails[record.tenant] = LogTail(position: record.position, chain: frame.chain, recordedAt: frame.recordedAt)
    state.records[record.tenant, default: []].append(record)
  }
}

/// The writer's cycle over a log in memory, without any thread.
final class TestCycle {
  let tenant = TestStore.tenant
  let log = MemoryLog()
  let clock = TestClock()
  let overlay = Overlay(maximumBytes: 1 << 20)
  let snapshots: SnapshotReader
  private var cycle: WriterCycle
  private let folder = try? TemporaryFolder()
  /// The tenants that the cycle caught up on.
  let caughtUp = Monitor<[TenantID]>([])

  init() throws {
    let folder = try #require(folder)
    let projections = try Projections(path: folder("projections"), storeID: "s", options: TestStore.environment) { _ in
    }
    let (log, clock, overlay, caughtUp) = (log, clock, overlay, caughtUp)
    let snapshots = SnapshotReader(overlay: overlay, projections: projections)
    self.snapshots = snapshots
    cycle = WriterCycle(
      log: log, overlay: overlay, snapshots: snapshots, checkpoints: [:], now: { clock.now },
      erasablePositions: { session, tenant, last throws(EventLogError) in
        try log.erasablePositions(session, tenant, last)
      }
    ) { tenant, checkpoint throws(StoreError) in
      caughtUp.withLock { $0.append(tenant) }
      var checkpoint = checkpoint
      do {
        var fold = Fold(over: snapshots.session)
        for (event, record) in zip(try log.events(tenant), log.records(tenant))
        where event.position > checkpoint.tail.position {
          let logKey = LogSchema.key(tenant, event.position)
          let chain = try FrameView(record.frame.span, key: logKey.span).chain
          checkpoint = fold.fold(
            event, of: tenant, into: try fold.slot(of: event.sessionID, in: tenant),
            tail: LogTail(position: event.position, chain: chain, recordedAt: event.recordedAt), after: checkpoint)
          fold.advance(tenant, to: checkpoint)
        }
        overlay.publish(fold.finish())
      } catch {
        throw .closed
      }
      return checkpoint
    }
  }

  /// Runs one batch; the completions must not be called by the cycle itself.
  func run(_ commands: [Command], rules: DecisionRules = DecisionRules()) throws(StoreError) -> [CommandOutcome] {
    try run(commands.map { (tenant, $0) }, rules: rules)
  }

  func run(
    _ commands: [(TenantID, Command)], rules: DecisionRules = DecisionRules()
  ) throws(StoreError) -> [CommandOutcome] {
    try run(tasks: commands.map { ($0, .change($1)) }, rules: rules)
  }

  func run(_ tasks: WriterTask...) throws(StoreError) -> [CommandOutcome] {
    try run(tasks: tasks.map { (tenant, $0) }, rules: DecisionRules())
  }

  /// The unpredictable bytes that each task is given.
  static let salt = [UInt8](repeating: 1, count: Frame.saltByteCount)

  private func run(
    tasks: [(TenantID, WriterTask)], rules: DecisionRules
  ) throws(StoreError) -> [CommandOutcome] {
    let batch = tasks.map { tenant, task in
      PendingCommand(tenant: tenant, task: task, salt: Self.salt) { _ in
        Issue.record("the cycle leaves the answers to its caller")
      }
    }
    return try cycle.run(batch, rules: rules)
  }

  func version(_ session: String, of tenant: TenantID? = nil) throws -> UInt32? {
    try snapshots.session(SessionKey(tenant ?? self.tenant, SessionID(valid: session)))?.version
  }
}

@Suite("the writer's cycle") struct WriterCycleTests {
  @Test("a batch is one commit; each command is decided in the state that the ones before it lead to")
  func batch() throws {
    let test = try TestCycle()
    let outcomes = try test.run([
      .begin("s1"), .patch("s1", cart: "a", naming: 1), .patch("s1", cart: "b", naming: 1), .begin("s2"),
      .patch("s1", cart: "c", naming: 2), .patch("s3", cart: "d", naming: 1),
    ])
    #expect(
      outcomes == [
        .accepted(version: 1, position: 1), .accepted(version: 2, position: 2),
        .rejected(.versionConflict(sent: 1, current: 2)), .accepted(version: 1, position: 3),
        .accepted(version: 3, position: 4), .rejected(.sessionNotFound),
      ])
    #expect(test.log.batches.count == 1)
    let events = try test.log.events(test.tenant)
    #expect(events.map(\.position) == [1, 2, 3, 4])
    #expect(events.map(\.previousPosition) == [0, 1, 0, 2])
    #expect(events.map(\.sessionID.description) == ["s1", "s1", "s2", "s1"])
    #expect(try test.version("s1") == 3)
  }

  @Test("a batch that appends nothing touches neither log nor overlay")
  func nothingToAppend() throws {
    let test = try TestCycle()
    #expect(try test.run([.patch("s1", cart: "a", naming: 1)]) == [.rejected(.sessionNotFound)])
    #expect(try test.run([Command]()) == [])
    #expect(test.log.batches.isEmpty)
    #expect(test.overlay.usage.events == 0)
  }

  @Test("when the commit fails the cycle throws, and nothing is published or counted on")
  func commitFails() throws {
    let test = try TestCycle()
    _ = try test.run([.begin("s1")])
    let failure = EventLogError.damagedKey(reason: "the disk is gone")
    test.log.plan(.fail(failure))
    #expect(throws: StoreError.log(failure)) {
      try test.run([.patch("s1", cart: "a", naming: 1), .begin("s2"), .patch("s9", cart: "x", naming: 1)])
    }
    #expect(try test.version("s1") == 1)
    #expect(try test.version("s2") == nil)
    #expect(test.overlay.usage.events == 1)
  }

  @Test("when somebody else wrote first the cycle catches up and decides again")
  func tailMoved() throws {
    let test = try TestCycle()
    _ = try test.run([.begin("s1")])
    var changes = ContextChanges()
    changes.fields = [.init(field: .cartID, value: "theirs")]
    let intruder = Event(
      position: 2, previousPosition: 1, life: 1, version: 2, recordedAt: test.clock.now,
      sessionID: SessionID(valid: "s1"),
      kind: .patched, changes: changes, origin: Origin(actor: "elsewhere"), request: nil)
    test.log.plan(.intrude([(test.tenant, intruder)]))
    let outcomes = try test.run([.patch("s1", cart: "ours", naming: 1), .set("s1", "a", "1"), .begin("s2")])
    #expect(
      outcomes == [
        .rejected(.versionConflict(sent: 1, current: 2)), .accepted(version: 3, position: 3),
        .accepted(version: 1, position: 4),
      ])
    #expect(test.caughtUp.withLock { $0 } == [test.tenant])
    #expect(test.log.batches.count == 3)
    #expect(try test.log.events(test.tenant).map(\.previousPosition) == [0, 1, 2, 0])
    #expect(try test.version("s1") == 3)
  }

  @Test("a retry is recognised in what somebody else wrote, and then nothing may be left to append")
  func tailMovedToRetry() throws {
    let test = try TestCycle()
    let begin = Command.begin("s1")
    let intruder = Event(
      position: 1, previousPosition: 0, life: 1, version: 1, recordedAt: test.clock.now,
      sessionID: SessionID(valid: "s1"),
      kind: .started, changes: ContextChanges(), origin: Origin(actor: "elsewhere"), request: begin.request)
    test.log.plan(.intrude([(test.tenant, intruder)]))
    #expect(try test.run([begin]) == [.alreadyApplied(version: 1)])
    #expect(test.log.records(test.tenant).count == 1)
  }

  @Test("when somebody else is said to have written first, and nothing can be caught up on, the cycle gives up")
  func tailMovedWithoutProgress() throws {
    let test = try TestCycle()
    _ = try test.run([.begin("s1")])
    test.log.plan(.lie(test.tenant), .lie(test.tenant), .lie(test.tenant))
    let failure = EventLogError.damaged(
      tenant: test.tenant, position: 2,
      reason: "the log doesn't end where it was last written, and nothing was written behind that")
    #expect(throws: StoreError.log(failure)) { try test.run([.begin("s2")]) }
    #expect(test.caughtUp.withLock { $0 }.count == 1)
  }

  @Test("an erasure takes the payload from all earlier events of its session, those of the same batch too")
  func erase() throws {
    let test = try TestCycle()
    _ = try test.run([.begin("s1"), .begin("s2"), Command("s1", .end)])
    let outcomes = try test.run(
      .change(.set("s2", "a", "1")), .erase(.session(SessionID(valid: "s2")), Origin(actor: "service:dpo")),
      .change(.begin("s2")), .erase(.session(SessionID(valid: "s1")), Origin(actor: "service:dpo")))
    #expect(outcomes[0] == .accepted(version: 2, position: 4))
    #expect(outcomes[2] == .accepted(version: 1, position: 6))
    guard case .erased(let first) = outcomes[1], case .erased(let second) = outcomes[3] else {
      Issue.record("\(outcomes)")
      return
    }
    #expect(first.sessions.map(\.erasedPositions) == [[2, 4]])
    #expect(first.sessions.map(\.position) == [5])
    #expect(second.sessions.map(\.erasedPositions) == [[1, 3]])
    #expect(second.position == 7)
    #expect(second.chainHead == test.log.tail(of: test.tenant).chain)
    #expect(try test.log.erasedPositions(test.tenant) == [1, 2, 3, 4])
    #expect(test.log.batches.count == 2)
    let events = try test.log.events(test.tenant)
    #expect(events[4].origin.actor == "service:dpo")
    #expect(events[4].changes == ContextChanges())
    #expect(events[4].kind == .erased && events[6].kind == .erased)
    // The new life of s2 is untouched, and not written over by the erasure before it.
    #expect(try test.version("s2") == 1)
  }

  @Test("an erasure leaves the record of the one before it, also where both are of the same batch")
  func eraseAgain() throws {
    let test = try TestCycle()
    let erasure = WriterTask.erase(.session(SessionID(valid: "s2")), Origin(actor: "service:dpo"))
    _ = try test.run([.begin("s1"), .begin("s2"), Command("s1", .end)])
    let outcomes = try test.run(.change(.set("s2", "a", "1")), erasure, .change(.begin("s2")), erasure)
    guard case .erased(let first) = outcomes[1], case .erased(let second) = outcomes[3] else {
      Issue.record("\(outcomes)")
      return
    }
    #expect(first.sessions.map(\.erasedPositions) == [[2, 4]] && first.position == 5)
    #expect(second.sessions.map(\.erasedPositions) == [[6]] && second.position == 7)
    #expect(try test.log.erasedPositions(test.tenant) == [2, 4, 6])
    let events = try test.log.events(test.tenant)
    #expect(events[4].kind == .erased && events[6].kind == .erased)
    #expect(events[4].origin.actor == "service:dpo")
  }

  @Test("a receipt tells the time that is recorded, also where the clock was set back")
  func erasedAt() throws {
    let test = try TestCycle()
    test.clock.advance(microseconds: 60_000_000)
    _ = try test.run([.begin("s1")])
    test.clock.set(.start)
    guard
      case .erased(let receipt) = try test.run(.erase(.session(SessionID(valid: "s1")), Origin(actor: "dpo")))[0]
    else {
      Issue.record("s1 is there")
      return
    }
    #expect(receipt.erasedAt == Instant.start.advanced(bySeconds: 60))
    #expect(try test.log.events(test.tenant).last?.recordedAt == receipt.erasedAt)
  }

  @Test("the erasure of a customer finds every session that ever carried it, up to the command before")
  func eraseCustomer() throws {
    let test = try TestCycle()
    func login(_ session: String, _ customer: String?, _ version: Int64) -> Command {
      Command(
        session, .patch(ContextChanges(fields: [.init(field: .customerID, value: customer)])), naming: version)
    }
    _ = try test.run([.begin("was"), .begin("never"), login("was", "c1", 1), login("was", nil, 2)])
    let outcomes = try test.run(
      .change(.begin("just")), .change(login("just", "c1", 1)), .erase(.customer("c1"), Origin(actor: "dpo")),
      .erase(.customer("c1"), Origin(actor: "dpo")), .erase(.customer("nobody"), Origin(actor: "dpo")))
    guard case .erased(let receipt) = outcomes[2], case .erased(let again) = outcomes[3],
      case .erased(let nobody) = outcomes[4]
    else {
      Issue.record("\(outcomes)")
      return
    }
    #expect(receipt.sessions.map(\.id.description) == ["just", "was"])
    #expect(receipt.sessions.map(\.erasedPositions) == [[5, 6], [1, 3, 4]])
    #expect(receipt.sessions.map(\.position) == [7, 8])
    #expect(again.sessions.isEmpty && nobody.sessions.isEmpty)
    #expect(again.position == 8)
    #expect(try test.log.erasedPositions(test.tenant) == [1, 3, 4, 5, 6])
    #expect(try test.snapshots.sessions(of: "c1", in: test.tenant).isEmpty)
    // Both payloads are the same but for the salts, of which each event has its own.
    let digests = try test.log.payloadDigests(test.tenant)
    #expect(digests[6] != digests[7])
  }

  @Test("a session that never was can't be erased; one that was erased before holds nothing more")
  func eraseNothing() throws {
    let test = try TestCycle()
    let erasure = WriterTask.erase(.session(SessionID(valid: "s1")), Origin(actor: "dpo"))
    #expect(try test.run(erasure) == [.rejected(.sessionNotFound)])
    _ = try test.run([.begin("s1")])
    _ = try test.run(erasure)
    guard case .erased(let receipt) = try test.run(erasure)[0] else {
      Issue.record()
      return
    }
    #expect(receipt.sessions.isEmpty)
    #expect(receipt.position == 2)
    #expect(test.log.records(test.tenant).count == 2)
  }

  @Test("a damaged record fails the erasure that needs it, as a whole, and nothing else of the batch")
  func eraseDamaged() throws {
    let test = try TestCycle()
    var context = SessionContext()
    context.customerID = "c1"
    _ = try test.run([
      Command("a", .replace(context, upsert: true)), Command("b", .replace(context, upsert: true)), .begin("s1"),
    ])
    test.log.damage(test.tenant, 2)
    let outcomes = try test.run(.erase(.customer("c1"), Origin(actor: "dpo")), .change(.set("s1", "a", "1")))
    guard case .failed(.log(.damaged)) = outcomes[0] else {
      Issue.record("\(outcomes)")
      return
    }
    #expect(outcomes[1] == .accepted(version: 2, position: 4))
    #expect(try test.snapshots.sessions(of: "c1", in: test.tenant).count == 2)
  }

  @Test("the log's times don't go back when the clock does, and each tenant's go on their own")
  func clockStepsBack() throws {
    let test = try TestCycle()
    let rival = TenantID(valid: "rival")
    _ = try test.run([.begin("s1")])
    test.clock.advance(microseconds: -5_000_000)
    _ = try test.run([(test.tenant, .set("s1", "a", "1")), (rival, .begin("s1"))])
    test.clock.advance(microseconds: 5_000_001)
    _ = try test.run([.set("s1", "a", "2")])
    let start = Instant.start.microseconds
    #expect(try test.log.events(test.tenant).map(\.recordedAt.microseconds) == [start, start, start + 1])
    #expect(try test.log.events(rival).map(\.recordedAt.microseconds) == [start - 5_000_000])
  }

  @Test("a life that has run out gets its expiry before the next one begins, in the same commit")
  func expiryBeforeNewLife() throws {
    let test = try TestCycle()
    let rules = DecisionRules(timeToLive: TimeToLive(anonymousSeconds: 10), maximumSessions: 1)
    _ = try test.run([.begin("s1"), .set("s1", "a", "1")], rules: rules)
    test.clock.advance(microseconds: 10_000_000)
    #expect(try test.run([.patch("s1", cart: "x", naming: 2)], rules: rules) == [.rejected(.sessionNotFound)])
    let outcomes = try test.run([.begin("s1"), .set("s1", "a", "2"), .begin("s2")], rules: rules)
    #expect(
      outcomes == [
        .accepted(version: 1, position: 4), .accepted(version: 2, position: 5),
        .rejected(.tooManySessions(maximum: 1)),
      ])
    let events = try test.log.events(test.tenant)
    #expect(events.map(\.kind) == [.started, .attributeSet, .expired, .started, .attributeSet])
    #expect(events.map(\.life) == [1, 1, 1, 2, 2])
    #expect(events.map(\.version) == [1, 2, 3, 1, 2])
    #expect(events[2].origin == Origin(actor: "expiry") && events[2].request == nil)
    #expect(events[2].recordedAt == events[3].recordedAt)
    #expect(test.log.batches.count == 2)
    // Each has a salt of its own, and neither is the secret that both come from.
    let salts = test.log.salts(test.tenant)
    #expect(salts[2] != salts[3])
    #expect(salts[2] != TestCycle.salt)
    #expect(salts[3] != TestCycle.salt)
    // Where a task leads to one event, the secret itself is the salt.
    #expect(salts[1] == TestCycle.salt)
  }

  @Test("where a lowered limit refuses the next life, the expiry of the last one is recorded all the same")
  func expiryWithoutNewLife() throws {
    let test = try TestCycle()
    var rules = DecisionRules(timeToLive: TimeToLive(anonymousSeconds: 10), maximumSessions: 3)
    _ = try test.run([.begin("s1"), .begin("s2"), .begin("s3")], rules: rules)
    rules.maximumSessions = 2
    test.clock.advance(microseconds: 10_000_000)
    let refused = CommandOutcome.rejected(.tooManySessions(maximum: 2))
    // What has run out counts as open until that is recorded.
    #expect(try test.run([.begin("s1"), .begin("s2")], rules: rules) == [refused, .accepted(version: 1, position: 6)])
    let events = try test.log.events(test.tenant)
    #expect(events.map(\.kind) == [.started, .started, .started, .expired, .expired, .started])
    #expect(events.map(\.sessionID.description) == ["s1", "s2", "s3", "s1", "s2", "s2"])
  }

  @Test("a session that has expired stays expired when the clock steps back")
  func expiryAndClock() throws {
    let test = try TestCycle()
    let rules = DecisionRules(timeToLive: TimeToLive(anonymousSeconds: 10))
    _ = try test.run([.begin("s1")], rules: rules)
    test.clock.advance(microseconds: 10_000_000)
    _ = try test.run([.begin("s2")], rules: rules)
    test.clock.advance(microseconds: -9_000_000)
    #expect(try test.run([.set("s1", "a", "1")], rules: rules) == [.rejected(.sessionNotFound)])
  }

  @Test("one commit carries the changes of many tenants, each expected at its own tail")
  func tenants() throws {
    let test = try TestCycle()
    let rival = TenantID(valid: "rival")
    _ = try test.run([(test.tenant, .begin("s1"))])
    let outcomes = try test.run([
      (rival, .begin("s1")), (test.tenant, .set("s1", "a", "1")), (rival, .set("s1", "a", "1")),
      (rival, .patch("s1", cart: "x", naming: 1)),
    ])
    #expect(
      outcomes == [
        .accepted(version: 1, position: 1), .accepted(version: 2, position: 2), .accepted(version: 2, position: 2),
        .rejected(.versionConflict(sent: 1, current: 2)),
      ])
    #expect(test.log.batches.count == 2)
    #expect(test.log.tail(of: rival).position == 2)
    #expect(test.log.tail(of: test.tenant).position == 2)
  }

  @Test("a damaged snapshot fails its session's command, and no other one")
  func damagedSnapshot() throws {
    let test = try TestCycle()
    _ = try test.run([.begin("s1"), .begin("s2")])
    var damage = Publication()
    let key = SessionKey(test.tenant, SessionID(valid: "s1"))
    let events = try test.log.events(test.tenant)
    damage.note(events[1], of: test.tenant)
    damage.setCheckpoint(Checkpoint(tail: test.log.tail(of: test.tenant), openSessions: 2), of: test.tenant)
    damage.setSnapshot([UInt8](repeating: 0, count: 100), of: key)
    test.overlay.publish(damage)
    let outcomes = try test.run([.set("s1", "a", "1"), .set("s2", "a", "1")])
    guard case .failed(.projections(.damaged)) = outcomes[0] else {
      Issue.record("\(outcomes)")
      return
    }
    #expect(outcomes[1] == .accepted(version: 2, position: 3))
  }

  @Test("any batches lead to the same snapshots as the fold of the log", arguments: propertySeeds())
  func foldOfLog(_ seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    let test = try TestCycle()
    let rules = DecisionRules(timeToLive: TimeToLive(anonymousSeconds: 30), tombstoneSeconds: 20)
    var accepted = 0
    for _ in 0..<60 {
      test.clock.advance(microseconds: randomness.number(-2_000_000...4_000_000))
      var batch: [Command] = []
      for _ in 0..<randomness.number(1...12) {
        let session = "s\(randomness.number(1...5))"
        let action: Command.Action
        switch randomness.number(0...5) {
        case 0, 1: action = .replace(randomness.context(), upsert: true)
        case 2: action = .patch(randomness.changes())
        case 3: action = .setAttribute(randomness.attribute())
        case 4: action = .removeAttribute("a")
        default: action = randomness.chance(3) ? .end : .begin(SessionContext())
        }
        batch.append(
          Command(
            session, action, naming: Int64((try test.version(session)) ?? 1), mark: randomness.next(),
            key: randomness.chance(4) ? randomness.number(1...9) : nil))
      }
      for outcome in try test.run(batch, rules: rules) {
        if case .accepted = outcome { accepted += 1 }
      }
    }
    let events = try test.log.events(test.tenant)
    #expect(events.count == accepted, "seed \(seed)")
    var states: [SessionID: Session] = [:]
    for event in events {
      #expect(event.previousPosition == states[event.sessionID]?.lastPosition ?? 0, "seed \(seed)")
      evolve(&states[event.sessionID], event)
    }
    for (session, state) in states {
      #expect(try test.snapshots.session(SessionKey(test.tenant, session)) == state, "seed \(seed)")
    }
  }
}
