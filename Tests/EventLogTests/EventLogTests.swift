import LMDB
import Platform
import SessionCodec
import SessionModel
import Testing
import TestSupport

@testable import EventLog

@Suite("the event log") struct EventLogTests {
  let acme = TenantID(valid: "acme")

  @Test("an appended batch is there, in order, and after opening again")
  func append() throws {
    let folder = try TemporaryFolder()
    let (records, tail) = TestLog.records(3, of: acme)
    var storeID = ""
    do {
      let test = try TestLog(folder)
      storeID = test.log.storeID
      #expect(try test.log.tail(of: acme) == .empty)
      #expect(try test.log.append(records, expecting: [acme: 0]) == .committed)
      #expect(try test.log.tail(of: acme) == tail)
    }
    let test = try TestLog(folder)
    #expect(test.log.storeID == storeID)
    #expect(try test.log.tail(of: acme) == tail)
    #expect(try test.carts(acme) == ["cart-0", "cart-1", "cart-2"])
    #expect(try test.log.event(acme, 2) == TestLog.event(position: 2, number: 1))
    #expect(try test.stored(acme, 3) == records[2].frame)
  }

  @Test("a store's name is made once and is another one for each store")
  func storeID() throws {
    let (one, two) = (try TestLog(), try TestLog())
    #expect(one.log.storeID != two.log.storeID)
    #expect(one.log.storeID.utf8.count == 32)
  }

  @Test(
    "a batch that expects another tail is refused, and nothing of it is appended", arguments: [0, 1, 3, 9] as [UInt64])
  func tailMoved(_ expected: UInt64) throws {
    let test = try TestLog()
    let tail = try test.append(2, to: acme)
    let rival = TenantID(valid: "rival")
    let batch = TestLog.records(1, of: rival).records + TestLog.records(1, of: acme, after: tail).records
    #expect(try test.log.append(batch, expecting: [acme: expected, rival: 0]) == .tailMoved(acme))
    #expect(try test.log.tail(of: acme) == tail)
    #expect(try test.log.tail(of: rival) == .empty)
    #expect(try test.log.tenants() == [acme])
  }

  @Test("a batch of several tenants is refused when the log of any one of them has moved", arguments: ["acme", "beta"])
  func anyTailMoved(_ name: String) throws {
    let test = try TestLog()
    let (moved, tenants) = (TenantID(valid: name), [acme, TenantID(valid: "beta")])
    var batch: [LogRecord] = []
    for tenant in tenants { batch += TestLog.records(1, of: tenant, after: try test.append(1, to: tenant)).records }
    try test.append(1, to: moved)
    let expected = Dictionary(uniqueKeysWithValues: tenants.map { ($0, 1 as UInt64) })
    #expect(try test.log.append(batch, expecting: expected) == .tailMoved(moved))
    for tenant in tenants { #expect(try test.log.tail(of: tenant).position == (tenant == moved ? 2 : 1)) }
  }

  @Test("after a refusal the same batch goes in at the right tail")
  func appendAfterRefusal() throws {
    let test = try TestLog()
    let (records, tail) = TestLog.records(2, of: acme)
    #expect(try test.log.append(records, expecting: [acme: 4]) == .tailMoved(acme))
    #expect(try test.log.append(records, expecting: [acme: 0]) == .committed)
    #expect(try test.log.tail(of: acme) == tail)
  }

  @Test("a record whose position is taken makes the append fail as a whole")
  func positionTaken() throws {
    let test = try TestLog()
    try test.append(2, to: acme)
    let batch = [TestLog.records(3, of: acme).records[2], TestLog.records(1, of: acme).records[0]]
    #expect(throws: EventLogError.self) { try test.log.append(batch, expecting: [acme: 2]) }
    #expect(try test.log.tail(of: acme).position == 2)
  }

  @Test("one batch carries events of many tenants, each with positions of its own")
  func manyTenants() throws {
    let test = try TestLog()
    let names = ["abc", "abcd", "abcde", "abd", "b00", "abc0", "abcz"]
    let tenants = names.map { TenantID(valid: $0) }
    var batch: [LogRecord] = []
    for (index, tenant) in tenants.enumerated() { batch += TestLog.records(index + 1, of: tenant).records }
    #expect(
      try test.log.append(batch, expecting: Dictionary(uniqueKeysWithValues: tenants.map { ($0, 0) })) == .committed)
    #expect(try test.log.tenants() == tenants.sorted())
    for (index, tenant) in tenants.enumerated() {
      #expect(try test.log.tail(of: tenant).position == UInt64(index + 1))
      #expect(try test.carts(tenant) == (0...index).map { "cart-\($0)" })
      #expect(problem(in: test.log, tenant) == nil)
    }
  }

