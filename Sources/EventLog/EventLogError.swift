public import LMDB
internal import SessionCodec
public import SessionModel

/// Why the log could not do what it was asked to.
public enum EventLogError: Error, Equatable, Sendable, CustomStringConvertible {
  /// LMDB or the disk refused.
  case storage(LMDBError)
  /// A record is not what was written.
  case damaged(tenant: TenantID, position: UInt64, reason: String)
  /// A key of the log can't be one.
  case damagedKey(reason: String)
  /// The log was written by another version of the software.
  case unknownFormat(String)

  /// The log's error for one of the layers below. Reading meets several kinds at once; this is where they become one.
  init(_ error: any Error) {
    switch error {
    case let error as EventLogError: self = error
    case let error as LMDBError: self = .storage(error)
    case let error as DamagedRecord: self = .damagedKey(reason: error.reason)
    default: fatalError("an error that no layer below throws: \(error)")
    }
  }

  /// One line for the operator: what is wrong and what to do.
  public var description: String {
    switch self {
    case .storage(let error): error.description
    case .damaged(let tenant, let position, let reason):
      "the log of tenant \(tenant) is damaged at position \(position): \(reason); restore it from a backup"
    case .damagedKey(let reason): "the log is damaged: \(reason); restore it from a backup"
    case .unknownFormat(let format):
      "the log has format \(format), which this version does not know; run the version that wrote it"
    }
  }
}
