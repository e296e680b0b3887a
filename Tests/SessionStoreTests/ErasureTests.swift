import LMDB
import Platform
import Projections
import SessionCodec
import SessionModel
import Testing
import TestSupport

@testable import EventLog
@testable import SessionStore

@Suite("erasure in the store") struct ErasureTests {
  private let tenant = TestStore.tenant

  private func store(
    _ folder: TemporaryFolder? = nil, clock: TestClock = TestClock(),
    configure: (inout SessionStore.Configuration) -> Void = { _ in }
  ) throws -> TestStore {
    try TestStore(folder, clock: clock) {
      $0.flushIntervalMilliseconds = 1
      configure(&$0)
    }
  }

  private func login(_ session: String, _ customer: String, attribute: String = "1") -> Command {
    var context = SessionContext()
    context.customerID = customer
    context.attributes = [Attribute(name: "a", value: Array(attribute.utf8))]
    return Command(session, .replace(context, upsert: true), naming: 1)
  }

  private func problems(_ folder: TemporaryFolder) throws -> [String] {
    try Verification(directory: DataDirectory(folder.path), options: TestStore.environment).run().findings
      .map(\.description)
  }

  @Test("an erased session is gone from all that can be read, and its events are there without what they said")
  func session() throws {
    let folder = try TemporaryFolder()
    do {
      let test = try store(folder)
      test.send(login("s1", "c1"))
      test.send(.set("s1", "a", "2"))
      test.send(login("s2", "c2"))
      test.flushed()
      let receipt = try #require(test.erase(.session(SessionID(valid: "s1"))))
      #expect(receipt.sessions.map(\.erasedPositions) == [[1, 2]])
      #expect(receipt.sessions.map(\.position) == [4])
      #expect(try test.document("s1") == nil)
      #expect(try test.document("s2") != nil)
      #expect(try test.store.sessionIDs(of: "c1", in: tenant.authorized) == [])
      #expect(try test.store.sessionIDs(of: "c2", in: tenant.authorized).count == 1)
      let events = try test.history("s1")
      #expect(events.map(\.isErased) == [false, true, true])
      #expect(events.map(\.event.kind) == [.erased, .attributeSet, .started])
      let past = try test.store.session(SessionID(valid: "s1"), of: tenant.authorized, at: .version(2))
      #expect(past?.isErased == true)
      #expect(past?.session.context == SessionContext())
      #expect(
        test.notices == ["tenant acme: 1 sessions with 2 events were erased, recorded at position 4"])
      #expect(test.store.statistics.current.erasedCount == 1)
      #expect(test.store.statistics.current.erasedEventCount == 2)
      // A new life is new data.
      #expect(test.send(login("s1", "c1")) == .accepted(version: 1, position: 5))
      #expect(try test.store.sessionIDs(of: "c1", in: tenant.authorized).count == 1)
    }
    #expect(try problems(folder) == [])
    #expect(try differencesFromRebuilt(folder) == [])
  }

  @Test("when a crash comes between commit and flush, the replay takes away what the flush would have")
  func crash() throws {
    let folder = try TemporaryFolder()
    do {
      let test = try store(folder)
      test.send(login("s1", "secret-customer"))
      test.send(login("s2", "other"))
    }
    try TemporaryFolder.copy(folder("projections"), to: folder("before"))
    do {
      let test = try store(folder)
      // Carried after the flush: the replay sees nothing of this event but its header.
      test.send(
        Command(
          "s2", .patch(ContextChanges(fields: [.init(field: .customerID, value: "secret-customer")])), naming: 1))
      #expect(try #require(test.erase(.customer("secret-customer"))).sessions.count == 2)
    }
    // As if the last flush had never been.
    try TemporaryFolder.copy(folder("before"), to: folder("projections"))
    #expect(try problems(folder) == [])
    do {
      let test = try store(folder)
      for customer in ["secret-customer", "other"] {
        #expect(try test.store.sessionIDs(of: customer, in: tenant.authorized) == [])
      }
      #expect(try test.document("s1") == nil)
      #expect(try test.document("s2") == nil)
      test.flushed()
      for customer in ["secret-customer", "other"] {
        #expect(try test.store.sessionIDs(of: customer, in: tenant.authorized) == [])
      }
    }
    #expect(try problems(folder) == [])
    #expect(try differencesFromRebuilt(folder) == [])
  }

  @Test("an erasure that isn't flushed yet counts in every look at the index, page by page")
  func unflushed() throws {
    let folder = try TemporaryFolder()
    do {
      let test = try store(folder)
      for number in 0..<9 { test.send(login("s\(number)", "c1")) }
    }
    let test = try store(folder) { $0.flushIntervalMilliseconds = 60_000 }
    for number in [0, 1, 2, 5] { _ = test.erase(.session(SessionID(valid: "s\(number)"))) }
    test.send(login("s5", "c1"))
    var found: [String] = []
    var after: SessionID?
    repeat {
      after = try test.store.readSessions(of: "c1", in: tenant.authorized, after: after, limit: 2) {
        found.append($0.id.description)
        return true
      }
    } while after != nil
    #expect(found == ["s3", "s4", "s5", "s6", "s7", "s8"])
  }

  @Test("records of erasures that lost the payloads they should have taken are found")
  func leftBehind() throws {
    let folder = try TemporaryFolder()
    var good: [UInt8] = []
    do { try store(folder).send(login("s1", "c1")) }
    try StoredLog(folder) { good = try $0.stored(tenant, 1) }
    do { _ = try store(folder).erase(.session(SessionID(valid: "s1"))) }
    #expect(try problems(folder) == [])
    try StoredLog(folder) { try $0.store(good, tenant, 1) }
    #expect(
      try problems(folder) == [
        "tenant acme, position 2: erases the session, whose record at 1 still has its payload"
      ])
  }

  @Test("retention erases what was closed long enough ago, once its tombstone has fallen, and nothing else")
  func retention() throws {
    let folder = try TemporaryFolder()
    let clock = TestClock()
    let day: Int64 = 86_400_000_000
    func open() throws -> TestStore {
      try store(folder, clock: clock) {
        $0.rules.timeToLive = TimeToLive(anonymousSeconds: 0)
        $0.rules.tombstoneSeconds = 3 * 86400
        $0.retentionSeconds = 2 * 86400
      }
    }
    do {
      let test = try open()
      for session in ["ended", "reborn", "living"] { test.send(login(session, "c-\(session)")) }
      for session in ["ended", "reborn"] { test.send(Command(session, .end)) }
      clock.advance(microseconds: 3 * day - 1)
      test.flushed()
      test.sweep()
      #expect(test.store.statistics.current.retentionCount == 0)
      clock.advance(microseconds: 1)
      test.send(login("reborn", "c-reborn"))
      test.sweep()
      test.flushed()
      test.sweep()
      #expect(test.store.statistics.current.retentionCount == 1)
      #expect(test.store.statistics.current.erasedEventCount == 2)
      // The watch over the clock may have seen it go forward, too.
      #expect(
        test.notices.filter { $0.hasPrefix("retention:") } == [
          "retention: 1 sessions were erased that had been closed for long enough"
        ])
      let events = try test.history("ended")
      #expect(events.map(\.event.kind) == [.erased, .ended, .started])
      #expect(events.first?.event.origin.actor == "retention")
      #expect(events.map(\.isErased) == [false, true, true])
      #expect(try test.store.sessionIDs(of: "c-ended", in: tenant.authorized) == [])
      #expect(try test.store.sessionIDs(of: "c-reborn", in: tenant.authorized).count == 1)
      #expect(try test.document("living") != nil)
    }
    #expect(try problems(folder) == [])
    #expect(try differencesFromRebuilt(folder) == [])
  }

  @Test(
    "after random lives, expiries, erasures and restarts all is the fold of the log, and no byte of what was erased is left",
    arguments: propertySeeds())
  func lives(_ seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    let folder = try TemporaryFolder()
    let clock = TestClock()
    // What each session may hold now, as texts that occur nowhere else, by session; and what was erased.
    var held: [String: Set<String>] = [:]
    var carried: [String: Set<String>] = [:]
    var gone: Set<String> = []
    var serial = 0
    for round in 0..<5 {
      do {
        let test = try store(folder, clock: clock) {
          $0.rules.timeToLive = TimeToLive(anonymousSeconds: 30, customerSeconds: 40)
          $0.rules.tombstoneSeconds = 5
          $0.flushIntervalMilliseconds = round.isMultiple(of: 2) ? 1 : 60_000
        }
        for _ in 0..<70 {
          clock.advance(microseconds: randomness.number(-200_000...2_000_000))
          let session = "s\(randomness.number(1...6))"
          let customer = "customer<\(randomness.number(1...4))>"
          serial += 1
          let value = "value<\(serial)>"
          switch randomness.number(0...9) {
          case 0...2:
            let outcome = test.send(login(session, customer, attribute: "\"\(value)\""))
            guard case .accepted = outcome else { continue }
            held[session, default: []].insert(value)
            carried[session, default: []].insert(customer)
          case 3...5:
            let key = randomness.chance(2) ? UInt64(serial) : nil
            let action = Command.Action.setAttribute(Attribute(name: "b", value: Array("\"\(value)\"".utf8)))
            guard case .accepted = test.send(Command(session, action, key: key)) else { continue }
            held[session, default: []].insert(value)
          case 6: test.send(Command(session, .end))
          case 7: test.sweep()
          case 8:
            _ = test.erase(.session(SessionID(valid: session)))
            gone.formUnion(held.removeValue(forKey: session) ?? [])
            carried[session] = nil
          default:
            let carriers = carried.filter { $0.value.contains(customer) }.keys
            let receipt = test.erase(.customer(customer))
            #expect(
              receipt?.sessions.map(\.id.description) == carriers.sorted(), "seed \(seed), round \(round)")
            for session in carriers {
              gone.formUnion(held.removeValue(forKey: session) ?? [])
              carried[session] = nil
            }
            #expect(try test.store.sessionIDs(of: customer, in: tenant.authorized) == [], "seed \(seed)")
          }
        }
        if round.isMultiple(of: 2) && randomness.chance(2) { test.flushed() }
      }
      #expect(try problems(folder) == [], "seed \(seed), round \(round)")
      let texts = try storedTexts(folder)
      for text in gone { #expect(!texts.contains(text), "seed \(seed), round \(round): \(text)") }
      let living = carried.values.reduce(into: Set<String>()) { $0.formUnion($1) }
      for number in 1...4 where !living.contains("customer<\(number)>") {
        #expect(!texts.contains("customer<\(number)>"), "seed \(seed), round \(round): customer \(number)")
      }
    }
    #expect(try differencesFromRebuilt(folder) == [], "seed \(seed)")
  }

  /// The texts of the form `name<number>` in all keys and values that log and projections hold.
  private func storedTexts(_ folder: TemporaryFolder) throws -> Set<String> {
    var texts: Set<String> = []
    let tables: [String: [StaticString]] = [
      "log": ["events", "meta"],
      "projections": ["snapshots", "customers", "carriers", "activity", "checkpoints", "meta"],
    ]
    for (name, tables) in tables {
      let environment = try Environment(path: folder(name), options: TestStore.environment)
      for table in try environment.openTables(tables) {
        let reader = try environment.read()
        var cursor = try reader.cursor(table)
        while let entry = try cursor.next() {
          for bytes in [[UInt8](copying: entry.key), [UInt8](copying: entry.value)] {
            let text = String(decoding: bytes, as: UTF8.self)
            for match in text.matches(of: /(value|customer)<[0-9]+>/) { texts.insert(String(match.0)) }
          }
        }
      }
    }
    return texts
  }
}