  @Test("tenants whose names begin alike don't see each other's records, wherever they stand")
  func prefixes() throws {
    let test = try TestLog()
    let (short, long) = (TenantID(valid: "abc"), TenantID(valid: "abcd"))
    try test.append(3, to: long)
    #expect(try test.log.tail(of: short) == .empty)
    #expect(try test.carts(short) == [])
    #expect(try test.log.event(short, 1) == nil)
    try test.append(1, to: short)
    try test.append(2, to: long)
    #expect(try test.log.tail(of: short).position == 1)
    #expect(try test.log.tail(of: long).position == 5)
    #expect(try test.carts(short) == ["cart-0"])
    #expect(try test.carts(long, after: 3) == ["cart-0", "cart-1"])
  }

  @Test("positions beyond a byte sort as numbers")
  func manyRecords() throws {
    let test = try TestLog()
    try test.append(600, to: acme)
    #expect(try test.log.tail(of: acme).position == 600)
    #expect(try test.carts(acme, after: 254, page: 1).prefix(3) == ["cart-254", "cart-255", "cart-256"])
    #expect(problem(in: test.log, acme) == nil)
  }

  @Test("a replay goes in pages of the size asked for, from any place", arguments: [1, 2, 3, 7, 100])
  func pages(_ page: Int) throws {
    let test = try TestLog()
    try test.append(7, to: acme)
    let last = try test.log.replay(acme, after: 0, limit: page) { _ in true }
    #expect(last == UInt64(min(page, 7)))
    for start in 0...7 {
      #expect(try test.carts(acme, after: UInt64(start), page: page) == (start..<7).map { "cart-\($0)" })
    }
    #expect(try test.log.replay(acme, after: 7, limit: page) { _ in true } == 7)
    #expect(try test.log.replay(acme, after: 0, limit: 0) { _ in true } == 0)
  }

  @Test("a replay ends with the record that its reader stops at", arguments: [1, 2, 3])
  func stops(_ stop: UInt64) throws {
    let test = try TestLog()
    try test.append(3, to: acme)
    // Damage behind the stop isn't met.
    if stop < 3 { try test.store(test.stored(acme, 3).flipping(bit: 300), acme, 3) }
    var seen: [UInt64] = []
    let last = try test.log.replay(acme, after: 0, limit: 9) { frame in
      seen.append(frame.position)
      return frame.position < stop
    }
    #expect(last == stop)
    #expect(seen == Array(1...stop))
  }

  @Test("a replay from behind the end finds nothing, also from the last position that there can be")
  func behindTheEnd() throws {
    let test = try TestLog()
    try test.append(2, to: acme)
    #expect(try test.log.replay(acme, after: 5, limit: 9) { _ in true } == 5)
    #expect(try test.log.event(acme, .max) == nil)
    #expect(try test.log.event(acme, 0) == nil)
    #expect(try test.log.replay(acme, after: .max, limit: 1) { _ in true } == .max)
  }

