import EventLog
import Platform
import Projections
import SessionModel
import Testing
import TestSupport

@testable import SessionStore

@Suite("a store that starts again") struct RecoveryTests {
  private let sessions = (1...6).map { "s\($0)" }

  /// Makes sessions and changes of them, some behind each other, some interleaved.
  private func fill(_ test: TestStore, rounds: Int) {
    for round in 0..<rounds {
      for (index, session) in sessions.enumerated() {
        test.clock.advance(microseconds: 1000)
        if round == 0 {
          test.send(.begin(session, cart: "cart-\(index)"))
        } else {
          test.send(.set(session, "a\(round % 3)", "\(round)"))
        }
      }
    }
  }

  private func documents(_ test: TestStore) throws -> [String?] { try sessions.map { try test.document($0) } }

  /// A folder with a store whose projections lack the last of its events, as after a crash; and its documents.
  private func crashed(rounds: Int, more: Int) throws -> (folder: TemporaryFolder, documents: [String?], events: Int) {
    let folder = try TemporaryFolder()
    let clock = TestClock()
    do { fill(try TestStore(folder, clock: clock), rounds: rounds) }
    try TemporaryFolder.copy(folder("projections"), to: folder("copy"))
    let test = try TestStore(folder, clock: clock)
    for round in 0..<more {
      for session in sessions { test.send(.set(session, "more", "\(round)")) }
    }
    let documents = try documents(test)
    test.close()
    try TemporaryFolder.copy(folder("copy"), to: folder("projections"))
    return (folder, documents, more * sessions.count)
  }

  @Test("a clean stop leaves nothing to replay")
  func cleanStop() throws {
    let folder = try TemporaryFolder()
    var before: [String?] = []
    do {
      let test = try TestStore(folder)
      fill(test, rounds: 3)
      before = try documents(test)
    }
    let test = try TestStore(folder)
    #expect(try documents(test) == before)
    #expect(test.replayed == [])
    #expect(test.notices == [])
  }

  @Test("after a crash exactly the events behind the checkpoint are replayed")
  func replay() throws {
    let (folder, before, events) = try crashed(rounds: 3, more: 4)
    let test = try TestStore(folder)
    #expect(try documents(test) == before)
    #expect(test.replayed == [events])
    #expect(test.notices == ["replayed \(events) events from the log"])
    #expect(test.send(.set("s1", "a", "1")) == .accepted(version: 8, position: UInt64(7 * sessions.count + 1)))
  }

  @Test("projections that were removed are built anew, to the same documents")
  func removed() throws {
    let (folder, before, _) = try crashed(rounds: 3, more: 2)
    try Files.removeDirectory(folder("projections"))
    let test = try TestStore(folder)
    #expect(try documents(test) == before)
    #expect(test.replayed == [5 * sessions.count])
  }

  @Test("projections of another store are built anew, to the same documents")
  func anotherStore() throws {
    let (folder, before, _) = try crashed(rounds: 2, more: 1)
    let other = try TemporaryFolder()
    do { fill(try TestStore(other), rounds: 1) }
    try TemporaryFolder.copy(other("projections"), to: folder("projections"))
    let test = try TestStore(folder)
    #expect(try documents(test) == before)
    #expect(test.notices.first?.contains("they belong to another log") == true)
  }

