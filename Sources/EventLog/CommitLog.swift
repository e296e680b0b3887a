public import Platform
public import SessionModel

/// The end of a tenant's log, which the next record follows.
public struct LogTail: Equatable, Sendable {
  /// The position of the last record, 0 when there is none.
  public var position: UInt64
  /// The chain of the last record.
  public var chain: Digest
  /// When the last record was accepted.
  public var recordedAt: Instant

  /// The tail of a log without records.
  public static let empty = LogTail(position: 0, chain: .zero, recordedAt: Instant(microseconds: .min))

  /// A tail with all its parts.
  public init(position: UInt64, chain: Digest, recordedAt: Instant) {
    self.position = position
    self.chain = chain
    self.recordedAt = recordedAt
  }
}

/// A record that is to be appended.
public struct LogRecord: Equatable, Sendable {
  /// Whose log it goes to.
  public var tenant: TenantID
  /// Its place there.
  public var position: UInt64
  /// The frame's bytes.
  public var frame: [UInt8]

  /// A record for `tenant`'s log.
  public init(tenant: TenantID, position: UInt64, frame: [UInt8]) {
    self.tenant = tenant
    self.position = position
    self.frame = frame
  }
}

/// A record's place: whose log, and where in it.
public struct LogPlace: Hashable, Sendable {
  /// Whose log.
  public var tenant: TenantID
  /// The position in it.
  public var position: UInt64

  /// The place at `position` of `tenant`'s log.
  public init(tenant: TenantID, position: UInt64) {
    self.tenant = tenant
    self.position = position
  }
}

/// What came of an append.
public enum AppendOutcome: Equatable, Sendable {
  /// All records are durable.
  case committed
  /// Nothing was appended: this tenant's log has another tail than expected. Catch up and decide again.
  case tailMoved(TenantID)
}

/// The seam between deciding and durability: a log that takes batches, or refuses one when somebody else wrote first.
///
/// The local LMDB log is the first implementation, and nothing above this seam may assume that it is the only writer.
public protocol CommitLog: Sendable {
  /// Makes all records durable, in order, and takes salt and payload from those that are erased: all of it, or nothing.
  ///
  /// - Parameters:
  ///   - erased: places of records that are in the log or in the batch. Headers, digests and chains stay.
  ///   - tails: for each tenant in the batch the position that its log must end at before.
  /// - Throws: when it is unknown whether the batch is durable; then the process must end and recover.
  func append(
    _ batch: [LogRecord], erasing erased: [LogPlace], expecting tails: [TenantID: UInt64]
  ) throws(EventLogError) -> AppendOutcome
}
