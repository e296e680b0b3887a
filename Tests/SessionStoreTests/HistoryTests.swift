import EventLog
import Platform
import SessionCodec
import SessionModel
import Testing
import TestSupport

@testable import SessionStore

@Suite("the past of sessions") struct HistoryTests {
  private let tenant = TestStore.tenant
  private let s1 = SessionID(valid: "s1")

  private func compare(_ test: TestStore, _ from: UInt32, _ to: UInt32) throws -> Comparison {
    try test.store.compare(s1, of: tenant.authorized, from: from, to: to)
  }

  private func past(_ test: TestStore, _ moment: Moment) throws -> PastSession? {
    #expect(test.store.settle(moment))
    return try test.store.session(s1, of: tenant.authorized, at: moment)
  }

  /// A store in which s1 had a life with the versions 1 to 5 and has one with 1 and 2; the carts tell which.
  private func twoLives() throws -> TestStore {
    let test = try TestStore { $0.rules.timeToLive.anonymousSeconds = 10 }
    test.send(.begin("s1", cart: "1.1"))
    for version in 2...5 { test.send(.patch("s1", cart: "1.\(version)", naming: Int64(version - 1))) }
    test.clock.advance(microseconds: 10_000_000)
    test.send(.begin("s1", cart: "2.1"))
    test.send(.patch("s1", cart: "2.2", naming: 1))
    return test
  }

  private func cart(_ text: String) -> SessionContext {
    var context = SessionContext()
    context.cartID = text
    return context
  }

  @Test("every version of a life longer than one read can be had", arguments: [1, 2, 255, 256, 257, 512, 513, 600])
  func longLife(_ version: UInt32) throws {
    let test = try TestStore()
    test.send(.begin("s1", cart: "1"))
    let answers = Monitor(0)
    for number in 2...600 {
      test.store.submit(.set("s1", "n", "\(number)"), for: tenant.authorized) { _ in answers.signal { $0 += 1 } }
    }
    _ = answers.wait { $0 == 599 ? true : nil }
    let then = try #require(try past(test, .version(version)))
    #expect(then.session.version == version)
    #expect(then.session.context.attributes.first?.value == (version == 1 ? nil : Array("\(version)".utf8)))
    #expect(then.position == UInt64(version))
    #expect(try past(test, .position(UInt64(version))) == then)
    guard case .versions(1, let old, let new, false) = try compare(test, version, 600) else {
      Issue.record("there are both versions")
      return
    }
    #expect(old == then.session.context)
    #expect(new.attributes.first?.value == Array("600".utf8))
  }

