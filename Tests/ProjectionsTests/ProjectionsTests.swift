import EventLog
import LMDB
import Platform
import SessionCodec
import SessionModel
import Testing
import TestSupport

@testable import Projections

@Suite("projections on disk") struct ProjectionsTests {
  let rival = TenantID(valid: "acmea")

  @Test("a flush makes snapshots, customers and checkpoints durable together")
  func flush() throws {
    let folder = try TemporaryFolder()
    var flushed = publication("s1", position: 1, customer: "c1")
    flushed.merge(publication("s1", position: 2, of: rival))
    flushed.merge(publication("s2", position: 3))
    do {
      let test = try TestProjections(folder)
      #expect(test.notices.isEmpty)
      #expect(try test.checkpoint() == .start)
      try test.projections.flush(flushed)
    }
    let test = try TestProjections(folder)
    #expect(test.notices.isEmpty)
    #expect(try test.snapshot("s1") == snapshot("s1", position: 1))
    #expect(try test.snapshot("s1", of: rival) == snapshot("s1", position: 2, of: rival))
    #expect(try test.snapshot("s2") == snapshot("s2", position: 3))
    #expect(try test.snapshot("s3") == nil)
    #expect(try test.checkpoint() == checkpoint(3))
    #expect(try test.checkpoint(rival) == checkpoint(2))
    #expect(try test.projections.view().tenants() == [TestProjections.tenant, rival])
    #expect(try test.sessionCount() == 3)
    #expect(try test.customerSessions("c1") == ["s1"])
  }

  @Test("a later flush replaces snapshots and checkpoints, and keeps the index")
  func laterFlush() throws {
    let test = try TestProjections()
    try test.projections.flush(publication("s1", position: 1, customer: "c1"))
    try test.projections.flush(publication("s1", position: 2, customer: "c2"))
    #expect(try test.snapshot("s1") == snapshot("s1", position: 2))
    #expect(try test.checkpoint() == checkpoint(2))
    #expect(try test.customerSessions("c1") == ["s1"])
    #expect(try test.customerSessions("c2") == ["s1"])
  }

  /// What the index by session and the one by customer disagree in.
  private func disagreements(_ test: TestProjections, _ tenant: TenantID = TestProjections.tenant) throws -> Int {
    let view = try test.projections.view()
    var lacking = 0
    var count = 0
    try view.forEachCustomer(of: tenant) { entry in
      count += 1
      if (try? view.hasCarrier(of: entry)) != true { lacking += 1 }
    }
    return try lacking + abs(view.carrierCount(of: tenant) - count)
  }

  @Test("an erased session leaves the index of customers, with all that it ever carried, and no other one does")
  func erasedCustomers() throws {
    let test = try TestProjections()
    for (position, customer) in ["c1", "c2", "c1"].enumerated() {
      try test.projections.flush(publication("s1", position: UInt64(position + 1), customer: customer))
    }
    var others = publication("s10", position: 4, customer: "c1")
    others.merge(publication("s1", position: 1, of: rival, customer: "c1"))
    try test.projections.flush(others)
    #expect(try disagreements(test) == 0)
    try test.projections.flush(publication("s1", position: 5, kind: .erased))
    #expect(try test.customerSessions("c1") == ["s10"])
    #expect(try test.customerSessions("c2") == [])
    #expect(try test.customerSessions("c1", of: rival) == ["s1"])
    #expect(try disagreements(test) == 0)
    #expect(try disagreements(test, rival) == 0)
  }

  @Test("what a session came to carry before its erasure goes, and what it came to carry afterwards stays")
  func erasedWithinFlush() throws {
    let test = try TestProjections()
    try test.projections.flush(publication("s1", position: 1, customer: "old"))
    var flushed = publication("s1", position: 2, customer: "before")
    flushed.merge(publication("s1", position: 3, kind: .erased))
    flushed.merge(publication("s1", position: 4, customer: "after"))
    flushed.merge(publication("s2", position: 5, customer: "before"))
    try test.projections.flush(flushed)
    #expect(try test.customerSessions("old") == [])
    #expect(try test.customerSessions("before") == ["s2"])
    #expect(try test.customerSessions("after") == ["s1"])
    #expect(try disagreements(test) == 0)
  }

