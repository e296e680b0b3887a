import EventLog
import Platform
import SessionCodec
import SessionModel
import Testing
import TestSupport

@testable import Projections
@testable import SessionStore

@Suite("a flush that was stopped between its slices") struct InterruptedFlushTests {
  private let tenants = [TenantID(valid: "acme"), TenantID(valid: "acme2")]
  private let sessions = (0..<8).map { "s\($0)" }

  /// A stopped store without projections, with a history that the seed decides on; and its documents.
  private func history(_ seed: UInt64) throws -> (folder: TemporaryFolder, documents: [String?]) {
    var random = SeededRandomness(seed: seed)
    let folder = try TemporaryFolder()
    let test = try TestStore(folder) { $0.flushIntervalMilliseconds = 60_000 }
    for number in 0..<80 {
      test.clock.advance(microseconds: 1_000_000)
      let session = random.pick(sessions)
      let tenant = random.pick(tenants)
      var context = SessionContext()
      context.cartID = "cart-\(number)"
      if random.chance(2) { context.customerID = random.pick(["c1", "c2"]) }
      switch random.number(0...9) {
      case 0...3: test.send(Command(session, .replace(context, upsert: true)), of: tenant)
      case 4...6: test.send(.set(session, "a", "\(number)"), of: tenant)
      case 7...8: test.send(Command(session, .end), of: tenant)
      default: _ = test.erase(.session(SessionID(valid: session)), of: tenant)
      }
    }
    let documents = try documents(test)
    test.close()
    try Files.removeDirectory(folder("projections"))
    return (folder, documents)
  }

  private func documents(_ test: TestStore) throws -> [String?] {
    try tenants.flatMap { tenant in try sessions.map { try test.document($0, of: tenant) } }
  }

  private func problems(_ folder: TemporaryFolder) throws -> [String] {
    try Verification(directory: DataDirectory(folder.path), options: TestStore.environment).run()
      .findings.map(\.description)
  }

  /// Folds up to `events` of each tenant's log behind the checkpoints, and flushes `slices` of that; returns whether
  /// that was all.
  @discardableResult
  private func flush(
    _ folder: TemporaryFolder, events: Int, slices: Int, sessions: Int = 1, of tenants: [TenantID]? = nil
  ) throws -> Bool {
    let log = try EventLog(path: folder("log"), options: TestStore.environment)
    let projections = try Projections(
      path: folder("projections"), storeID: log.storeID, options: TestStore.environment, notice: { _ in })
    var fold = Fold(over: SnapshotReader(overlay: Overlay(maximumBytes: 0), projections: projections).session)
    for tenant in tenants ?? self.tenants {
      var checkpoint = try projections.view().checkpoint(of: tenant)
      _ = try fold.replay(log, of: tenant, after: &checkpoint, limit: events)
    }
    var flush = Flush(fold.finish(), sessionsPerTransaction: sessions)
    for _ in 0..<slices {
      if try flush.advance(in: projections) { return true }
    }
    return false
  }