  @Test("a log that ends before what was folded from it keeps the store from starting while the projections are there")
  func ahead() throws {
    let folder = try TemporaryFolder()
    let clock = TestClock()
    var before: [String?] = []
    do {
      let test = try TestStore(folder, clock: clock)
      fill(test, rounds: 2)
      before = try documents(test)
    }
    try TemporaryFolder.copy(folder("log"), to: folder("backup"))
    do {
      let test = try TestStore(folder, clock: clock)
      test.send(.set("s1", "lost", "true"))
      test.send(.begin("new"))
    }
    try TemporaryFolder.copy(folder("backup"), to: folder("log"))
    #expect(
      throws: StoreError.log(
        .damaged(
          tenant: TestStore.tenant, position: 13,
          reason: "it ends before this, but the projections were folded from it up to position 14 (if it was set back "
            + "on purpose, remove the folder projections/)"))
    ) { _ = try TestStore(folder) }
    try Files.removeDirectory(folder("projections"))
    let test = try TestStore(folder)
    #expect(try documents(test) == before)
    #expect(try test.document("new") == nil)
    #expect(test.send(.set("s1", "a", "1")) == .accepted(version: 3, position: 13))
  }

  /// A closed store whose log went on with `ours`, and whose projections are of one that went on with `theirs`.
  private func fork(_ theirs: Command, _ ours: Command) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let clock = TestClock()
    do { fill(try TestStore(folder, clock: clock), rounds: 1) }
    try TemporaryFolder.copy(folder("log"), to: folder("backup"))
    do { try TestStore(folder, clock: clock).send(theirs) }
    try TemporaryFolder.copy(folder("projections"), to: folder("ahead"))
    try TemporaryFolder.copy(folder("backup"), to: folder("log"))
    try Files.removeDirectory(folder("projections"))
    do { try TestStore(folder, clock: clock).send(ours) }
    try TemporaryFolder.copy(folder("ahead"), to: folder("projections"))
    return folder
  }

  @Test("projections of a log that went on otherwise from the same beginning are built anew")
  func forked() throws {
    // Same number of events as the other branch's checkpoint names, but another chain.
    let folder = try fork(.set("s1", "branch", "1"), .set("s1", "branch", "2"))
    let test = try TestStore(folder)
    #expect(try test.document("s1")?.contains(#""branch":2"#) == true)
    #expect(test.notices.first == "the projections don't fit the log and are built anew from it")
  }

  @Test("who carries a customer isn't taken from projections of a log that went on otherwise")
  func forkedCustomers() throws {
    func logIn(_ session: String) -> Command {
      Command(session, .patch(ContextChanges(fields: [.init(field: .customerID, value: "c1")])), naming: 1)
    }
    let folder = try fork(logIn("s1"), logIn("s2"))
    let reader = try StoreReader(directory: DataDirectory(folder.path), options: TestStore.environment)
    var selection = EventSelection()
    selection.customer = "c1"
    var walk = try EventWalk(reader, selection)
    var sessions: [String] = []
    try walk.run { (_, item) throws(StoreError) in
      if case .event(let recorded) = item { sessions.append(recorded.event.sessionID.description) }
    }
    #expect(sessions == ["s2", "s2"])
  }

  @Test("a session is read without the help of projections of a log that went on otherwise")
  func forkedSession() throws {
    // The position of s1's newest event in one branch is that of s2's in the other.
    let folder = try fork(.set("s1", "branch", "1"), .set("s2", "branch", "2"))
    func session(opensProjections: Bool) throws -> PastSession? {
      let reader = try StoreReader(
        directory: DataDirectory(folder.path), options: TestStore.environment, opensProjections: opensProjections)
      #expect((reader.projections != nil) == opensProjections)
      return try reader.session(SessionID(valid: "s1"), of: TestStore.tenant)
    }
    let without = try session(opensProjections: false)
    #expect(without?.session.version == 1 && without?.session.context.cartID == "cart-0")
    #expect(try session(opensProjections: true) == without)
  }

  @Test("a log that is gone is no empty store where projections tell that there was one", arguments: [true, false])
  func lostLog(isEmptied: Bool) throws {
    let (folder, before, _) = try crashed(rounds: 2, more: 0)
    try TemporaryFolder.copy(folder("log"), to: folder("kept"))
    if isEmptied {
      folder.write([], to: "log/data.mdb")
    } else {
      try Files.removeDirectory(folder("log"))
    }
    for _ in 0..<2 {
      let error = #expect(throws: StoreError.self) { try TestStore(folder) }
      #expect(
        error?.description.contains(isEmptied ? "the file is empty" : "the log \(folder("log")) is missing") == true)
    }
    try TemporaryFolder.copy(folder("kept"), to: folder("log"))
    #expect(try documents(TestStore(folder)) == before)
  }

  @Test("copies that a stopped rebuild or restore has left are removed, and nothing else is")
  func leftovers() throws {
    let (folder, before, _) = try crashed(rounds: 1, more: 0)
    let leftovers = [
      "projections.new", "projections.new.old", "projections.new.new", "projections.restoring", "log.restoring",
      "log.compact.restoring",
    ]
    let others = ["logs", "log.old", "log.new", "log.backup", "projections-new", "other.new"]
    for name in leftovers + others { try TemporaryFolder.copy(folder("projections"), to: folder(name)) }
    #expect(try documents(TestStore(folder)) == before)
    for name in leftovers { #expect(try !Files.exists(folder(name)), "\(name)") }
    for name in others { #expect(try Files.exists(folder(name)), "\(name)") }
  }

  @Test("damaged projections files are no reason not to start", arguments: [0, 1, 4096, 40_000])
  func garbage(_ bytes: Int) throws {
    let (folder, before, _) = try crashed(rounds: 2, more: 1)
    folder.write([UInt8](repeating: 0x42, count: bytes), to: "projections/data.mdb")
    let test = try TestStore(folder)
    #expect(try documents(test) == before)
    #expect(test.notices.first?.contains("built anew from the log") == true)
  }

  @Test("projections that turn out to be damaged while they are brought up to the log are built anew")
  func damagedBelowReplay() throws {
    let (folder, before, _) = try crashed(rounds: 3, more: 2)
    let key = SessionKey(TestStore.tenant, SessionID(valid: "s2")).bytes
    try changeProjections(folder, "snapshots", key, [UInt8](repeating: 1, count: 99))
    let test = try TestStore(folder)
    #expect(try documents(test) == before)
    #expect(test.replayed == [5 * sessions.count])
    #expect(test.notices.first?.contains("are built anew from the log: ") == true, "\(test.notices)")
  }

  @Test("a log of more events than are folded at once is replayed whole, in a small overlay", .timeLimit(.minutes(1)))
  func long() throws {
    let folder = try TemporaryFolder()
    do {
      let test = try TestStore(folder)
      let count = Monitor(0)
      for number in 0..<4000 {
        test.store.submit(.begin("s\(number)"), for: TestStore.tenant.authorized) { _ in count.signal { $0 += 1 } }
      }
      _ = count.wait { $0 == 4000 ? true : nil }
      for number in 0..<4000 {
        test.store.submit(.set("s\(number)", "a", "\(number)"), for: TestStore.tenant.authorized) { _ in
          count.signal { $0 += 1 }
        }
      }
      _ = count.wait { $0 == 8000 ? true : nil }
    }
    try Files.removeDirectory(folder("projections"))
    var bytes: Int?
    do {
      let configuration = SessionStore.Configuration(environment: TestStore.environment, overlayBytes: 100_000)
      // Before there is any thread that would flush.
      _ = try SessionStore(
        directory: DataDirectory(folder.path), configuration: configuration, observer: SessionStore.Observer(),
        now: { .start }
      ) { store, _ in bytes = store.usage.overlayBytes }
    }
    #expect(try #require(bytes) < 100_000)
    try Files.removeDirectory(folder("projections"))
    let test = try TestStore(folder) { $0.overlayBytes = 100_000 }
    #expect(test.replayed == [4096, 8000])
    for number in stride(from: 0, to: 4000, by: 37) {
      #expect(try test.document("s\(number)")?.contains(#""context":{"a":\#(number)}"#) == true)
    }
  }

  @Test("a damaged record in the log keeps the store from starting, with tenant and position")
  func damagedLog() throws {
    let (folder, _, _) = try crashed(rounds: 2, more: 1)
    try StoredLog(folder) { log in
      try log.store(log.stored(TestStore.tenant, 14).flipping(bit: 200), TestStore.tenant, 14)
    }
    let error = #expect(throws: StoreError.self) { try TestStore(folder) }
    #expect(
      error?.description
        == "the log of tenant acme is damaged at position 14: the checksum doesn't fit the bytes; "
        + "restore it from a backup")
  }

  @Test("expiry and retries are known after a restart as they were before")
  func stateAfterRestart() throws {
    let folder = try TemporaryFolder()
    let clock = TestClock()
    let begin = Command.begin("s1")
    let set = Command("s2", .setAttribute(Attribute(name: "a", value: [0x31])), mark: 5, key: 9)
    do {
      let test = try TestStore(folder, clock: clock)
      test.send(begin)
      test.send(.begin("s2"))
      test.send(set)
      test.send(Command("s2", .end))
    }
    let test = try TestStore(folder, clock: clock)
    #expect(test.send(begin) == .alreadyApplied(version: 1))
    #expect(test.send(set) == .alreadyApplied(version: 2))
    #expect(test.send(.begin("s2")) == .rejected(.sessionEnded))
    clock.advance(microseconds: 3600 * 1_000_000)
    #expect(try test.document("s1") == nil)
  }
}
