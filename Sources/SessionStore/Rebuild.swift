internal import EventLog
internal import LMDB
internal import Platform
internal import Projections

/// Builds the projections anew from the log, beside the old ones, and puts them in their place. Holds the data directory
/// like a daemon, so that none runs meanwhile.
///
/// Whenever it is stopped, the old projections or the new ones stand at their place, whole; on a file system that can't
/// exchange two folders there may be none, which the next start builds.
public struct Rebuild: ~Copyable {
  /// What a rebuild came to.
  public struct Outcome: Sendable {
    /// How many tenants have a log.
    public let tenants: Int
    /// How many events were folded.
    public let events: UInt64
  }

  private let directory: DataDirectory
  private let lock: FolderLock
  private let reader: StoreReader

  /// Claims the data directory. Throws when there is no store, a daemon runs, or the log has lost its end, of which the
  /// old projections may be the only witness.
  public init(_ directory: DataDirectory) throws(StoreError) {
    let reader = try StoreReader(directory: directory, opensProjections: false)
    let claim = try directory.claim()
    try TenantRemoval.refuseInterrupted(reader.log)
    try Self.refuseLostEnd(directory, reader.log)
    lock = claim
    self.directory = directory
    self.reader = reader
  }

  private static func refuseLostEnd(_ directory: DataDirectory, _ log: EventLog) throws(StoreError) {
    // All of their pages are looked at first: damage, which the rebuild may be for, must not end this process.
    let options = Environment.Options(isReadOnly: true, checkedLeafBytes: .max)
    guard let old = try StoreReader.openProjections(directory, log, options).0 else { return }
    _ = try Recovery.checkpointsFit(old, log)
  }

  /// How many events there are to fold.
  public func eventCount() throws(StoreError) -> UInt64 {
    try reader.eventCount()
  }

  /// The folder that new projections are built in, and that the old ones stand in once they are replaced.
  public var besides: String { directory.rebuiltProjections }

  /// Builds the new projections. `progress` is told how many events have been folded since the last time.
  public func build(progress: (UInt64) -> Void) throws(StoreError) -> Outcome {
    try remove()
    let checkpoints = try ProjectionsBuilder(log: reader.log, path: besides).run(progress: progress)
    return Outcome(
      tenants: checkpoints.count, events: checkpoints.values.reduce(0) { $0 + $1.tail.position })
  }

  /// Puts the new projections in the place of the old ones, durably. Returns whether there were old ones, which now stand
  /// at ``besides``.
  public func replace() throws(StoreError) -> Bool {
    do throws(SystemError) {
      let hasOld = try Files.exists(directory.projections)
      if hasOld {
        try Files.exchange(besides, with: directory.projections)
      } else {
        try Files.move(besides, to: directory.projections)
      }
      return hasOld
    } catch {
      throw .directory("the projections could not be replaced: \(error)")
    }
  }

  /// Removes what stands at ``besides``.
  public func remove() throws(StoreError) {
    do throws(ProjectionsError) {
      try Projections.remove(path: besides)
    } catch {
      throw .projections(error)
    }
  }
}
