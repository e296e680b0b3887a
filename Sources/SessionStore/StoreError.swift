public import EventLog
internal import LMDB
public import Projections

/// Why the store could not do what it was asked to.
public enum StoreError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The log could not.
  case log(EventLogError)
  /// The projections could not.
  case projections(ProjectionsError)
  /// The data directory could not be used.
  case directory(String)
  /// There is less room on the disk than is kept free. Nothing was done.
  case diskNearlyFull
  /// The store is closed, or failed before; it answers nothing any more.
  case closed

  /// The store's error for one of the layers below.
  init(_ error: any Error) {
    switch error {
    case EventLogError.storage(let error) where error.isAftermath: self = .closed
    case ProjectionsError.storage(let error) where error.isAftermath: self = .closed
    case let error as StoreError: self = error
    case let error as EventLogError: self = .log(error)
    case let error as ProjectionsError: self = .projections(error)
    default: fatalError("an error that no layer below throws: \(error)")
    }
  }

  /// Whether it failed because the disk, or what may be used of it, is full.
  public var isDiskFull: Bool {
    self == .diskNearlyFull || storage?.isDiskFull == true
  }

  /// Whether an environment has grown to its map. Nothing was written.
  var isMapFull: Bool { storage?.isMapFull == true }

  /// What LMDB failed with, nil when it was something else.
  private var storage: LMDBError? {
    switch self {
    case .log(.storage(let error)), .projections(.storage(let error)): error
    default: nil
    }
  }

  /// One line for the operator: what is wrong and what to do.
  public var description: String {
    switch self {
    case .log(let error): error.description
    case .projections(let error): error.description
    case .directory(let text): text
    case .diskNearlyFull: "the disk is nearly full; make room"
    case .closed: "the store is closed"
    }
  }
}
