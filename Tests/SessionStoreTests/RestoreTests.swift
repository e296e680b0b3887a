import EventLog
import Platform
import SessionModel
import TestSupport
import Testing

@testable import SessionStore

@Suite("restoring a backup") struct RestoreTests {
  private let acme = TestStore.tenant
  private let beta = TenantID(valid: "beta")

  /// A backup of three events in a folder of its own, and what it must come to.
  private func backup() throws -> (folder: TemporaryFolder, marks: ChainMarks) {
    let folder = try TemporaryFolder()
    do {
      let test = try TestStore(folder)
      for tenant in [acme, beta] { test.send(.begin("s1"), of: tenant) }
      test.send(.set("s1", "a", "1"), of: acme)
    }
    let backup = try Backup(at: folder("backup"))
    try backup.copy(DataDirectory(folder.path))
    var marks = ChainMarks(storeID: "", tails: [:])
    try StoredLog(folder) {
      marks.storeID = $0.log.storeID
      for tenant in [acme, beta] { marks.tails[tenant] = try $0.log.tail(of: tenant) }
    }
    try backup.finish(marks)
    return (folder, marks)
  }

  /// Restores into a folder without a store; returns how many events there are.
  private func restore(_ folder: TemporaryFolder, _ marks: ChainMarks) throws -> UInt64 {
    let restore = try Restore(folder("backup"), into: DataDirectory(folder("restored")))
    try restore.copy()
    let count = try restore.build(marks) { _ in }
    try restore.finish()
    return count
  }

  @Test("a copy that comes to what the backup was is put in its place")
  func restored() throws {
    let (folder, marks) = try backup()
    #expect(try Backup.marks(of: folder("backup")) == marks)
    #expect(try restore(folder, marks) == 3)
    let directory = DataDirectory(folder("restored"))
    #expect(try Verification(directory: directory, options: TestStore.environment).run().marks == marks)
    // There is a store now.
    #expect(throws: StoreError.self) { try restore(folder, marks) }
  }

  /// What a copy may differ in from what its backup was.
  enum Difference: CaseIterable {
    case position
    case chain
    case missingTenant
    case anotherTenant
    case store
  }

  @Test("a copy that isn't what the backup was is refused, and no store begins", arguments: Difference.allCases)
  func refused(_ difference: Difference) throws {
    let (folder, marks) = try backup()
    var other = marks
    switch difference {
    case .position: other.tails[acme]?.position += 1
    case .chain: other.tails[acme]?.chain = .zero
    case .missingTenant: other.tails[TenantID(valid: "gamma")] = marks.tails[acme]
    case .anotherTenant: other.tails[beta] = nil
    case .store: other.storeID = "another"
    }
    #expect(throws: StoreError.directory("the copy of the backup isn't what the backup was; try again")) {
      try restore(folder, other)
    }
    #expect(try !Files.exists(folder("restored/log")))
    #expect(try restore(folder, marks) == 3)
  }
}
