internal import EventLog
internal import LMDB
internal import Projections

extension SessionStore {
  /// What the store takes of memory and disk.
  public struct Usage: Sendable {
    /// Sessions whose newest snapshot isn't flushed yet.
    public let overlaySessions: Int
    /// Events that aren't flushed yet.
    public let overlayEvents: Int
    /// The memory that they take, in bytes.
    public let overlayBytes: Int
    /// The part of the log's file in use, in bytes.
    public let logBytes: Int
    /// The part of the projections' file in use, in bytes.
    public let projectionsBytes: Int
    /// How long the oldest event that isn't flushed has waited, in seconds.
    public let projectorLagSeconds: Double
    /// What each of the two files may grow to, in bytes.
    public let mapSizeBytes: Int
    /// How many commits of the log the oldest read transaction is behind; old pages are kept for it.
    public let oldestLogReaderCommits: UInt64
    /// The same for the projections.
    public let oldestProjectionsReaderCommits: UInt64
    /// The room on the disk, in bytes.
    public let diskAvailableBytes: UInt64
    /// The room below which changes are refused, in bytes.
    public let diskReserveBytes: Int
    /// Whether changes are refused for want of room.
    public let isDiskNearlyFull: Bool
  }

  /// How long the projector has been behind, in seconds: the part of ``usage`` that is cheap to ask for.
  public var projectorLagSeconds: Double { overlay.lagSeconds }

  /// Whether changes are refused for want of room on the disk.
  public var isDiskNearlyFull: Bool { disk.isUsedUp }

  /// What the store takes now.
  public var usage: Usage {
    let overlay = self.overlay.usage
    let log = self.log.usage
    let projections = self.projections.usage
    return Usage(
      overlaySessions: overlay.sessions, overlayEvents: overlay.events, overlayBytes: overlay.bytes,
      logBytes: log.usedBytes, projectionsBytes: projections.usedBytes, projectorLagSeconds: self.overlay.lagSeconds,
      mapSizeBytes: log.mapSizeBytes, oldestLogReaderCommits: log.oldestReaderTransactions,
      oldestProjectionsReaderCommits: projections.oldestReaderTransactions, diskAvailableBytes: disk.availableBytes,
      diskReserveBytes: disk.bytes, isDiskNearlyFull: disk.isUsedUp)
  }
}
