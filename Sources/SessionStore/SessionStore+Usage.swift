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
  }

  /// What the store takes now.
  public var usage: Usage {
    let overlay = self.overlay.usage
    return Usage(
      overlaySessions: overlay.sessions, overlayEvents: overlay.events, overlayBytes: overlay.bytes,
      logBytes: log.usage.usedBytes, projectionsBytes: projections.usage.usedBytes)
  }
}
