internal import EventLog
internal import LMDB
internal import Platform
internal import Projections
public import SessionModel

/// What is in a store and how it stands, looked up at a few places, however large it is.
public struct StoreStatus: Sendable {
  /// One tenant.
  public struct Tenant: Sendable {
    /// Its name.
    public let id: TenantID
    /// The position of its last event, which is the number of its events.
    public let position: UInt64
    /// How far the projections are, nil without projections.
    public let checkpoint: UInt64?
    /// The sessions that are open at the checkpoint, as far as events tell; nil without projections.
    public let openSessions: UInt64?

    /// How many events the projections lack.
    public var lag: UInt64? { checkpoint.map { position - min($0, position) } }
  }

  /// A read transaction of another process that is open.
  public struct Reader: Equatable, Sendable {
    /// The process.
    public let process: Int32
    /// The number of the commit that it sees.
    public let commit: UInt64
  }

  /// One LMDB environment.
  public struct Files: Sendable {
    /// The size of the data file in bytes.
    public let fileBytes: UInt64
    /// The part of it that has been used, freed pages included, in bytes.
    public let usedBytes: Int
    /// The number of the last commit.
    public let lastCommit: UInt64
    /// The read transactions of other processes that are open.
    public let readers: [Reader]

    /// The reader that holds the oldest commit, and with it the pages that were freed since.
    public var oldestReader: Reader? { readers.min { $0.commit < $1.commit } }
  }

  /// The store's name.
  public let storeID: String
  /// The format of the log's environment.
  public let logFormat: String
  /// The format of new records.
  public let recordFormat: UInt8
  /// The format of the projections, nil without usable ones.
  public let projectionsFormat: String?
  /// Why projections that are there can't be used.
  public let projectionsProblem: String?
  /// All tenants, in order.
  public let tenants: [Tenant]
  /// The sessions of all tenants that have a snapshot, ended and expired ones too; nil without projections.
  public let sessions: Int?
  /// The log's files.
  public let log: Files
  /// The projections' files, nil without usable ones.
  public let projections: Files?
}

extension StoreReader {
  /// How the store stands now.
  public func status() throws(StoreError) -> StoreStatus {
    do {
      // The checkpoints first: the log only grows, so that it isn't seen behind them.
      let projected = try projections.map { projections in try Self.checkpoints(projections) }
      var tenants: [StoreStatus.Tenant] = []
      for tenant in Set(try log.tenants()).union(projected?.checkpoints.keys.map { $0 } ?? []).sorted() {
        let checkpoint = projected.map { $0.checkpoints[tenant] ?? .start }
        tenants.append(
          StoreStatus.Tenant(
            id: tenant, position: try log.lastPosition(of: tenant), checkpoint: checkpoint?.tail.position,
            openSessions: checkpoint?.openSessions))
      }
      return StoreStatus(
        storeID: log.storeID, logFormat: LogSchema.format, recordFormat: Frame.format,
        projectionsFormat: projections.map { _ in Projections.currentFormat }, projectionsProblem: projectionsProblem,
        tenants: tenants, sessions: projected?.sessions,
        log: Self.files(directory.logFile, log.usage, try log.openReaders()),
        projections: try projections.map { try Self.files(directory.projectionsFile, $0.usage, $0.openReaders()) })
    } catch {
      throw StoreError(error)
    }
  }

  private static func checkpoints(
    _ projections: Projections
  ) throws(ProjectionsError) -> (checkpoints: [TenantID: Checkpoint], sessions: Int) {
    let view = try projections.view()
    var checkpoints: [TenantID: Checkpoint] = [:]
    for tenant in try view.tenants() { checkpoints[tenant] = try view.checkpoint(of: tenant) }
    return (checkpoints, try view.sessionCount())
  }

  private static func files(
    _ file: String, _ usage: Environment.Usage, _ readers: [Environment.OpenReader]
  ) -> StoreStatus.Files {
    StoreStatus.Files(
      fileBytes: Platform.Files.size(file), usedBytes: usage.usedBytes, lastCommit: usage.lastTransaction,
      readers: readers.filter { $0.process != Process.identifier }.map {
        StoreStatus.Reader(process: $0.process, commit: $0.transaction)
      })
  }
}
