internal import EventLog
public import LMDB
internal import Platform
internal import Projections
public import SessionModel

/// Removes a tenant with all its data: log, snapshots, indexes, checkpoint. Holds the data directory like a daemon, so that
/// none runs meanwhile.
///
/// First a mark in the log says that the tenant goes; then go the projections' entries, then the records, and at last the
/// mark. Stopped in between, the next start of the daemon completes the removal, and so does the next run.
public struct TenantRemoval: ~Copyable {
  private let directory: DataDirectory
  private let lock: FolderLock
  private let log: EventLog
  private let options: Environment.Options

  private static let recordsPerTransaction = 4096

  /// Claims the data directory. Throws when there is no store, or a daemon runs.
  public init(
    _ directory: DataDirectory, options: Environment.Options = Environment.Options()
  ) throws(StoreError) {
    let claim = try directory.claimStore()
    log = try Self.openLog(directory, options)
    lock = claim
    self.directory = directory
    self.options = options
  }

  private static func openLog(_ directory: DataDirectory, _ options: Environment.Options) throws(StoreError) -> EventLog
  {
    do throws(EventLogError) {
      return try EventLog(path: directory.log, options: options)
    } catch {
      throw .log(error)
    }
  }

  /// How many events of `tenant` there are, at most; nil when nothing at all is known of the tenant.
  public func eventCount(of tenant: TenantID) throws(StoreError) -> UInt64? {
    do {
      let count = try log.lastPosition(of: tenant)
      if try count > 0 || log.removals().contains(tenant) { return count }
      guard try DataDirectory.holds(directory.projectionsFile) else { return nil }
      let projections = try Projections(readOnly: directory.projections, options: options)
      return try projections.view().tenants().contains(tenant) ? 0 : nil
    } catch {
      throw StoreError(error)
    }
  }

  /// Removes `tenant`. Returns how many records there were. `progress` is told how many have been removed since the last
  /// time, `notice` what an operator should read.
  public func run(
    _ tenant: TenantID, notice: (String) -> Void, progress: (UInt64) -> Void
  ) throws(StoreError) -> UInt64 {
    do {
      let projections =
        try DataDirectory.holds(directory.projectionsFile)
        ? try Projections(path: directory.projections, storeID: log.storeID, options: options, notice: notice) : nil
      return try Self.run(tenant, log, projections, progress)
    } catch {
      throw StoreError(error)
    }
  }

  /// Begins the removal of `tenant`, or goes on with it, up to its end. Nothing else may write to either environment.
  @discardableResult
  static func run(
    _ tenant: TenantID, _ log: EventLog, _ projections: Projections?, _ progress: (UInt64) -> Void = { _ in }
  ) throws -> UInt64 {
    try log.beginRemoval(of: tenant)
    try projections?.remove(tenant)
    var removed: UInt64 = 0
    while true {
      let count = UInt64(try log.removeRecords(of: tenant, limit: recordsPerTransaction))
      if count == 0 { return removed }
      removed += count
      progress(count)
    }
  }

  /// What is said of a removal that has begun and not ended.
  static func interruption(_ tenant: TenantID) -> String {
    "the removal of tenant \(tenant) was interrupted; start the daemon, which completes it, or run sessionctl tenant remove "
      + "\(tenant) --confirm \(tenant) again"
  }

  /// Throws when the removal of a tenant has begun and not ended.
  static func refuseInterrupted(_ log: EventLog) throws(StoreError) {
    let tenants: [TenantID]
    do throws(EventLogError) {
      tenants = try log.removals()
    } catch {
      throw .log(error)
    }
    if let tenant = tenants.first { throw .directory(interruption(tenant)) }
  }
}
