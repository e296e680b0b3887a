internal import EventLog
internal import LMDB
internal import Platform
internal import Projections

/// Makes a data directory from a backup.
///
/// The log goes to its place last, with one rename: whenever it is stopped before, there is no store in the directory,
/// and it can be restored again.
public struct Restore: ~Copyable {
  let directory: DataDirectory
  private let backup: DataDirectory
  private let lock: FolderLock

  /// Claims `directory`, creating it when it is missing. Throws when a daemon runs, or there is a store already.
  public init(_ backup: String, into directory: DataDirectory) throws(StoreError) {
    self.directory = directory
    self.backup = DataDirectory(Backup.withoutSlash(backup))
    lock = try Self.claim(directory)
  }

  private static func claim(_ directory: DataDirectory) throws(StoreError) -> FolderLock {
    let lock = try directory.claim()
    guard try !DataDirectory.holds(directory.log) else {
      throw .directory("there is a store in \(directory.path); restore into a directory without one")
    }
    return lock
  }

  /// The file that grows while the log is copied.
  public var file: String { directory.restoredLog + "/data.mdb" }

  /// Copies the backup's log beside its place, durably.
  public func copy() throws(StoreError) {
    try directory.removeLeftovers()
    do throws(SystemError) {
      try Files.removeDirectory(directory.projections)
    } catch {
      throw .directory("what an earlier restore left can't be removed: \(error)")
    }
    let log = try StoreReader(directory: backup, opensProjections: false).log
    try Backup.copy(log, to: directory.restoredLog)
  }

  /// Builds the projections from the copied log, and makes sure that it comes to `marks`. Returns how many events there
  /// are. `progress` is told how many have been folded since the last time.
  public func build(_ marks: ChainMarks, progress: (UInt64) -> Void) throws(StoreError) -> UInt64 {
    let log: EventLog
    do throws(EventLogError) {
      log = try EventLog(path: directory.restoredLog, options: Environment.Options(isReadOnly: true))
    } catch {
      throw .log(error)
    }
    let checkpoints = try ProjectionsBuilder(log: log, path: directory.restoredProjections).run(progress: progress)
    guard log.storeID == marks.storeID, checkpoints.mapValues(\.tail) == marks.tails else {
      throw .directory("the copy of the backup isn't what the backup was; try again")
    }
    return checkpoints.values.reduce(0) { $0 + $1.tail.position }
  }

  /// Puts projections and log in their places, durably.
  public func finish() throws(StoreError) {
    do throws(SystemError) {
      try Files.move(directory.restoredProjections, to: directory.projections)
      try Files.move(directory.restoredLog, to: directory.log)
    } catch {
      throw .directory("the restored store can't be put in its place: \(error)")
    }
  }
}
