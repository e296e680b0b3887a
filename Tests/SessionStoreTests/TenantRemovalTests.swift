import EventLog
import LMDB
import Platform
import Projections
import SessionModel
import TestSupport
import Testing

@testable import SessionStore

@Suite("removing a tenant") struct TenantRemovalTests {
  private let acme = TenantID(valid: "acme")
  private let beta = TenantID(valid: "beta")
  /// Its name begins like the other's.
  private let acme2 = TenantID(valid: "acme2")

  private func fill(_ folder: TemporaryFolder) throws {
    let test = try TestStore(folder)
    for number in 0..<10 {
      for tenant in [acme, beta, acme2] {
        test.send(.begin("s\(number)"), of: tenant)
        var context = SessionContext()
        context.customerID = "c\(number)"
        test.send(Command("customer \(number)", .replace(context, upsert: true)), of: tenant)
      }
    }
    test.close()
  }

  private func findings(_ folder: TemporaryFolder) throws -> [String] {
    try Verification(directory: DataDirectory(folder.path), options: TestStore.environment).run()
      .findings.map(\.description)
  }

  private func tenants(_ folder: TemporaryFolder) throws -> [TenantSize] {
    try StoreReader(directory: DataDirectory(folder.path), options: TestStore.environment).tenantSizes { _ in }
  }

  private func remove(_ folder: TemporaryFolder) throws -> UInt64? {
    let removal = try TenantRemoval(DataDirectory(folder.path), options: TestStore.environment)
    guard try removal.eventCount(of: acme) != nil else { return nil }
    return try removal.run(acme, notice: { _ in }, progress: { _ in })
  }

  /// What there is of the tenant in the projections.
  private func entries(_ folder: TemporaryFolder) throws -> Int {
    let projections = try Projections(readOnly: folder("projections"), options: TestStore.environment)
    let view = try projections.view()
    var count = try view.tenants().contains(acme) ? 1 : 0
    try view.forEachSnapshot(of: acme) { _, _ in count += 1 }
    try view.forEachCustomer(of: acme) { _ in count += 1 }
    return count
  }

  /// The others are as they were, and the name is as good as new.
  private func checkAfterwards(_ folder: TemporaryFolder) throws {
    #expect(try findings(folder) == [])
    #expect(try entries(folder) == 0)
    let sizes = try tenants(folder)
    #expect(sizes.map(\.id) == [acme2, beta] && sizes.map(\.events) == [20, 20] && sizes.map(\.sessions) == [20, 20])
    let test = try TestStore(folder)
    #expect(test.notices == [])
    #expect(try test.document("s1", of: acme) == nil)
    #expect(try test.document("s1", of: acme2) != nil)
    test.send(.begin("s1"), of: acme)
    #expect(try test.document("s1", of: acme)?.contains(#""version":1"#) == true)
    test.close()
  }

  @Test("log, snapshots, indexes and checkpoint go, the others stay, and the name can be used anew")
  func removed() throws {
    let folder = try TemporaryFolder()
    try fill(folder)
    #expect(try tenants(folder).map(\.events) == [20, 20, 20])
    #expect(try entries(folder) == 31)
    #expect(try remove(folder) == 20)
    #expect(try remove(folder) == nil)
    try checkAfterwards(folder)
    #expect(try tenants(folder).map(\.id) == [acme, acme2, beta])
    #expect(try findings(folder) == [])
  }

  @Test("no tenant is removed beside a daemon, and none of an unknown name")
  func refused() throws {
    let folder = try TemporaryFolder()
    let test = try TestStore(folder)
    #expect(throws: StoreError.self) { try remove(folder) }
    test.close()
  }

  /// Stops a removal at one of its steps.
  private func interrupt(_ folder: TemporaryFolder, at step: Int) throws {
    let log = try EventLog(path: folder("log"), options: TestStore.environment)
    try log.beginRemoval(of: acme)
    guard step > 0 else { return }
    let projections = try Projections(
      path: folder("projections"), storeID: log.storeID, options: TestStore.environment, notice: { _ in })
    try projections.remove(acme)
    for _ in 1..<step { #expect(try log.removeRecords(of: acme, limit: 5) == 5) }
  }

  @Test("an interrupted removal is told, and the next start completes it", arguments: 0...5)
  func completedByStart(step: Int) throws {
    let folder = try TemporaryFolder()
    try fill(folder)
    try interrupt(folder, at: step)
    #expect(try findings(folder).contains { $0.contains("the removal of tenant acme was interrupted") })
    #expect(throws: StoreError.self) { _ = try Rebuild(DataDirectory(folder.path)) }
    let refusal = #expect(throws: StoreError.self) {
      _ = try OfflineErasure(DataDirectory(folder.path)) { _ in }
    }
    #expect(refusal?.description.contains("the removal of tenant acme was interrupted") == true)
    do {
      let test = try TestStore(folder)
      #expect(test.notices == ["the removal of tenant acme was interrupted and is completed now"])
      #expect(try test.document("s1", of: acme) == nil)
      test.close()
    }
    try checkAfterwards(folder)
  }

  @Test("an interrupted removal is completed by the next run", arguments: 0...5)
  func completedByRun(step: Int) throws {
    let folder = try TemporaryFolder()
    try fill(folder)
    try interrupt(folder, at: step)
    #expect(try remove(folder) == UInt64(20 - 5 * max(0, step - 1)))
    try checkAfterwards(folder)
  }
}