  @Test(
    "both versions of a comparison are of the last life that had both",
    arguments: [
      (1, 2, 2), (2, 1, 2), (2, 2, 2), (2, 3, 1), (3, 2, 1), (1, 5, 1), (5, 5, 1),
    ] as [(UInt32, UInt32, UInt32)])
  func lives(_ from: UInt32, _ to: UInt32, _ life: UInt32) throws {
    let test = try twoLives()
    #expect(
      try compare(test, from, to)
        == .versions(life: life, from: cart("\(life).\(from)"), to: cart("\(life).\(to)"), isErased: false))
  }

  @Test("the version that is missing is named")
  func missingVersion() throws {
    let test = try twoLives()
    // The sixth is the expiry of the first life.
    #expect(try compare(test, 2, 7) == .noVersion(7))
    #expect(try compare(test, 9, 1) == .noVersion(9))
    #expect(try test.store.compare(SessionID(valid: "s2"), of: tenant.authorized, from: 1, to: 1) == .noSession)
  }

  @Test("the version that ended a session holds nothing")
  func endedVersion() throws {
    let test = try twoLives()
    test.send(Command("s1", .end))
    #expect(
      try compare(test, 2, 3) == .versions(life: 2, from: cart("2.2"), to: SessionContext(), isErased: false))
    #expect(
      try compare(test, 3, 1) == .versions(life: 2, from: SessionContext(), to: cart("2.1"), isErased: false))
  }

  @Test("what was answered about a time stays so, also when the clock is set back")
  func clockSetBack() throws {
    let test = try TestStore()
    test.send(.begin("s1", cart: "old"))
    let asked = Instant.start.advanced(bySeconds: 50)
    test.clock.set(Instant.start.advanced(bySeconds: 60))
    let answer = try past(test, .time(asked))
    #expect(answer?.session.context == cart("old"))
    test.clock.set(Instant.start.advanced(bySeconds: 10))
    test.send(.patch("s1", cart: "new", naming: 1))
    test.send(.begin("s2"))
    #expect(try past(test, .time(asked)) == answer)
    test.clock.set(Instant.start.advanced(bySeconds: 60))
    #expect(try past(test, .time(Instant(microseconds: asked.microseconds + 1)))?.session.context == cart("new"))
  }

  @Test("a time that has not come settles nothing beyond now")
  func future() throws {
    let test = try TestStore()
    test.send(.begin("s1"))
    let future = Instant.start.advanced(bySeconds: 1000)
    #expect(!test.store.hasCome(future))
    #expect(test.store.hasCome(.start))
    #expect(try past(test, .time(future)) != nil)
    test.clock.advance(microseconds: 1)
    test.send(.patch("s1", cart: "new", naming: 1))
    #expect(try past(test, .version(2))?.session.modifiedAt.microseconds == Instant.start.microseconds + 1)
  }

  @Test("a time of now is written once the batch of that time is, not before; what was before isn't waited for")
  func batchUnderWay() {
    let clock = RecordingClock()
    let written = Monitor(0)
    let now = Instant.start
    clock.endBatch {
      #expect(clock.beginBatch(now) == now)
      #expect(clock.settle(Instant(microseconds: now.microseconds - 1)))
      clock.whenWritten(Instant(microseconds: now.microseconds - 1)) { written.withLock { $0 += 1 } }
      #expect(written.withLock { $0 } == 1)
      #expect(!clock.settle(now))
      clock.whenWritten(now) { written.withLock { $0 += 1 } }
      #expect(written.withLock { $0 } == 1)
    }
    #expect(written.withLock { $0 } == 2)
    #expect(clock.settle(now))
    clock.whenWritten(now) { written.withLock { $0 += 1 } }
    #expect(written.withLock { $0 } == 3)
    #expect(clock.endBatch { clock.beginBatch(now) } == Instant(microseconds: now.microseconds + 1))
  }

  @Test("a batch that begins once more after a time was settled comes after it")
  func batchBeginsAgain() {
    let clock = RecordingClock()
    clock.endBatch {
      _ = clock.beginBatch(.start)
      #expect(!clock.settle(.start))
      #expect(clock.beginBatch(.start) > .start)
      #expect(clock.settle(.start))
    }
  }

  @Test("a page of a session's history begins at an event of its own, and at no other session's")
  func pageBeginning() throws {
    let test = try TestStore()
    test.send(.begin("s1"))
    test.send(.begin("s2"))
    test.send(.set("s2", "n", "1"))
    func positions(from position: UInt64) throws -> [UInt64]? {
      var positions: [UInt64] = []
      let next = try test.store.readEvents(
        of: SessionID(valid: "s2"), tenant.authorized, from: .position(position), limit: 10
      ) {
        positions.append($0.event.position)
        return true
      }
      return next.map { _ in positions }
    }
    #expect(try positions(from: 3) == [3, 2])
    #expect(try positions(from: 2) == [2])
    #expect(try positions(from: 1) == nil)
    #expect(try positions(from: 4) == nil)
  }

  @Test(
    "what happened later to a session shows that it was there before, whatever the time to live is now",
    arguments: [Command.Action.touch, .end])
  func wentOn(_ action: Command.Action) throws {
    let folder = try TemporaryFolder()
    let clock = TestClock()
    do {
      let test = try TestStore(folder, clock: clock) { $0.rules.timeToLive.anonymousSeconds = 3600 }
      test.send(.begin("s1", cart: "old"))
      clock.advance(microseconds: 1_000_000_000)
      #expect(test.send(Command("s1", action)) == .accepted(version: action == .touch ? 1 : 2, position: 2))
    }
    let test = try TestStore(folder, clock: clock) { $0.rules.timeToLive.anonymousSeconds = 60 }
    #expect(try past(test, .time(Instant.start.advanced(bySeconds: 500)))?.session.context == cart("old"))
  }

  @Test(
    "the list of a customer's sessions and their documents agree on what has expired, also when the clock is set back")
  func customersAndClock() throws {
    let test = try TestStore { $0.rules.timeToLive.customerSeconds = 3600 }
    var context = SessionContext()
    context.customerID = "c1"
    test.send(Command("s1", .replace(context, upsert: true)))
    test.clock.set(Instant.start.advanced(bySeconds: 7200))
    test.send(.begin("s2"))
    test.clock.set(Instant.start.advanced(bySeconds: 60))
    var live: [Bool] = []
    _ = try test.store.readSessions(of: "c1", in: tenant.authorized, after: nil, limit: 10) {
      live.append($0.isLive)
      return true
    }
    #expect(live == [false])
    #expect(try test.document("s1") == nil)
  }

  /// A closed store with two sessions.
  private func twoSessions() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    do {
      let test = try TestStore(folder)
      test.send(.begin("s1"))
      for number in 1...20 {
        test.clock.advance(microseconds: 1_000_000)
        test.send(.set("s2", "n", "\(number)"))
        test.send(number == 1 ? .begin("s2") : .set("s1", "n", "\(number)"))
      }
    }
    return folder
  }

  @Test("without projections a session is found past damaged and missing records of others", arguments: UInt64(2)...39)
  func damageElsewhere(_ position: UInt64) throws {
    let folder = try twoSessions()
    var isOthers = false
    try StoredLog(folder) { stored in
      isOthers = try stored.log.event(tenant, position)?.sessionID != s1
      try stored.store(position % 4 < 2 ? nil : stored.stored(tenant, position).flipping(bit: 300), tenant, position)
    }
    guard isOthers else { return }
    let reader = try StoreReader(
      directory: DataDirectory(folder.path), options: TestStore.environment, opensProjections: false)
    var unread: [ClosedRange<UInt64>] = []
    let now = try reader.session(s1, of: tenant) { unread.append($0) }
    #expect(now?.session.version == 20)
    #expect(unread == [])
    for seconds in 0...20 {
      let time = Instant.start.advanced(bySeconds: Int64(seconds))
      let then = try reader.session(s1, of: tenant, at: .time(time))
      #expect(then?.session.version == UInt32(max(1, seconds)))
      var selection = EventSelection()
      selection.since = time
      var walk = try EventWalk(reader, selection)
      var events: [UInt64] = []
      var damage: [UInt64] = []
      try walk.run { (_, item) throws(StoreError) in
        switch item {
        case .event(let recorded): events.append(recorded.event.position)
        case .damage(let positions, _): damage += positions
        }
      }
      let all = try reader.positions(since: time, of: tenant)
      #expect(events == all)
      let isAsked = position > (all.first ?? .max)
      #expect(damage == [position] || !isAsked && damage == [])
    }
  }

  @Test("a newer record that can't be read is told of when the session is shown without it")
  func damagedEnd() throws {
    let folder = try twoSessions()
    var last: UInt64 = 0
    try StoredLog(folder) { stored in
      last = try stored.log.lastPosition(of: tenant)
      try stored.store(stored.stored(tenant, last).flipping(bit: 300), tenant, last)
    }
    let reader = try StoreReader(
      directory: DataDirectory(folder.path), options: TestStore.environment, opensProjections: false)
    var unread: [ClosedRange<UInt64>] = []
    #expect(try reader.session(s1, of: tenant) { unread.append($0) }?.session.version == 19)
    #expect(unread == [last...last])
  }
}

extension StoreReader {
  /// The positions of the records that can be read and are of that time or later, by looking at all of them.
  fileprivate func positions(since time: Instant, of tenant: TenantID) throws -> [UInt64] {
    var positions: [UInt64] = []
    _ = try log.scan(tenant, after: 0, limit: .max) { position, frame, _ in
      if let frame, frame.recordedAt >= time { positions.append(position) }
    }
    return positions
  }
}