  @Test("an entry of the index of customers leads to its counterpart and back, whatever the names hold")
  func carrierKeys() {
    for customer in ["c", "c 1", "ü", "a\u{0}b"] {
      for session in ["s", "s 1", "ß"] {
        let id = SessionID(valid: session)
        let entry = CustomerKey(TestProjections.tenant, customer: customer, id)
        let (key, carrier) = entry.carrier
        #expect(key == SessionKey(TestProjections.tenant, id))
        #expect(carrier == key.bytes + [0] + Array(customer.utf8))
        #expect(CustomerKey(carrier: carrier.span, of: key) == entry)
      }
    }
  }

  /// The sessions whose time is `second` or before, in order.
  private func due(
    _ test: TestProjections, _ kind: ActivityPlace.Class, _ second: Int64, limit: Int = 100
  ) throws -> [String] {
    try found(test, kind, second, limit: limit).filter { !$0.isOvertaken }.map(\.id.description)
  }

  /// The sessions that have an entry there although they have been active since.
  private func overtaken(_ test: TestProjections, _ kind: ActivityPlace.Class, _ second: Int64) throws -> [String] {
    try found(test, kind, second, limit: 100).filter(\.isOvertaken).map(\.id.description)
  }

  private func found(
    _ test: TestProjections, _ kind: ActivityPlace.Class, _ second: Int64, limit: Int
  ) throws -> [DueSession] {
    try test.projections.view()
      .due(kind, upTo: Instant(microseconds: second * 1_000_000), after: nil, limit: limit) {
        Issue.record("an entry is damaged")
      }
  }

  @Test("the index of activity has an entry for each session that waits, in the order of time, by class")
  func activity() throws {
    let test = try TestProjections()
    var all = Publication()
    all.add("late", active: 9)
    all.add("early", active: 2)
    all.add("z", active: 5)
    all.add("a", active: 5)
    all.add("ancient", active: -3)
    all.add("theirs", active: 5, of: rival)
    all.add("c", active: 4, customer: "c1")
    all.add("ended", status: .ended, active: 1)
    all.add("expired", status: .expired, active: 3)
    all.add("erased", status: .erased, active: 3)
    try test.projections.flush(all)
    #expect(try due(test, .anonymous, 9) == ["ancient", "early", "a", "z", "theirs", "late"])
    #expect(try due(test, .anonymous, 5) == ["ancient", "early", "a", "z", "theirs"])
    #expect(try due(test, .anonymous, 4) == ["ancient", "early"])
    #expect(try due(test, .customer, 9) == ["c"])
    #expect(try due(test, .closed, 9) == ["ended", "expired"])
    let view = try test.projections.view()
    #expect(try view.dueCount(.anonymous, upTo: Instant(microseconds: 5_000_000), limit: 100) == 5)
    #expect(try view.dueCount(.anonymous, upTo: Instant(microseconds: 5_000_000), limit: 3) == 3)
  }

  @Test("due sessions come in pages, each behind the entry that the last one ended with")
  func activityPages() throws {
    let test = try TestProjections()
    var all = Publication()
    for number in 0..<25 as Range<Int64> { all.add("s\(number)", active: number / 3) }
    try test.projections.flush(all)
    var found: [String] = []
    var last: ActivityKey?
    while true {
      let page = try test.projections.view()
        .due(.anonymous, upTo: Instant(microseconds: 7_000_000), after: last, limit: 4) {
          Issue.record("an entry is damaged")
        }
      found += page.map(\.id.description)
      last = page.last?.entry
      if page.count < 4 { break }
    }
    #expect(found == (try due(test, .anonymous, 7)))
    #expect(found.count == 24)
  }

  @Test("an active session's entry stays where it is until it is to be moved, which changes nothing else")
  func activityStays() throws {
    let test = try TestProjections()
    func flush(active: Int64) throws {
      var publication = Publication()
      publication.add("s1", active: active)
      try test.projections.flush(publication)
    }
    var moved = Publication()
    moved.setOvertaken(SessionKey(TestProjections.tenant, SessionID(valid: "s1")))
    moved.setOvertaken(SessionKey(TestProjections.tenant, SessionID(valid: "never seen")))
    #expect(!moved.isEmpty)
    try flush(active: 1)
    try flush(active: 5)
    #expect(try overtaken(test, .anonymous, 4) == ["s1"])
    #expect(try test.projections.view().dueCount(.anonymous, upTo: Instant(microseconds: 4_000_000), limit: 9) == 0)
    #expect(try due(test, .anonymous, 5) == ["s1"])
    let (before, checkpoint) = (try test.snapshot("s1"), try test.checkpoint())
    try test.projections.flush(moved)
    #expect(try overtaken(test, .anonymous, 4) == [])
    #expect(try due(test, .anonymous, 5) == ["s1"])
    #expect(try test.snapshot("s1") == before)
    #expect(try test.checkpoint() == checkpoint)
    #expect(try test.sessionCount() == 1)
    // Together with a change, it is moved to the time of that.
    moved.add("s1", active: 8)
    try test.projections.flush(moved)
    #expect(try overtaken(test, .anonymous, 7) == [])
    #expect(try due(test, .anonymous, 8) == ["s1"])
    // A time before the entry's would not be met there.
    try flush(active: 6)
    #expect(try due(test, .anonymous, 6) == ["s1"])
    try test.projections.forEachStrayActivity { _ in Issue.record() }
  }

