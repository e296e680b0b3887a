import EventLog
import Platform
import SessionModel
import Testing
import TestSupport

@testable import LMDB
@testable import Projections
@testable import SessionStore

@Suite("a store on disk") struct SessionStoreTests {
  @Test("whoever changes a session reads the change at once")
  func readOwnWrite() throws {
    let test = try TestStore()
    #expect(test.send(.begin("s1")) == .accepted(version: 1, position: 1))
    #expect(
      try test.document("s1")
        == #"{"sessionId":"s1","cartId":"cart","metadata":{"version":1,"createdAt":"2026-01-01T00:00:00.000Z","#
        + #""modifiedAt":"2026-01-01T00:00:00.000Z"}}"#)
    test.clock.advance(microseconds: 1_500_000)
    #expect(test.send(.patch("s1", cart: "new", naming: 1)) == .accepted(version: 2, position: 2))
    #expect(
      try test.document("s1")
        == #"{"sessionId":"s1","cartId":"new","metadata":{"version":2,"createdAt":"2026-01-01T00:00:00.000Z","#
        + #""modifiedAt":"2026-01-01T00:00:01.500Z"}}"#)
    #expect(try test.document("s2") == nil)
  }

  @Test("what LMDB refuses after a commit that failed half-way is a store that is closed, and no damage")
  func aftermath() {
    // lmdb.h: MDB_PANIC.
    let refusal = LMDBError(code: -30795, operation: "begin a read transaction")
    #expect(!refusal.isDamage)
    #expect(refusal.advice.contains("restart"))
    #expect(StoreError(ProjectionsError.storage(refusal)) == .closed)
    #expect(StoreError(EventLogError.storage(refusal)) == .closed)
  }

  @Test("a writer that waits for room says that it works, however long the projections take")
  func fullOverlay() throws {
    let test = try TestStore {
      $0.overlayBytes = 1
      $0.flushIntervalMilliseconds = 1
    }
    var blocker: WriteTransaction? = try test.store.projections.environment.write()
    // The first is being flushed, the second fills the overlay.
    test.send(.begin("s1"))
    test.send(.begin("s2"))
    let sent = Monitor<CommandOutcome?>(nil)
    test.store.submit(.begin("s3"), for: TestStore.tenant.authorized) { outcome in sent.signal { $0 = outcome } }
    let before = test.signsOfLife
    for _ in 0..<600 where test.signsOfLife == before { #expect(sent.wait(milliseconds: 100) { $0 } == nil) }
    #expect(test.signsOfLife > before)
    _ = blocker.take()
    #expect(sent.wait(milliseconds: 60_000) { $0 } == .accepted(version: 1, position: 3))
  }

  @Test("what is changed while the store is open holds from then on")
  func adjusted() throws {
    let test = try TestStore { $0.diskReserveBytes = 1 }
    test.send(.begin("s1"))
    #expect(test.store.usage.diskReserveBytes == 1)
    test.store.adjust(maximumSessions: 1, diskReserveBytes: 2)
    #expect(test.store.usage.diskReserveBytes == 2)
    #expect(test.send(.begin("s2")) == .rejected(.tooManySessions(maximum: 1)))
    test.store.adjust(maximumSessions: 2, diskReserveBytes: 0)
    #expect(test.store.usage.diskReserveBytes == 0)
    #expect(test.send(.begin("s2")) == .accepted(version: 1, position: 2))
  }

  @Test("rejections and retries append nothing")
  func nothingAppended() throws {
    let test = try TestStore()
    #expect(test.send(.patch("s1", cart: "x", naming: 1)) == .rejected(.sessionNotFound))
    let begin = Command.begin("s1")
    #expect(test.send(begin) == .accepted(version: 1, position: 1))
    #expect(test.send(begin) == .alreadyApplied(version: 1))
    #expect(
      test.send(.patch("s1", cart: "x", naming: 7)) == .rejected(.versionConflict(sent: 7, current: 1)))
    let set = Command("s1", .setAttribute(Attribute(name: "a", value: [0x31])), mark: 5, key: 9)
    #expect(test.send(set) == .accepted(version: 2, position: 2))
    #expect(test.send(set) == .alreadyApplied(version: 2))
    #expect(test.send(Command("s1", .end, mark: 6, key: 9)) == .rejected(.idempotencyKeyReused))
    #expect(test.send(.begin("s2")) == .accepted(version: 1, position: 3))
  }

  @Test("tenants have sessions and positions of their own")
  func tenants() throws {
    let test = try TestStore()
    let rival = TenantID(valid: "acmerival")
    test.send(.begin("s1", cart: "ours"))
    #expect(try test.document("s1", of: rival) == nil)
    #expect(test.send(.patch("s1", cart: "x", naming: 1), of: rival) == .rejected(.sessionNotFound))
    #expect(test.send(.begin("s1", cart: "theirs"), of: rival) == .accepted(version: 1, position: 1))
    #expect(test.send(.set("s1", "a", "1")) == .accepted(version: 2, position: 2))
    #expect(try test.document("s1", of: rival)?.contains("theirs") == true)
    #expect(try test.document("s1")?.contains("ours") == true)
  }

