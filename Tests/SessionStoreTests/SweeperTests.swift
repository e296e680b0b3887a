import LMDB
import Platform
import Projections
import SessionModel
import Testing
import TestSupport

@testable import SessionStore

@Suite("the sweeper") struct SweeperTests {
  private func store(
    _ folder: TemporaryFolder? = nil, clock: TestClock = TestClock(), seconds: Int64 = 10, customer: Int64 = 0,
    configure: (inout SessionStore.Configuration) -> Void = { _ in }
  ) throws -> TestStore {
    try TestStore(folder, clock: clock) {
      $0.rules.timeToLive = TimeToLive(anonymousSeconds: seconds, customerSeconds: customer)
      $0.flushIntervalMilliseconds = 1
      configure(&$0)
    }
  }

  private func kinds(_ test: TestStore, _ session: String) throws -> [Event.Kind] {
    try test.history(session).reversed().map(\.event.kind)
  }

  private func login(_ session: String) -> Command {
    var context = SessionContext()
    context.customerID = "c1"
    return Command(session, .replace(context, upsert: true))
  }

  @Test("an expiry is recorded once, for the sessions whose time has come and no others")
  func expiry() throws {
    let test = try store()
    test.send(.begin("old"))
    test.send(login("customer"))
    test.clock.advance(microseconds: 5_000_000)
    test.send(.begin("young"))
    test.clock.advance(microseconds: 5_000_000)
    test.flushed()
    for _ in 0..<2 {
      test.sweep()
      test.flushed()
    }
    #expect(try kinds(test, "old") == [.started, .expired])
    #expect(try kinds(test, "young") == [.started])
    #expect(try kinds(test, "customer") == [.started])
    #expect(test.store.statistics.current.expiredCount == 1)
    #expect(test.store.statistics.current.sweepCount == 2)
  }