  @Test("a flush moves the entry of a session that waits for something else, and erasure takes it away")
  func activityMoves() throws {
    let test = try TestProjections()
    func flush(_ status: Session.Status, active: Int64, customer: String? = nil) throws {
      var publication = Publication()
      publication.add("s1", status: status, active: active, customer: customer)
      try test.projections.flush(publication)
    }
    try flush(.active, active: 1)
    try flush(.active, active: 5, customer: "c1")
    #expect(try due(test, .anonymous, 9) == [])
    #expect(try due(test, .customer, 9) == ["s1"])
    try flush(.ended, active: 7)
    #expect(try due(test, .customer, 9) == [])
    #expect(try due(test, .closed, 9) == ["s1"])
    try flush(.active, active: 8)
    #expect(try due(test, .closed, 9) == [])
    try flush(.erased, active: 9)
    for kind in [ActivityPlace.Class.anonymous, .customer, .closed] { #expect(try due(test, kind, 99) == []) }
    try test.projections.forEachStrayActivity { _ in Issue.record() }
  }

  @Test("projections of the format before this one are built anew, and can't be read by this version's tools")
  func olderFormat() throws {
    let folder = try TemporaryFolder()
    do { _ = try TestProjections(folder) }
    try changeProjections(folder, "meta", Array("format".utf8), Array("4".utf8))
    #expect(throws: ProjectionsError.unknownFormat("4")) {
      try Projections(readOnly: folder("projections"), options: TestProjections.options)
    }
    #expect(try TestProjections(folder).notices.first?.contains("they have another format") == true)
  }

  @Test("the sessions of a customer come in order and in pages, and of no other customer or tenant")
  func customers() throws {
    let test = try TestProjections()
    var all = Publication()
    for (position, session) in ["b", "a", "c", "ab", "é"].enumerated() {
      all.merge(publication(session, position: UInt64(position + 1), customer: "c1"))
    }
    all.merge(publication("other", position: 6, customer: "c"))
    all.merge(publication("other2", position: 7, customer: "c11"))
    all.merge(publication("foreign", position: 1, of: rival, customer: "c1"))
    try test.projections.flush(all)
    #expect(try test.customerSessions("c1") == ["a", "ab", "b", "c", "é"])
    #expect(try test.customerSessions("c1", limit: 2) == ["a", "ab"])
    #expect(try test.customerSessions("c1", after: "ab", limit: 2) == ["b", "c"])
    #expect(try test.customerSessions("c1", after: "aa", limit: 2) == ["ab", "b"])
    #expect(try test.customerSessions("c1", after: "é") == [])
    #expect(try test.customerSessions("c1", limit: 0) == [])
    #expect(try test.customerSessions("c") == ["other"])
    #expect(try test.customerSessions("c1", of: rival) == ["foreign"])
    #expect(try test.customerSessions("none") == [])
  }

  @Test("the tenants' snapshots and customers are walked each apart, though their names begin alike")
  func walks() throws {
    let test = try TestProjections()
    var all = publication("s2", position: 1, customer: "c1")
    all.merge(publication("s1", position: 2, customer: "c1"))
    all.merge(publication("s1", position: 1, of: rival, customer: "c2"))
    try test.projections.flush(all)
    var sessions: [String] = []
    try test.projections.view().forEachSnapshot(of: TestProjections.tenant) { id, _ in sessions.append(id.description) }
    #expect(sessions == ["s1", "s2"])
    var entries: [CustomerKey] = []
    try test.projections.view().forEachCustomer(of: rival) { entries.append($0) }
    #expect(entries == [CustomerKey(rival, customer: "c2", SessionID(valid: "s1"))])
  }