  @Test("a session can't be read any more from the microsecond on in which it expires; ended ones at once")
  func expiry() throws {
    let test = try TestStore { $0.rules.timeToLive.anonymousSeconds = 10 }
    test.send(.begin("s1"))
    test.clock.advance(microseconds: 9_999_999)
    #expect(try test.document("s1") != nil)
    test.clock.advance(microseconds: 1)
    #expect(try test.document("s1") == nil)
    #expect(test.send(.set("s1", "a", "1")) == .rejected(.sessionNotFound))
    #expect(test.send(.begin("s1")) == .accepted(version: 1, position: 3))
    #expect(test.send(Command("s1", .end)) == .accepted(version: 2, position: 4))
    #expect(try test.document("s1") == nil)
    #expect(test.send(.begin("s1")) == .rejected(.sessionEnded))
    test.clock.advance(microseconds: 86400 * 1_000_000)
    #expect(test.send(.begin("s1")) == .accepted(version: 1, position: 5))
  }

  @Test("the limit on open sessions counts those that begin and end, also after a restart")
  func sessionLimit() throws {
    let folder = try TemporaryFolder()
    do {
      let test = try TestStore(folder) { $0.rules.maximumSessions = 2 }
      #expect(test.send(.begin("s1")) == .accepted(version: 1, position: 1))
      #expect(test.send(.begin("s2")) == .accepted(version: 1, position: 2))
      #expect(test.send(.begin("s3")) == .rejected(.tooManySessions(maximum: 2)))
      #expect(test.send(.begin("s3"), of: TenantID(valid: "rival")) == .accepted(version: 1, position: 1))
    }
    let test = try TestStore(folder) { $0.rules.maximumSessions = 2 }
    #expect(test.send(.begin("s3")) == .rejected(.tooManySessions(maximum: 2)))
    #expect(test.send(Command("s2", .end)) == .accepted(version: 2, position: 3))
    #expect(test.send(.begin("s3")) == .accepted(version: 1, position: 4))
    #expect(test.send(.begin("s4")) == .rejected(.tooManySessions(maximum: 2)))
  }