  @Test("a hole is reported with tenant and position, and nothing behind it is handed out")
  func hole() throws {
    let test = try TestLog()
    try test.append(5, to: acme)
    try test.store(nil, acme, 3)
    var seen: [UInt64] = []
    let error = #expect(throws: EventLogError.self) {
      try test.log.replay(acme, after: 0, limit: 9) { frame in
        seen.append(frame.position)
        return true
      }
    }
    #expect(error == .damaged(tenant: acme, position: 3, reason: "the record is missing"))
    #expect(seen == [1, 2])
    #expect(throws: EventLogError.self) { try test.log.event(acme, 3) }
    #expect(try test.log.event(acme, 4) != nil)
  }

  @Test("a damaged record is reported with tenant and position wherever it is met")
  func damaged() throws {
    let test = try TestLog()
    try test.append(3, to: acme)
    try test.store(test.stored(acme, 3).flipping(bit: 300), acme, 3)
    let damage = EventLogError.damaged(tenant: acme, position: 3, reason: "the checksum doesn't fit the bytes")
    #expect(throws: damage) { try test.log.tail(of: acme) }
    #expect(throws: damage) { try test.log.event(acme, 3) }
    #expect(throws: damage) { try test.log.replay(acme, after: 0, limit: 9) { _ in true } }
    #expect(damage.description.contains("tenant acme is damaged at position 3"))
    #expect(try test.log.event(acme, 2) != nil)
    #expect(try test.log.replay(acme, after: 0, limit: 2) { _ in true } == 2)
  }

  @Test("what the reader of a replay can't make sense of is reported at its position")
  func bodyThrows() throws {
    let test = try TestLog()
    try test.append(3, to: acme)
    let error = #expect(throws: EventLogError.self) {
      try test.log.replay(acme, after: 0, limit: 9) { frame throws(DamagedRecord) in
        if frame.position == 2 { throw DamagedRecord("of no use") }
        return true
      }
    }
    #expect(error == .damaged(tenant: acme, position: 2, reason: "of no use"))
  }

  @Test("the last record of a time is found, whichever single record can't be read", arguments: UInt64(0)...9)
  func timeSearch(_ damaged: UInt64) throws {
    let test = try TestLog()
    try test.append(9, to: acme)
    let times = try (1...9).map { try #require(try test.log.event(acme, $0)).recordedAt }
    if damaged > 0 { try test.store(test.stored(acme, damaged).flipping(bit: 300), acme, damaged) }
    for (position, time) in zip(UInt64(1)..., times) {
      #expect(try test.log.lastPosition(of: acme, at: time) == (position == damaged ? position - 1 : position))
    }
    #expect(try test.log.lastPosition(of: acme, at: Instant(microseconds: .min)) == 0)
  }

  @Test("the search for a time goes around many records that can't be read, but not around any number")
  func timeSearchAroundDamage() throws {
    let test = try TestLog()
    let tail = try test.append(1600, to: acme)
    func remove(_ positions: ClosedRange<UInt64>) throws {
      var transaction = try test.log.environment.write()
      for position in positions { try transaction.remove(test.log.events, LogSchema.key(acme, position).span) }
      try transaction.commit()
    }
    let times = try [300, 1301].map { try #require(try test.log.event(acme, $0)).recordedAt }
    try remove(301...1300)
    #expect(try test.log.lastPosition(of: acme, at: times[0]) == 300)
    #expect(try test.log.lastPosition(of: acme, at: times[1]) == 1301)
    #expect(try test.log.lastPosition(of: acme, at: tail.recordedAt) == 1600)
    try remove(1301...1500)
    #expect(throws: EventLogError.self) { try test.log.lastPosition(of: acme, at: times[0]) }
  }

  @Test("what names another session's record as the one before it is damage, and nothing of that session is erased")
  func foreignPredecessor() throws {
    let test = try TestLog()
    let first = TestLog.event("s1", position: 1)
    let (frame, chain) = TestLog.frame(first, of: acme, after: .zero)
    let second = TestLog.event("s2", position: 2, previous: 1)
    let batch = [
      LogRecord(tenant: acme, position: 1, frame: frame),
      LogRecord(tenant: acme, position: 2, frame: TestLog.frame(second, of: acme, after: chain).bytes),
    ]
    #expect(try test.log.append(batch, expecting: [acme: 0]) == .committed)
    #expect(throws: EventLogError.damaged(tenant: acme, position: 1, reason: "the record is another session's")) {
      try test.log.erasablePositions(second.sessionID, of: acme, from: 2)
    }
    #expect(try test.log.erasablePositions(first.sessionID, of: acme, from: 1) == [1])
  }

  @Test(
    "a record that names itself or a later one as the one before it is damage, and no endless walk", arguments: [2, 3])
  func predecessorBehind(_ previous: UInt64) throws {
    let test = try TestLog()
    let tail = try test.append(1, to: acme)
    let second = TestLog.event(position: 2, previous: previous)
    let (frame, chain) = TestLog.frame(second, of: acme, after: tail.chain)
    let third = TestLog.event(position: 3, previous: 2)
    let batch = [
      LogRecord(tenant: acme, position: 2, frame: frame),
      LogRecord(tenant: acme, position: 3, frame: TestLog.frame(third, of: acme, after: chain).bytes),
    ]
    #expect(try test.log.append(batch, expecting: [acme: 1]) == .committed)
    var walked: [UInt64] = []
    #expect(throws: EventLogError.damaged(tenant: acme, position: 2, reason: "its predecessor comes after it")) {
      // With a limit, so that the test ends even where the walk would not.
      try test.log.walk(acme, from: 3, limit: 9) { frame in
        walked.append(frame.position)
        return true
      }
    }
    #expect(walked == [3, 2])
  }

  @Test("a key that can't be one is reported")
  func damagedKey() throws {
    let test = try TestLog()
    var transaction = try test.log.environment.write()
    try transaction.put(test.log.events, Array("UPPER\0 1".utf8).span, [1].span)
    try transaction.commit()
    let error = #expect(throws: EventLogError.self) { try test.log.tenants() }
    #expect(error?.description.contains("names no tenant and position") == true)
  }

  @Test("a log holds a tail when it has that very record there")
  func holds() throws {
    let test = try TestLog()
    let two = try test.append(2, to: acme)
    let three = try test.append(1, to: acme)
    #expect(try test.log.holds(two, of: acme))
    #expect(try test.log.holds(three, of: acme))
    #expect(try !test.log.holds(LogTail(position: 2, chain: three.chain, recordedAt: two.recordedAt), of: acme))
    #expect(try !test.log.holds(LogTail(position: 4, chain: three.chain, recordedAt: two.recordedAt), of: acme))
    #expect(try !test.log.holds(two, of: TenantID(valid: "acmf")))
  }

  @Test("a log one of whose tables has a damaged name is refused, and isn't begun anew", arguments: [true, false])
  func damagedTableName(_ isOfEvents: Bool) throws {
    let folder = try TemporaryFolder()
    let (records, tail) = TestLog.records(2, of: acme)
    _ = try TestLog(folder).log.append(records, expecting: [acme: 0])
    let intact = try Files.read(folder("log/data.mdb"))
    try folder.damageName(ofTable: isOfEvents ? LogSchema.events : LogSchema.meta, in: "log/data.mdb")
    let error = #expect(throws: EventLogError.self) { try TestLog(folder) }
    #expect(error?.description.contains("the database is damaged") == true)
    folder.write(intact, to: "log/data.mdb")
    #expect(try TestLog(folder).log.tail(of: acme) == tail)
  }

  @Test("a log that doesn't say its format any more is refused, and keeps its name")
  func formatIsGone() throws {
    let folder = try TemporaryFolder()
    let name: String
    do {
      let test = try TestLog(folder)
      name = test.log.storeID
      var transaction = try test.log.environment.write()
      try transaction.remove(test.log.meta, LogSchema.formatKey.span)
      try transaction.commit()
    }
    for _ in 1...2 {
      #expect(throws: EventLogError.damagedKey(reason: "it doesn't say what format it has")) { try TestLog(folder) }
    }
    do {
      let environment = try Environment(path: folder("log"), options: TestLog.options)
      let meta = try environment.openTables([LogSchema.meta])[0]
      var transaction = try environment.write()
      try transaction.put(meta, LogSchema.formatKey.span, Array(LogSchema.format.utf8).span)
      try transaction.commit()
    }
    #expect(try TestLog(folder).log.storeID == name)
  }

  @Test("a log of another format is refused, and its version is asked for")
  func unknownFormat() throws {
    let folder = try TemporaryFolder()
    do {
      let test = try TestLog(folder)
      let meta = try test.log.environment.openTables(["meta"])[0]
      var transaction = try test.log.environment.write()
      try transaction.put(meta, LogSchema.formatKey.span, Array("2".utf8).span)
      try transaction.commit()
    }
    let error = #expect(throws: EventLogError.self) { try TestLog(folder) }
    guard case .unknownFormat? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.description.contains("run the version that wrote it") == true)
  }

  @Test("opened for reading alone a log shows its events and takes none; a missing one isn't created")
  func readOnly() throws {
    let folder = try TemporaryFolder()
    let (records, tail) = TestLog.records(2, of: acme)
    _ = try TestLog(folder).log.append(records, expecting: [acme: 0])
    var options = TestLog.options
    options.isReadOnly = true
    do {
      let log = try EventLog(path: folder("log"), options: options)
      #expect(try log.tail(of: acme) == tail)
      #expect(throws: EventLogError.self) { try log.append(records, expecting: [:]) }
    }
    #expect(throws: EventLogError.self) { try EventLog(path: folder("none"), options: options) }
    #expect(try !Files.exists(folder("none")))
  }

  @Test("the map's end is told as a full disk, and what was committed stays")
  func full() throws {
    let folder = try TemporaryFolder()
    let log = try EventLog(path: folder("log"), options: Environment.Options(mapSizeBytes: 1 << 18))
    let (records, tail) = TestLog.records(10, of: acme)
    #expect(try log.append(records, expecting: [acme: 0]) == .committed)
    let more = TestLog.records(2000, of: acme, after: tail).records
    let error = #expect(throws: EventLogError.self) { try log.append(more, expecting: [acme: 10]) }
    guard case .storage(let reason)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.isDiskFull)
    #expect(try log.tail(of: acme) == tail)
  }
}