  @Test("a checkpoint comes back as it was, and each flipped bit of it is detected")
  func checkpointForm() throws {
    let key = Array("acme".utf8)
    for value in [
      CheckpointRecord(checkpoint: checkpoint(1), reach: checkpoint(1).tail),
      CheckpointRecord(checkpoint: checkpoint(2), reach: checkpoint(.max).tail),
      CheckpointRecord(checkpoint: checkpoint(.max, open: .max), reach: checkpoint(.max).tail), .start,
    ] {
      let bytes = value.encoded(key: key.span)
      #expect(try CheckpointRecord(decoding: bytes.span, key: key.span) == value)
      for bit in 0..<bytes.count * 8 {
        let flipped = bytes.flipping(bit: bit)
        #expect(throws: DamagedRecord.self) { try CheckpointRecord(decoding: flipped.span, key: key.span) }
      }
      let other = Array("acmf".utf8)
      #expect(throws: DamagedRecord.self) { try CheckpointRecord(decoding: bytes.span, key: other.span) }
      let short = Array(bytes.dropLast())
      #expect(throws: DamagedRecord.self) { try CheckpointRecord(decoding: short.span, key: key.span) }
    }
  }

  @Test("a damaged checkpoint is told with what to do")
  func damagedCheckpoint() throws {
    let folder = try TemporaryFolder()
    try TestProjections(folder).projections.flush(publication("s1", position: 1))
    try changeProjections(folder, "checkpoints", Array("acme".utf8), [UInt8](repeating: 0, count: 112))
    let test = try TestProjections(folder)
    let error = #expect(throws: ProjectionsError.self) { try test.checkpoint() }
    #expect(error?.description.contains("remove the folder projections/") == true)
  }

