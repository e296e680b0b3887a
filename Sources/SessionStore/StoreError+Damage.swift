internal import LMDB
internal import EventLog
internal import Projections

extension StoreError {
  /// Whether stored data isn't what was written.
  public var isDamage: Bool {
    switch self {
    case .log(.damaged), .log(.damagedKey), .projections(.damaged): true
    case .log(.storage(let error)), .projections(.storage(let error)): error.isDamage
    default: false
    }
  }
}
