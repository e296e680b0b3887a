internal import LMDB
internal import EventLog
internal import Projections

extension StoreError {
  /// What is damaged of the projections, which can be built anew from the log; nil when it is something else.
  var damageOfProjections: String? {
    switch self {
    case .projections(.damaged(let reason)): reason
    case .projections(.storage(let error)) where error.isDamage: error.description
    default: nil
    }
  }

  /// Whether stored data isn't what was written.
  public var isDamage: Bool {
    switch self {
    case .log(.damaged), .log(.damagedKey), .projections(.damaged): true
    case .log(.storage(let error)), .projections(.storage(let error)): error.isDamage
    default: false
    }
  }
}