  @Test("a flipped bit in a key has nobody believe that its session isn't there", arguments: propertySeeds())
  func flippedKeys(_ seed: UInt64) throws {
    var random = SeededRandomness(seed: seed)
    let folder = try TemporaryFolder()
    let customers = ["c1", "c2", "c3"]
    var sessions: [String: [String]] = [:]
    var all = Publication()
    for number in 1...40 {
      let (session, customer) = (hexadecimal(random.bytes(8).span), random.pick(customers))
      all.merge(publication(session, position: UInt64(number), customer: customer))
      sessions[customer, default: []].append(session)
    }
    try TestProjections(folder).projections.flush(all)
    let intact = try Files.read(folder("projections/data.mdb"))

    var found = 0
    /// Flips a bit of `key`, after which `ask` must throw, or have the right answer, or the projections be built anew.
    func flip(_ key: [UInt8], _ ask: (TestProjections) throws -> Bool) throws {
      // In a page the length of a key stands right before it.
      let stored = [UInt8(key.count), 0] + key
      let place = try #require(intact.indices.first { intact[$0...].starts(with: stored) }) + 2
      let bit = random.number(0...key.count * 8 - 1)
      folder.write(intact.flipping(bit: place * 8 + bit), to: "projections/data.mdb")
      let test = try TestProjections(folder)
      if let isRight = test.notices.isEmpty ? try? ask(test) : nil { #expect(isRight) } else { found += 1 }
    }
    for customer in customers {
      let sessions = sessions[customer, default: []].sorted()
      for session in sessions {
        let id = SessionID(valid: session)
        try flip(SessionKey(TestProjections.tenant, id).bytes) { try $0.snapshot(session) != nil }
        let entry = CustomerKey(TestProjections.tenant, customer: customer, id)
        try flip(entry.bytes) { try $0.customerSessions(customer) == sessions }
        try flip(entry.carrier.bytes) {
          try $0.projections.view().carrierCount(of: TestProjections.tenant) == 40
        }
      }
    }
    // All but those in a branch, where a key only leads to others.
    #expect(found > 110)
  }

  @Test(
    "a table of the projections whose name was damaged has them built anew", arguments: ProjectionSchema.tables.indices)
  func damagedTableName(_ index: Int) throws {
    let folder = try TemporaryFolder()
    try TestProjections(folder).projections.flush(publication("s1", position: 1, customer: "c1"))
    try folder.damageName(ofTable: ProjectionSchema.tables[index], in: "projections/data.mdb")
    let test = try TestProjections(folder)
    #expect(test.notices.count == 1)
    #expect(test.notices.first?.contains("open the table \(ProjectionSchema.tables[index])") == true, "\(test.notices)")
    #expect(try test.sessionCount() == 0)
  }

  @Test("a snapshot that can't be read is no reason to doubt what is beside it")
  func damagedNeighbour() throws {
    let folder = try TemporaryFolder()
    var all = publication("s1", position: 1)
    all.merge(publication("s3", position: 2))
    try TestProjections(folder).projections.flush(all)
    let key = SessionKey(TestProjections.tenant, SessionID(valid: "s1")).bytes
    let stored = SnapshotEntry.encode([1, 2, 3].span, of: SessionKey(bytes: key), at: nil)
    try changeProjections(folder, "snapshots", key, stored)
    #expect(try TestProjections(folder).snapshot("s1") == [1, 2, 3])
    #expect(try TestProjections(folder).snapshot("s2") == nil)
    try changeProjections(folder, "snapshots", key, [UInt8](repeating: 1, count: 99))
    #expect(try TestProjections(folder).snapshot("s1") == [])
    #expect(throws: ProjectionsError.self) { try TestProjections(folder).snapshot("s2") }
    #expect(try TestProjections(folder).snapshot("s4") == nil)
  }

  @Test("a flipped bit in where the index of activity has a session damages its snapshot")
  func flippedPlace() throws {
    let folder = try TemporaryFolder()
    let key = SessionKey(TestProjections.tenant, SessionID(valid: "s1"))
    let place = ActivityPlace(.closed, Instant(microseconds: 1_000_000))
    let stored = SnapshotEntry.encode([1, 2, 3].span, of: key, at: place)
    try TestProjections(folder).projections.flush(publication("s1", position: 1))
    for bit in 0..<128 {
      try changeProjections(folder, "snapshots", key.bytes, stored.flipping(bit: bit))
      #expect(try TestProjections(folder).snapshot("s1") == [])
    }
    try changeProjections(folder, "snapshots", key.bytes, stored)
    #expect(try TestProjections(folder).snapshot("s1") == [1, 2, 3])
  }

  @Test(
    "a slice leaves a checkpoint that can't be read, so that the next start sees the damage; the last one writes it")
  func damagedCheckpointInSlice() throws {
    let folder = try TemporaryFolder()
    try TestProjections(folder).projections.flush(publication("s1", position: 1))
    let name = Array(TestProjections.tenant.description.utf8)
    try changeProjections(folder, "checkpoints", name, [UInt8](repeating: 1, count: 112))
    let test = try TestProjections(folder)
    var all = publication("s2", position: 2)
    all.merge(publication("s3", position: 3))
    var flush = Flush(all, sessionsPerTransaction: 1)
    #expect(try !flush.advance(in: test.projections))
    #expect(throws: ProjectionsError.self) { try test.projections.view().checkpoint(of: TestProjections.tenant) }
    #expect(try flush.advance(in: test.projections))
    #expect(try test.projections.view().checkpoint(of: TestProjections.tenant) == checkpoint(3))
  }

  /// Each way in which projections can't be used, and what the notice says of it.
  static let unusable: [(name: String, notice: String, damage: @Sendable (TemporaryFolder) throws -> Void)] = [
    (
      "another format", "another format",
      { try changeProjections($0, "meta", Array("format".utf8), Array("0".utf8)) }
    ),
    ("no format", "no format", { try changeProjections($0, "meta", Array("format".utf8), nil) }),
    (
      "another store", "another log",
      { try changeProjections($0, "meta", Array("log".utf8), Array("store-2".utf8)) }
    ),
    (
      "garbage", "not an LMDB database",
      { $0.write([UInt8](repeating: 0x5a, count: 32768), to: "projections/data.mdb") }
    ),
    ("a cut page", "", { $0.write([1, 2, 3], to: "projections/data.mdb") }),
    ("an empty file", "the file is empty", { $0.write([], to: "projections/data.mdb") }),
  ]

  @Test("projections that can't be used are begun anew, and the notice says why", arguments: unusable.indices)
  func rebuild(_ index: Int) throws {
    let (_, notice, damage) = Self.unusable[index]
    let folder = try TemporaryFolder()
    try TestProjections(folder).projections.flush(publication("s1", position: 1, customer: "c1"))
    try damage(folder)
    let test = try TestProjections(folder)
    #expect(test.notices.count == 1)
    #expect(test.notices.first?.contains("built anew from the log") == true)
    #expect(test.notices.first?.contains(notice) == true, "\(test.notices)")
    #expect(try test.sessionCount() == 0)
    #expect(try test.checkpoint() == .start)
    #expect(try test.customerSessions("c1") == [])
    try test.projections.flush(publication("s1", position: 1))
    #expect(try test.sessionCount() == 1)
  }

  @Test("a missing folder is no reason for a notice")
  func missing() throws {
    #expect(try TestProjections().notices.isEmpty)
  }

  @Test("a projector flushes until the overlay is closed, then once more")
  func projector() throws {
    let test = try TestProjections()
    let overlay = Overlay(maximumBytes: 1 << 20)
    let projector = Projector(overlay: overlay, projections: test.projections)
    let rounds = Monitor(0)
    let failed = Monitor(false)
    let thread = Thread(name: "projector") {
      do throws(ProjectionsError) {
        try projector.run(intervalMilliseconds: 1) { rounds.signal { $0 += 1 } }
      } catch {
        failed.withLock { $0 = true }
      }
    }
    overlay.publish(publication("s1", position: 1))
    _ = rounds.wait { _ in overlay.usage.sessions == 0 ? true : nil }
    #expect(try test.snapshot("s1") == snapshot("s1", position: 1))
    overlay.publish(publication("s2", position: 2))
    overlay.close()
    thread.join()
    #expect(try test.snapshot("s2") == snapshot("s2", position: 2))
    #expect(try test.checkpoint() == checkpoint(2))
    #expect(failed.withLock { !$0 })
  }

  @Test("a flush that fails leaves the checkpoint, and what whole slices brought; the overlay keeps all of it")
  func failedFlush() throws {
    let folder = try TemporaryFolder()
    let options = Environment.Options(mapSizeBytes: 1 << 18)
    let projections = try Projections(path: folder("projections"), storeID: "s", options: options) { _ in }
    let overlay = Overlay(maximumBytes: 1 << 30)
    let projector = Projector(overlay: overlay, projections: projections)
    overlay.publish(publication("s0", position: 1))
    try projector.flush()
    for number in 1...5000 { overlay.publish(publication("s\(number)", position: UInt64(number + 1))) }
    let error = #expect(throws: ProjectionsError.self) { try projector.flush() }
    guard case .storage(let reason)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.isDiskFull)
    #expect(overlay.usage.sessions == 5000)
    let count = try projections.view().sessionCount()
    #expect(count < 5001 && count % 64 == 1)
    #expect(try projections.view().checkpoint(of: TestProjections.tenant).tail == checkpoint(1).tail)
    #expect(try projections.view().reach(of: TestProjections.tenant) == checkpoint(5001).tail)
  }