  @Test(
    "after any number of them the projections verify, and a start comes to the same documents",
    arguments: propertySeeds())
  func property(_ seed: UInt64) throws {
    let (folder, before) = try history(seed)
    var random = SeededRandomness(seed: seed &+ 1)
    for round in 0..<6 {
      try flush(
        folder, events: random.number(0...30), slices: random.number(0...6), sessions: random.number(1...3))
      #expect(try problems(folder) == [], "seed \(seed), round \(round)")
    }
    do { #expect(try documents(TestStore(folder)) == before, "seed \(seed)") }
    #expect(try problems(folder) == [], "seed \(seed)")
  }

  @Test("the checkpoint stays until the last slice, and tells how far the snapshots may be ahead")
  func reach() throws {
    let (folder, _) = try history(1)
    func positions() throws -> (checkpoint: UInt64, reach: UInt64) {
      let projections = try Projections(readOnly: folder("projections"), options: TestStore.environment)
      let view = try projections.view()
      return (try view.checkpoint(of: tenants[0]).tail.position, try view.reach(of: tenants[0]).position)
    }
    #expect(try !flush(folder, events: 10, slices: 2))
    #expect(try positions() == (0, 10))
    // What goes less far leaves what is ahead.
    #expect(try flush(folder, events: 3, slices: .max))
    #expect(try positions() == (3, 10))
    #expect(try flush(folder, events: 100, slices: .max))
    let end = try positions()
    #expect(end.checkpoint == end.reach && end.checkpoint > 10)
  }

  @Test("a log that ends before a snapshot that is ahead keeps the store from starting, and is found")
  func lostEnd() throws {
    let (folder, _) = try history(2)
    #expect(try !flush(folder, events: .max, slices: 1))
    var last: UInt64 = 0
    try StoredLog(folder) {
      last = try $0.log.lastPosition(of: tenants[0])
      try $0.store(nil, tenants[0], last)
    }
    let report = try problems(folder)
    #expect(report.contains("tenant acme: the projections are ahead of the log: \(last) to \(last - 1)"), "\(report)")
    let error = #expect(throws: StoreError.self) { try TestStore(folder) }
    #expect(error?.description.contains("were folded from it up to position \(last)") == true)
  }

  @Test("what alone tells that a log has lost its end isn't rebuilt, and the rest of the log can be read")
  func lostEndBehindCheckpoint() throws {
    let (folder, _) = try history(2)
    #expect(try flush(folder, events: 3, slices: .max))
    #expect(try !flush(folder, events: .max, slices: 8))
    var last: UInt64 = 0
    try StoredLog(folder) {
      last = try $0.log.lastPosition(of: tenants[0])
      try $0.store(nil, tenants[0], last)
    }
    for _ in 0..<2 {
      let error = #expect(throws: StoreError.self) { _ = try Rebuild(DataDirectory(folder.path)) }
      #expect(error?.description.contains("were folded from it up to position \(last)") == true)
    }
    let reader = try StoreReader(directory: DataDirectory(folder.path), options: TestStore.environment)
    var positions: [UInt64] = []
    for session in sessions {
      let history = try reader.history(SessionID(valid: session), of: tenants[0], limit: 100)
      #expect(history.events.allSatisfy { $0.event.sessionID.description == session })
      positions += history.events.map(\.event.position)
    }
    #expect(positions.sorted() == Array(1..<last))
  }

  @Test("projections whose snapshots are ahead in a log that went on otherwise are built anew")
  func forkedBehindCheckpoint() throws {
    let folder = try TemporaryFolder()
    let acme = tenants[0]
    func goOn(_ branch: String) throws {
      let test = try TestStore(folder) { $0.flushIntervalMilliseconds = 60_000 }
      for session in sessions { test.send(.set(session, "branch", branch), of: acme) }
    }
    do {
      let test = try TestStore(folder)
      for session in sessions { test.send(.begin(session), of: acme) }
    }
    try TemporaryFolder.copy(folder("log"), to: folder("backup"))
    try goOn("1")
    try Files.removeDirectory(folder("projections"))
    // The checkpoint stands where both branches begin; one snapshot is ahead, at the end of the first.
    #expect(try flush(folder, events: sessions.count, slices: .max, of: [acme]))
    #expect(try !flush(folder, events: .max, slices: 1, of: [acme]))
    try TemporaryFolder.copy(folder("projections"), to: folder("ahead"))
    try TemporaryFolder.copy(folder("backup"), to: folder("log"))
    try Files.removeDirectory(folder("projections"))
    try goOn("2")
    try TemporaryFolder.copy(folder("ahead"), to: folder("projections"))
    let test = try TestStore(folder)
    #expect(test.notices.first == "the projections don't fit the log and are built anew from it")
    for session in sessions {
      #expect(try test.document(session, of: acme)?.contains(#""branch":2"#) == true, "\(session)")
    }
  }

  @Test("a snapshot that is ahead and isn't the fold of its events is found")
  func wrongSnapshot() throws {
    let (folder, _) = try history(3)
    #expect(try !flush(folder, events: 20, slices: 1, of: [tenants[0]]))
    var found: [(key: SessionKey, snapshot: [UInt8])] = []
    do {
      let projections = try Projections(readOnly: folder("projections"), options: TestStore.environment)
      try projections.view().forEachSnapshot(of: tenants[0]) { id, snapshot in
        found.append((SessionKey(tenants[0], id), [UInt8](copying: snapshot)))
      }
    }
    try #require(found.count == 1)
    let (key, snapshot) = found[0]
    var session = try SnapshotView(snapshot.span, key: key.bytes.span).session()
    session.version += 1
    let wrong = SnapshotRecord.encode(session, key: key.bytes.span)
    let place = ActivityPlace(snapshot: wrong.span, of: key)
    try changeProjections(folder, "snapshots", key.bytes, SnapshotEntry.encode(wrong.span, of: key, at: place))
    #expect(try problems(folder).contains { $0.contains("is not the fold of its events") })
  }
}
