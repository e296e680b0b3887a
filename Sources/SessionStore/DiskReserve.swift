internal import Platform
internal import Synchronization

/// Watches the room on the disk, so that changes are refused while there is still enough to end in order.
final class DiskReserve: Sendable {
  private let path: String
  private let reserveBytes: Atomic<Int>
  private let available = Atomic<UInt64>(.max)
  private let isShort = Atomic<Bool>(false)
  private let mapIsFull = Atomic<Bool>(false)

  /// Watches the file system of `path`; 0 bytes reserve nothing.
  init(path: String, reserveBytes: Int) {
    self.path = path
    self.reserveBytes = Atomic(reserveBytes)
  }

  /// Whether changes are refused for want of room.
  var isUsedUp: Bool { isShort.load(ordering: .relaxed) || isMapFull }

  /// Whether an environment has grown to its map, so that nothing more is written.
  var isMapFull: Bool { mapIsFull.load(ordering: .relaxed) }

  /// Refuses changes from now on, since an environment has grown to its map; returns whether they weren't refused for that
  /// before. Only a restart with a larger map makes room.
  func refuseForFullMap() -> Bool { !mapIsFull.exchange(true, ordering: .relaxed) }

  /// Whether the disk has room for `bytes`, and for the pages that a commit writes beside them.
  func hasRoom(forBytes bytes: Int) -> Bool {
    // Where that can't be told, the attempt will tell.
    guard let room = try? Files.availableBytes(path) else { return true }
    return room >= UInt64(max(bytes, Self.leastFlushBytes))
  }

  private static let leastFlushBytes = 8 << 20

  /// The room at the last look, in bytes.
  var availableBytes: UInt64 { available.load(ordering: .relaxed) }

  /// How much is kept free, in bytes.
  var bytes: Int { reserveBytes.load(ordering: .relaxed) }

  /// Keeps another amount free from the next look on.
  func change(to bytes: Int) { reserveBytes.store(bytes, ordering: .relaxed) }

  /// Looks at the disk; returns whether changes are refused from now on, nil when that is as before. They are, too, while
  /// there is no room for the `unflushedBytes` that earlier ones led to.
  ///
  /// What was refused is let in again when there is an eighth more than the reserve, so that it doesn't change with
  /// every file.
  func look(unflushedBytes: Int) throws(SystemError) -> Bool? {
    let room = try Files.availableBytes(path)
    available.store(room, ordering: .relaxed)
    let reserve = UInt64(max(bytes, unflushedBytes))
    let wasShort = self.isShort.load(ordering: .relaxed)
    let isShort = room < (wasShort ? reserve + reserve / 8 : reserve)
    guard isShort != wasShort else { return nil }
    self.isShort.store(isShort, ordering: .relaxed)
    return isShort
  }
}