  @Test("a map that is full keeps expiries from being recorded, and nothing from being read")
  func fullMap() throws {
    let folder = try TemporaryFolder()
    let clock = TestClock()
    let sessions = (0..<300).map { "s\($0)" }
    let value = "\"" + String(repeating: "x", count: 16_000) + "\""
    func small(_ configuration: inout SessionStore.Configuration) {
      configuration.environment = Environment.Options(mapSizeBytes: 1 << 20)
    }
    do {
      let test = try store(folder, clock: clock, configure: small)
      for session in sessions { test.send(.begin(session)) }
      test.send(login("customer"))
      while case .accepted = test.send(.set("customer", "a", value)) {}
      test.flushed()
    }
    clock.advance(microseconds: 10_000_000)
    for _ in 0..<2 {
      // A start doesn't know of it before something is written.
      let test = try store(folder, clock: clock, configure: small)
      for _ in 0..<2 { test.sweep() }
      #expect(test.notices.filter { $0.contains("raise mapSizeBytes") }.count == 1, "\(test.notices)")
      #expect(test.failures == [])
      #expect(try test.document("customer")?.contains("xxx") == true)
      #expect(try test.document("s299") == nil)
    }
    let test = try store(folder, clock: clock)
    test.sweep()
    test.flushed()
    for session in sessions { #expect(try kinds(test, session) == [.started, .expired]) }
  }

  @Test("customers' sessions expire by their own time to live")
  func customers() throws {
    let test = try store(seconds: 0, customer: 20)
    test.send(.begin("anonymous"))
    test.send(login("customer"))
    test.clock.advance(microseconds: 20_000_000)
    test.flushed()
    test.sweep()
    #expect(try kinds(test, "anonymous") == [.started])
    #expect(try kinds(test, "customer") == [.started, .expired])
  }

  @Test("activity that isn't flushed yet keeps a session from the sweeper")
  func activity() throws {
    let folder = try TemporaryFolder()
    let clock = TestClock()
    do {
      let test = try store(folder, clock: clock)
      test.send(.begin("s1"))
      test.send(.begin("s2"))
      test.send(.begin("s3"))
    }
    let test = try store(folder, clock: clock) { $0.flushIntervalMilliseconds = 60_000 }
    clock.advance(microseconds: 9_999_999)
    test.send(.set("s1", "a", "1"))
    test.send(Command("s2", .touch))
    clock.advance(microseconds: 1)
    test.sweep()
    test.sweep()
    #expect(try kinds(test, "s1") == [.started, .attributeSet])
    #expect(try kinds(test, "s2") == [.started, .touched])
    #expect(try kinds(test, "s3") == [.started, .expired])
  }

  @Test("a session whose entry is older than its activity isn't due, has it moved once, and expires in its time")
  func overtaken() throws {
    let test = try store()
    let count = 600
    for number in 0..<count { test.send(.begin("s\(number)")) }
    test.flushed()
    test.clock.advance(microseconds: 5_000_000)
    for number in 0..<count where number != 300 { test.send(.set("s\(number)", "a", "1")) }
    test.flushed()
    func entries(olderThan seconds: Int64) throws -> Int {
      let limit = test.clock.now.advanced(bySeconds: -seconds)
      return try test.store.projections.view().due(.anonymous, upTo: limit, after: nil, limit: .max) {
        Issue.record("an entry is damaged")
      }.count
    }
    test.clock.advance(microseconds: 5_000_000)
    #expect(try entries(olderThan: 10) == count)
    test.sweep()
    // Behind it in the overlay, so that the flush of this is the flush of that.
    test.send(.begin("later"))
    test.flushed()
    #expect(test.store.statistics.current.expiredCount == 1)
    #expect(try kinds(test, "s300") == [.started, .expired])
    #expect(try entries(olderThan: 10) == 0)
    #expect(try entries(olderThan: 5) == count - 1)
    test.clock.advance(microseconds: 4_999_999)
    test.sweep()
    #expect(test.store.statistics.current.expiredCount == 1)
    test.clock.advance(microseconds: 1)
    test.sweep()
    #expect(test.store.statistics.current.expiredCount == UInt64(count))
  }

  @Test("what came due while nothing ran is swept right after the start, over more than one step")
  func downtime() throws {
    let folder = try TemporaryFolder()
    let clock = TestClock()
    let count = 700
    do {
      let test = try store(folder, clock: clock)
      for number in 0..<count { test.store.submit(.begin("s\(number)"), for: TestStore.tenant.authorized) { _ in } }
    }
    clock.advance(microseconds: 3_600_000_000)
    let test = try store(folder, clock: clock) { $0.sweepIntervalMilliseconds = 60_000 }
    let never = Monitor(())
    for _ in 0..<2000 where test.store.statistics.current.sweepCount == 0 {
      never.wait(milliseconds: 10) { _ in nil as Void? }
    }
    #expect(test.store.statistics.current.expiredCount == UInt64(count))
    #expect(test.store.statistics.current.sweepBacklog == 0)
    #expect(try kinds(test, "s0") == [.started, .expired])
    #expect(try kinds(test, "s699") == [.started, .expired])
  }

  @Test("what is damaged of one session keeps no other one from expiring, and is told once")
  func damage() throws {
    let folder = try TemporaryFolder()
    let clock = TestClock()
    do {
      let test = try store(folder, clock: clock, customer: 20)
      for session in ["s1", "s2", "s3"] { test.send(.begin(session)) }
      test.send(login("customer"))
    }
    let tenant = TestStore.tenant
    let key = SessionKey(tenant, SessionID(valid: "s2"))
    try changeProjections(folder, "snapshots", key.bytes, [UInt8](repeating: 0, count: 100))
    // Of the class of anonymous sessions, active in 1970, and of nobody or of one that wasn't.
    for name in [Array("Nobody".utf8), SessionKey(tenant, SessionID(valid: "s4")).bytes] {
      try changeProjections(folder, "activity", [1, 0x80] + [UInt8](repeating: 0, count: 7) + name, [])
    }
    let test = try store(folder, clock: clock, customer: 20)
    clock.advance(microseconds: 20_000_000)
    let sweeper = Sweeper(test.store) { _ in true }
    for _ in 0..<3 {
      #expect(sweeper.run(milliseconds: 60_000))
      test.flushed()
    }
    for session in ["s1", "s3", "customer"] { #expect(try kinds(test, session) == [.started, .expired]) }
    #expect(test.store.statistics.current.expiredCount == 3)
    #expect(test.notices.filter { $0.contains("is left as it is") }.count == 2, "\(test.notices)")
    #expect(
      test.notices.contains { $0.contains("is left as it is: session s2 of tenant acme: the projections are damaged") })
  }

  @Test("sessions of one kind that the writer takes nothing of don't keep those of another from expiring")
  func turns() throws {
    let test = try store(customer: 10)
    test.send(.begin("anonymous"))
    test.send(login("customer"))
    test.clock.advance(microseconds: 10_000_000)
    test.flushed()
    let sweeper = Sweeper(test.store) { _ in
      true
    } submit: { task, tenant, completion in
      if case .change(let command) = task, command.sessionID.description == "anonymous" {
        return completion(.overloaded)
      }
      test.store.submit(task, of: tenant, completion: completion)
    }
    for _ in 0..<2 { #expect(!sweeper.run(milliseconds: 60_000)) }
    #expect(try kinds(test, "anonymous") == [.started])
    #expect(try kinds(test, "customer") == [.started, .expired])
  }

  @Test("a queue too small for a step is no reason to stop")
  func smallQueue() throws {
    let test = try store { $0.queueCapacity = 2 }
    for number in 0..<20 { test.send(.begin("s\(number)")) }
    test.clock.advance(microseconds: 10_000_000)
    test.flushed()
    let sweeper = Sweeper(test.store) { _ in true }
    while !sweeper.run(milliseconds: 1000) {}
    #expect(test.store.statistics.current.expiredCount == 20)
  }

  @Test("a clock that is set back leaves recorded expiries as they are, and records none before their time")
  func clockSetBack() throws {
    let test = try store()
    test.send(.begin("s1"))
    test.clock.advance(microseconds: 4_000_000)
    test.send(.begin("s2"))
    test.clock.advance(microseconds: -3_600_000_000)
    test.flushed()
    test.sweep()
    #expect(try kinds(test, "s1") == [.started])
    test.clock.advance(microseconds: 3_606_000_000)
    test.sweep()
    #expect(try kinds(test, "s1") == [.started, .expired])
    #expect(try kinds(test, "s2") == [.started])
  }

  @Test("a new life begins after a recorded expiry, and expires by itself")
  func newLife() throws {
    let test = try store()
    for _ in 0..<2 {
      test.send(.begin("s1"))
      test.clock.advance(microseconds: 10_000_000)
      test.flushed()
      test.sweep()
    }
    #expect(try kinds(test, "s1") == [.started, .expired, .started, .expired])
  }

  @Test("after random lives, with sweeps and restarts between, all is the fold of the log", arguments: propertySeeds())
  func lives(_ seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    let folder = try TemporaryFolder()
    let clock = TestClock()
    for round in 0..<6 {
      do {
        let test = try store(folder, clock: clock, customer: 25)
        for _ in 0..<60 {
          clock.advance(microseconds: randomness.number(-500_000...3_000_000))
          let session = "s\(randomness.number(1...8))"
          switch randomness.number(0...6) {
          case 0, 1: test.send(Command(session, .replace(randomness.context(), upsert: true), naming: 1))
          case 2: test.send(Command(session, .setAttribute(randomness.attribute())))
          case 3: test.send(Command(session, .touch))
          case 4: test.send(Command(session, .end))
          case 5: test.sweep()
          default: test.flushed()
          }
        }
      }
      let directory = DataDirectory(folder.path)
      let report = try Verification(directory: directory, options: TestStore.environment).run()
      #expect(report.findings.map(\.description) == [], "seed \(seed), round \(round)")
    }
    #expect(try differencesFromRebuilt(folder) == [], "seed \(seed)")
  }
}

@Suite("the watch over the clock") struct ClockWatchTests {
  private let start = Instant.start

  @Test("a clock that goes with the one that no one can set, or is corrected by little, is no news")
  func steady() {
    var watch = ClockWatch(wall: start, nanoseconds: 5)
    var wall = start
    for round in 1...10 as ClosedRange<UInt64> {
      wall.microseconds += 1_000_000 + (round.isMultiple(of: 2) ? 1_900_000 : -1_900_000)
      #expect(watch.step(wall: wall, nanoseconds: 5 + round * 1_000_000_000) == nil)
    }
  }

  @Test("a step is told once, with its direction and size")
  func step() {
    var watch = ClockWatch(wall: start, nanoseconds: 0)
    var wall = start.advanced(bySeconds: 3601)
    wall.microseconds += 250_000
    #expect(
      watch.step(wall: wall, nanoseconds: 1_000_000_000)
        == "the clock went forward by 3600.2 s: sessions expire earlier by that; nothing is expired or erased for good by it "
        + "for five minutes")
    wall = wall.advanced(bySeconds: 1)
    #expect(watch.step(wall: wall, nanoseconds: 2_000_000_000) == nil)
    wall = wall.advanced(bySeconds: -59)
    #expect(watch.step(wall: wall, nanoseconds: 3_000_000_000)?.contains("went back by 60.0 s") == true)
    #expect(watch.step(wall: wall.advanced(bySeconds: 1), nanoseconds: 4_000_000_000) == nil)
  }

  @Test("a clock that was set forward is trusted when it has stayed there for five minutes, one set back at once")
  func trust() {
    var watch = ClockWatch(wall: start, nanoseconds: 0)
    #expect(watch.isTrusted(nanoseconds: 0))
    _ = watch.step(wall: start.advanced(bySeconds: -100), nanoseconds: 1_000_000_000)
    #expect(watch.isTrusted(nanoseconds: 1_000_000_000))
    _ = watch.step(wall: start.advanced(bySeconds: 100), nanoseconds: 2_000_000_000)
    #expect(!watch.isTrusted(nanoseconds: 2_000_000_000))
    #expect(!watch.isTrusted(nanoseconds: 301_999_999_999))
    #expect(watch.isTrusted(nanoseconds: 302_000_000_000))
  }
}
