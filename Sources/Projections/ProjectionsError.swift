public import LMDB
internal import SessionCodec

/// Why the projections could not do what they were asked to.
public enum ProjectionsError: Error, Equatable, Sendable, CustomStringConvertible {
  /// LMDB or the disk refused.
  case storage(LMDBError)
  /// A record is not what was written. The projections can be rebuilt from the log.
  case damaged(reason: String)
  /// They were written by another version of the software.
  case unknownFormat(String)

  /// The projections' error for one of the layers below.
  init(_ error: any Error) {
    switch error {
    case let error as ProjectionsError: self = error
    case let error as LMDBError: self = .storage(error)
    case let error as DamagedRecord: self = .damaged(reason: error.reason)
    default: fatalError("an error that no layer below throws: \(error)")
    }
  }

  /// One line for the operator: what is wrong and what to do.
  public var description: String {
    switch self {
    case .storage(let error): error.description
    case .damaged(let reason):
      "the projections are damaged: \(reason); stop the service and remove the folder projections/, "
        + "which is built anew from the log at the next start"
    case .unknownFormat(let format):
      "the projections have format \(format), which this version doesn't know; they are built anew from the log when "
        + "this version's daemon starts, or by sessionctl rebuild"
    }
  }
}
