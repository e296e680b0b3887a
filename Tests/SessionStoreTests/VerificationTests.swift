import EventLog
import LMDB
import Platform
import SessionModel
import Testing
import TestSupport

@testable import Projections
@testable import SessionStore

@Suite("verification of a store") struct VerificationTests {
  private let tenant = TestStore.tenant

  /// A store of two tenants that has been stopped.
  private func stopped() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let test = try TestStore(folder)
    test.send(.begin("s1"))
    test.send(.begin("s2"))
    test.send(.patch("s1", cart: "new", naming: 1))
    test.send(.set("s2", "a", "1"))
    test.send(.begin("s1"), of: TenantID(valid: "rival"))
    return folder
  }

  private func verify(_ folder: TemporaryFolder, only: [TenantID]? = nil) throws -> Verification.Report {
    try Verification(directory: DataDirectory(folder.path), options: TestStore.environment).run(tenants: only)
  }

  private func problems(_ folder: TemporaryFolder) throws -> [String] {
    try verify(folder).findings.map(\.description)
  }

  @Test("a good store has no findings, and the report tells what was proved")
  func good() throws {
    let folder = try stopped()
    let report = try verify(folder)
    #expect(report.findings.isEmpty)
    #expect(report.tenants == 2)
    #expect(report.events == 5)
    #expect(report.snapshots == 3)
    #expect(report.tails[tenant]?.position == 4)
    #expect(try verify(folder, only: [tenant]).events == 4)
  }

  @Test("a chain that a log has come to is proved at any place of it; another one, and one behind its end, are found")
  func head() throws {
    let folder = try stopped()
    var chains: [Digest] = []
    try StoredLog(folder) { chains = try $0.chains(tenant) }
    func problems(_ position: UInt64, _ chain: Digest) throws -> [String] {
      let head: ChainHead = try #require(ChainHead("\(position):\(chain.hexadecimal)"))
      var report = Verification.Report()
      try Verification(directory: DataDirectory(folder.path), options: TestStore.environment).run(
        tenants: [tenant], after: nil, from: nil, expecting: head
      ) { report.take($0) }
      return report.findings.map(\.description)
    }
    for (index, chain) in chains.enumerated() {
      #expect(try problems(UInt64(index) + 1, chain) == [])
      let other =
        "tenant acme, position \(index + 1): the chain isn't the one that was named: this log came to other records"
      #expect(try problems(UInt64(index) + 1, .zero) == [other])
    }
    #expect(
      try problems(5, chains[3]) == ["tenant acme, position 5: the log ends at 4, before the chain that was named"])
    for text in [
      "", "1", "1:", ":\(Digest.zero.hexadecimal)", "0:\(Digest.zero.hexadecimal)", "+1:\(Digest.zero.hexadecimal)",
    ] {
      #expect(ChainHead(text) == nil)
    }
  }

  @Test("what is written and flushed while it runs is no finding, of a new tenant or of the one that is read")
  func besideWriter() throws {
    let test = try TestStore { $0.flushIntervalMilliseconds = 1 }
    let (middle, new) = (TenantID(valid: "middle"), TenantID(valid: "acme"))
    test.send(.begin("s1"), of: middle)
    test.flushed()
    var problems: [String] = []
    var tails: [TenantID: UInt64] = [:]
    let sweep = VerificationSweep(
      range: TenantRange(only: nil, after: nil), from: nil, log: test.store.log, projections: test.store.projections
    ) { step in
      switch step {
      case .reading(.projections, of: middle):
        // Behind the read transaction of the log, before the view of the projections.
        test.send(.begin("s2"), of: middle)
        for number in 0..<3 { test.send(.begin("s\(number)"), of: new) }
        test.flushed()
      case .found(let finding): problems.append(finding.description)
      case .proved(let tenant, let tail, _, _): tails[tenant] = tail.position
      default: break
      }
    }
    try sweep.run()
    #expect(problems == [])
    #expect(tails == [middle: 2, new: 3])
  }

  @Test("any flipped bit of any record is found, though its checksum was made to fit")
  func tampered() throws {
    let folder = try stopped()
    var randomness = SeededRandomness(seed: 4)
    for position in 1...4 as ClosedRange<UInt64> {
      var good: [UInt8] = []
      try StoredLog(folder) { good = try $0.stored(tenant, position) }
      for byte in stride(from: 8, to: good.count, by: 7) {
        let bad = good.flipping(bit: byte * 8 + randomness.number(0...7))
        try StoredLog(folder) { try $0.store(resealed(bad, tenant, position), tenant, position) }
        #expect(try !verify(folder).findings.isEmpty, "byte \(byte) of record \(position)")
      }
      try StoredLog(folder) { try $0.store(good, tenant, position) }
    }
    #expect(try verify(folder).findings.isEmpty)
  }

  @Test("damaged and missing records are told by tenant and position, all of them")
  func damaged() throws {
    let folder = try stopped()
    try StoredLog(folder) { log in
      try log.store(log.stored(tenant, 2).flipping(bit: 100), tenant, 2)
      try log.store(nil, tenant, 3)
    }
    let found = try problems(folder)
    #expect(found.contains("tenant acme, position 2: the checksum doesn't fit the bytes"))
    #expect(found.contains("tenant acme, position 3: the record is missing"))
    #expect(!found.contains { $0.contains("rival") })
  }

  @Test("a page that can't be reached ends its tenant's log, and the verification")
  func unreachable() throws {
    let folder = try TemporaryFolder()
    do {
      let test = try TestStore(folder)
      for name in ["acme", "rival"] {
        for number in 0..<150 { test.send(.begin("s\(number)"), of: TenantID(valid: name)) }
      }
    }
    let file = folder("log/data.mdb")
    let intact = try Files.read(file)
    var refused = 0
    for page in stride(from: 8192, to: intact.count, by: 4096) where intact[page + 10] == 1 {
      let nodes = (Int(intact.span.loadLittleEndian(at: page + 12) as UInt16) - 16) / 2
      for node in 0..<nodes {
        // The page below it is one that the file doesn't have.
        var bytes = intact
        bytes[page + Int(intact.span.loadLittleEndian(at: page + 16 + 2 * node) as UInt16) + 3] = 0x7f
        TemporaryFolder.write(bytes, to: file)
        let report = try verify(folder)
        if report.findings.contains(where: { $0.description.contains("the rest of the log could not be read") }) {
          refused += 1
        }
        #expect(report.findings.count < 100)
      }
    }
    #expect(refused > 1)
  }

  @Test("a record that was rewritten with a chain of its own is found behind it")
  func rewritten() throws {
    let folder = try stopped()
    try StoredLog(folder) { log in
      // The next record's place, in the same log, with a fitting position and checksum.
      var moved = try log.stored(tenant, 3)
      moved.storeLittleEndian(UInt64(2), at: 20)
      try log.store(resealed(moved, tenant, 2), tenant, 2)
    }
    #expect(try problems(folder).contains("tenant acme, position 2: the record doesn't fit the chain"))
  }

  /// Writes a tenant's log anew from its beginning, whole and chained, with other events in it; and the projections.
  private func rewrite(_ folder: TemporaryFolder, _ change: (inout [Event]) -> Void) throws {
    try StoredLog(folder) { log in
      var events = try log.events(tenant)
      change(&events)
      var chain = Digest.zero
      for event in events {
        let salt = [UInt8](repeating: 7, count: Frame.saltByteCount)
        let frame = Frame.encode(event, tenant: tenant, salt: salt.span, previousChain: chain)
        try log.store(frame.bytes, tenant, event.position)
        chain = frame.chain
      }
    }
    try Files.removeDirectory(folder("projections"))
    do { _ = try TestStore(folder) }
  }

  @Test("a time that goes back within a log is found, though all of it is chained")
  func timeGoesBack() throws {
    let folder = try stopped()
    try rewrite(folder) { _ in }
    #expect(try problems(folder) == [])
    try rewrite(folder) { $0[2].recordedAt.microseconds -= 1 }
    #expect(try problems(folder) == ["tenant acme, position 3: its time is before its predecessor's"])
  }

  @Test("a version that is left out is found, though all of the log is chained")
  func versionGap() throws {
    let folder = try stopped()
    try rewrite(folder) { $0[2].version = 3 }
    #expect(try problems(folder) == ["tenant acme, position 3: has version 3 after 1"])
  }

  @Test("a wrong number of open sessions is found in the checkpoint")
  func openSessions() throws {
    let folder = try stopped()
    var checkpoint: Checkpoint
    do {
      let projections = try Projections(readOnly: folder("projections"), options: TestStore.environment)
      checkpoint = try projections.view().checkpoint(of: tenant)
    }
    #expect(checkpoint.openSessions == 2)
    checkpoint.openSessions = 3
    let key = Array(tenant.description.utf8)
    let record = CheckpointRecord(checkpoint: checkpoint, reach: checkpoint.tail)
    try changeProjections(folder, "checkpoints", key, record.encoded(key: key.span))
    #expect(try problems(folder) == ["tenant acme: the checkpoint counts 3 open sessions instead of 2"])
  }

  @Test("the chain still holds after a payload has been taken; that no event records it is found")
  func erasedPayload() throws {
    let folder = try stopped()
    try StoredLog(folder) { try $0.store(erased($0.stored(tenant, 3), tenant, 3), tenant, 3) }
    // The projections are built anew, without what was erased.
    try Files.removeDirectory(folder("projections"))
    do { _ = try TestStore(folder) }
    let report = try verify(folder)
    let problem = "tenant acme: 1 sessions have events without payload, and none that records their erasure"
    #expect(report.findings.map(\.description) == [problem])
    #expect(report.erasedEvents == 1)
  }

  @Test("an erasure's own record without payload, which no erasure takes, is found")
  func erasedErasure() throws {
    let folder = try TemporaryFolder()
    do {
      let test = try TestStore(folder)
      test.send(.begin("s1"))
      #expect(test.erase(.session(SessionID(valid: "s1"))) != nil)
    }
    #expect(try problems(folder) == [])
    try StoredLog(folder) { try $0.store(erased($0.stored(tenant, 2), tenant, 2), tenant, 2) }
    let problem = "tenant acme: 1 sessions have events without payload, and none that records their erasure"
    #expect(try problems(folder) == [problem])
  }

  @Test("records cut off the log's end are found by the projections, which are ahead")
  func cutOff() throws {
    let folder = try stopped()
    try StoredLog(folder) { try $0.store(nil, tenant, 4) }
    #expect(try problems(folder).contains("tenant acme: the projections are ahead of the log: 4 to 3"))
  }

  @Test("snapshots that are changed, missing or of no session are found")
  func snapshots() throws {
    let folder = try stopped()
    let key = SessionKey(tenant, SessionID(valid: "s1")).bytes
    try changeProjections(folder, "snapshots", key, [1, 2, 3])
    #expect(try problems(folder) == ["tenant acme: the snapshot of session s1 is not the fold of its events"])
    try changeProjections(folder, "snapshots", key, nil)
    let stray = "tenant acme: the index of activity has 1 entries that no snapshot has"
    #expect(try problems(folder) == ["tenant acme: session s1 has no snapshot", stray])
    try changeProjections(folder, "snapshots", SessionKey(tenant, SessionID(valid: "s9")).bytes, [1])
    #expect(
      try Set(problems(folder)) == [
        "tenant acme: session s1 has no snapshot", "tenant acme: session s9 has a snapshot and no event", stray,
      ])
  }

  @Test("entries of the index of customers that are missing or too many are found")
  func customers() throws {
    let folder = try TemporaryFolder()
    var context = SessionContext()
    context.customerID = "c1"
    do { try TestStore(folder).send(Command("s1", .replace(context, upsert: true))) }
    #expect(try problems(folder) == [])
    let key = CustomerKey(tenant, customer: "c1", SessionID(valid: "s1")).bytes
    try changeProjections(folder, "customers", key, nil)
    let disagreement = "tenant acme: the index of customers by session doesn't agree with the one by customer"
    #expect(try problems(folder) == [disagreement, "tenant acme: the index of customers lacks 1 entries"])
    try changeProjections(folder, "customers", key, KeySeal.bytes(of: key.span))
    let surplus = CustomerKey(tenant, customer: "c2", SessionID(valid: "s1")).bytes
    try changeProjections(folder, "customers", surplus, KeySeal.bytes(of: surplus.span))
    #expect(
      try problems(folder) == [disagreement, "tenant acme: the index of customers has an entry that no event made"])
    try changeProjections(folder, "customers", surplus, KeySeal.bytes(of: key.span))
    #expect(try problems(folder).map { $0.contains("isn't the one that was written") } == [true])
  }

  @Test("entries of the index of activity that are missing or too many are found")
  func activity() throws {
    let folder = try TemporaryFolder()
    do { try TestStore(folder).send(.begin("s1")) }
    #expect(try problems(folder) == [])
    let time = UInt64(bitPattern: Instant.start.microseconds) ^ 1 << 63
    func key(_ kind: UInt8, _ session: String) -> [UInt8] {
      var key = [kind]
      key.appendBigEndian(time)
      return key + SessionKey(tenant, SessionID(valid: session)).bytes
    }
    try changeProjections(folder, "activity", key(1, "s1"), nil)
    #expect(try problems(folder) == ["tenant acme: the index of activity lacks 1 entries"])
    try changeProjections(folder, "activity", key(1, "s1"), [])
    #expect(try problems(folder) == [])
    try changeProjections(folder, "activity", key(2, "s1"), [])
    try changeProjections(folder, "activity", key(3, "s7"), [])
    #expect(try problems(folder) == ["tenant acme: the index of activity has 2 entries that no snapshot has"])
    try changeProjections(folder, "activity", [1, 2, 3], [])
    #expect(try problems(folder).contains("the index of activity has 1 entries that no snapshot has"))
  }

  @Test("a store that isn't there is told")
  func missing() throws {
    let folder = try TemporaryFolder()
    #expect(throws: StoreError.self) { try verify(folder) }
    #expect(try !Files.exists(folder("log")))
  }
}