  @Test("a second store on the same folder is refused while the first one runs")
  func secondStore() throws {
    let folder = try TemporaryFolder()
    do {
      let test = try TestStore(folder)
      let error = #expect(throws: StoreError.self) { try TestStore(folder) }
      #expect(
        error?.description
          == "another sessiond, or a sessionctl that writes, has the data directory \(folder.path); stop it or choose another one with --data-dir"
      )
      test.send(.begin("s1"))
    }
    #expect(try TestStore(folder).document("s1") != nil)
  }

  @Test("a data directory that can't be used is named")
  func unusableDirectory() throws {
    let folder = try TemporaryFolder()
    folder.write([1], to: "file")
    let error = #expect(throws: StoreError.self) {
      try SessionStore(directory: DataDirectory(folder("file")))
    }
    #expect(error?.description.contains("the data directory \(folder("file")) can't be used") == true)
  }

  @Test("a closed store takes no command, and has finished those that it took")
  func close() throws {
    let test = try TestStore()
    let outcomes = Monitor<[CommandOutcome]>([])
    for number in 0..<50 {
      test.store.submit(.begin("s\(number)"), for: TestStore.tenant.authorized) { outcome in
        outcomes.withLock { $0.append(outcome) }
      }
    }
    test.close()
    #expect(outcomes.withLock { $0.count } == 50)
    #expect(outcomes.withLock { $0 } == (1...50).map { .accepted(version: 1, position: $0) })
    #expect(test.send(.begin("late")) == .overloaded)
    #expect(try test.document("s7") != nil)
  }

  @Test("a full queue refuses further commands at once, and what was taken is carried out")
  func overloaded() throws {
    let test = try TestStore { $0.queueCapacity = 3 }
    let gate = Monitor((isEntered: false, isOpen: false))
    // The writer stands in this completion until the test lets it go.
    test.store.submit(.begin("s0"), for: TestStore.tenant.authorized) { _ in
      gate.signal { $0.isEntered = true }
      _ = gate.wait { $0.isOpen ? true : nil }
    }
    _ = gate.wait { $0.isEntered ? true : nil }
    let outcomes = Monitor<[String: CommandOutcome]>([:])
    for session in ["s1", "s2", "s3", "s4", "s5"] {
      test.store.submit(.begin(session), for: TestStore.tenant.authorized) { outcome in
        outcomes.signal { $0[session] = outcome }
      }
    }
    #expect(test.store.queueDepth == 3)
    #expect(outcomes.withLock { $0 } == ["s4": .overloaded, "s5": .overloaded])
    gate.signal { $0.isOpen = true }
    let all = outcomes.wait { $0.count == 5 ? $0 : nil }
    for (position, session) in ["s1", "s2", "s3"].enumerated() {
      #expect(all[session] == .accepted(version: 1, position: UInt64(position + 2)))
    }
    #expect(try test.document("s4") == nil)
    #expect(test.send(.begin("s4")) == .accepted(version: 1, position: 5))
    // The three that waited went into one commit.
    #expect(test.store.statistics.current.batchSizes.counts.reduce(0, +) == 3)
    #expect(test.store.statistics.commandCount == 5)
  }

  @Test("a full map fails the command and refuses further ones; reads go on, and what was acknowledged stays")
  func logMapFull() throws {
    let folder = try TemporaryFolder()
    var acknowledged: UInt32 = 1
    do {
      let test = try TestStore(folder) {
        $0.environment = Environment.Options(mapSizeBytes: 1 << 20)
        $0.flushIntervalMilliseconds = 60_000
      }
      test.send(.begin("s1"))
      let value = "\"" + String(repeating: "x", count: 16_000) + "\""
      var outcome = CommandOutcome.overloaded
      while true {
        outcome = test.send(.set("s1", "a", value))
        guard case .accepted(let version, _) = outcome else { break }
        acknowledged = version
      }
      guard case .failed(let error) = outcome else {
        Issue.record("\(outcome)")
        return
      }
      #expect(error.isDiskFull)
      #expect(test.send(.set("s1", "a", "1")) == .failed(.diskNearlyFull))
      #expect(try test.document("s1")?.contains("xxx") == true)
      #expect(test.notices.count == 1)
      #expect(test.notices.first?.contains("raise mapSizeBytes") == true, "\(test.notices)")
      #expect(test.failures == [])
    }
    // With room again, everything that was acknowledged is there, and no more.
    let test = try TestStore(folder)
    #expect(test.send(.set("s1", "a", "1")) == .accepted(version: acknowledged + 1, position: UInt64(acknowledged + 1)))
  }

  @Test(
    "when no more can be flushed for a full map, what was acknowledged is read all the same", arguments: [1, 60_000])
  func projectionsMapFull(flushIntervalMilliseconds: Int) throws {
    let test = try TestStore {
      $0.environment = Environment.Options(mapSizeBytes: 1 << 20)
      $0.flushIntervalMilliseconds = flushIntervalMilliseconds
      $0.overlayBytes = 1 << 17
    }
    // The snapshots of many sessions don't fit where their small events do; either side may be full first.
    let value = "\"" + String(repeating: "x", count: 3000) + "\""
    var count = 0
    for number in 0..<2000 {
      guard case .accepted = test.send(.begin("s\(number)")) else { break }
      count = number + 1
      guard case .accepted = test.send(.set("s\(number)", "a", value)) else { break }
    }
    #expect(count < 2000)
    #expect(test.send(.begin("late")) == .failed(.diskNearlyFull))
    for number in 0..<count { #expect(try test.document("s\(number)") != nil, "\(number)") }
    #expect(test.failures == [])
  }

  @Test("what waits in memory is bounded: the writer waits for the projector, and nothing is lost")
  func smallOverlay() throws {
    let test = try TestStore {
      $0.overlayBytes = 4096
      $0.flushIntervalMilliseconds = 60_000
    }
    let outcomes = Monitor(0)
    for number in 0..<500 {
      test.store.submit(.begin("s\(number)"), for: TestStore.tenant.authorized) { outcome in
        if case .accepted = outcome { outcomes.signal { $0 += 1 } }
      }
    }
    #expect(outcomes.wait(milliseconds: 30_000) { $0 == 500 ? true : nil } == true)
    for number in 0..<500 { #expect(try test.document("s\(number)") != nil) }
  }

  @Test("usage and statistics tell what was done")
  func usage() throws {
    let test = try TestStore { $0.flushIntervalMilliseconds = 60_000 }
    #expect(test.store.usage.overlaySessions == 0)
    test.send(.begin("s1"))
    test.send(.set("s1", "a", "1"))
    #expect(test.store.usage.overlaySessions == 1)
    #expect(test.store.usage.overlayEvents == 2)
    #expect(test.store.usage.overlayBytes > 0)
    #expect(test.store.usage.logBytes > 0)
    #expect(test.store.usage.projectionsBytes > 0)
    #expect(test.store.statistics.commandCount == 2)
    #expect(test.store.statistics.current.batchNanoseconds.sum > 0)
    test.close()
    #expect(test.store.usage.overlaySessions == 0)
    #expect(test.store.statistics.current.flushCount >= 1)
  }
}