  @Test("a reader for audits sees the projections beside the daemon, as of the last flush")
  func readOnly() throws {
    let test = try TestProjections()
    try test.projections.flush(publication("s1", position: 1))
    // In a process of its own, since LMDB may not be open twice in one.
    let folder = try TemporaryFolder()
    try TemporaryFolder.copy(test.folder("projections"), to: folder("projections"))
    let reader = try Projections(readOnly: folder("projections"), options: TestProjections.options)
    #expect(try reader.view().sessionCount() == 1)
    #expect(throws: ProjectionsError.self) { try reader.flush(publication("s2", position: 2)) }
    #expect(throws: ProjectionsError.self) {
      try Projections(readOnly: folder("none"), options: TestProjections.options)
    }
  }

  @Test("keys of sessions and customers keep tenants and names apart")
  func keys() {
    let (abc, abcd) = (TenantID(valid: "abc"), TenantID(valid: "abcd"))
    #expect(SessionKey(abc, SessionID(valid: "d")) != SessionKey(abcd, SessionID(valid: "d")))
    #expect(Array(SessionKey(abc, SessionID(valid: "d")).bytes) == Array("abc\0d".utf8))
    #expect(SessionKey(abc, SessionID(valid: "z")) < SessionKey(abcd, SessionID(valid: "a")))
    #expect(
      CustomerKey(abc, customer: "c", SessionID(valid: "1s")) != CustomerKey(abc, customer: "c1", SessionID(valid: "s"))
    )
    let longest = SessionKey(TenantID(valid: "abcdefghijklmnop"), SessionID(valid: String(repeating: "s", count: 200)))
    #expect(longest.bytes.count == 217)
  }
}
