import Platform
import TestSupport
import Testing

@testable import SessionStore

@Suite("the room that is kept free on the disk") struct DiskReserveTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// So many hundredths of the room that there is now, in bytes: others may be writing to the same disk.
  private func room(percent: Int) throws -> Int { Int(try Files.availableBytes(folder.path)) / 100 * percent }

  @Test("changes are refused below the reserve, and let in again when there is an eighth more")
  func hysteresis() throws {
    let disk = DiskReserve(path: folder.path, reserveBytes: try room(percent: 95))
    #expect(try disk.look(unflushedBytes: 0) == nil)
    #expect(!disk.isUsedUp)
    disk.change(to: try room(percent: 200))
    #expect(try disk.look(unflushedBytes: 0) == true)
    #expect(disk.isUsedUp)
    disk.change(to: try room(percent: 95))
    #expect(try disk.look(unflushedBytes: 0) == nil)
    #expect(disk.isUsedUp)
    disk.change(to: try room(percent: 80))
    #expect(try disk.look(unflushedBytes: 0) == false)
    #expect(!disk.isUsedUp)
  }

  @Test("changes are refused, too, while there is no room for what waits to be flushed")
  func unflushed() throws {
    let disk = DiskReserve(path: folder.path, reserveBytes: 0)
    #expect(try disk.look(unflushedBytes: try room(percent: 80)) == nil)
    #expect(try disk.look(unflushedBytes: try room(percent: 200)) == true)
    #expect(disk.isUsedUp)
    #expect(try disk.look(unflushedBytes: 0) == false)
  }
}
