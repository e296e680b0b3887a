internal import EventLog
internal import Projections

/// What the logs of all tenants hold, with the tenants by how many open sessions they have: figures of single tenants
/// would be too many for a monitoring system.
public struct Census: Sendable, Equatable {
  /// The tenants of one size.
  public struct Class: Sendable, Equatable {
    /// How many tenants there are.
    public internal(set) var tenants: UInt64 = 0
    /// How many open sessions they have.
    public internal(set) var openSessions: UInt64 = 0
  }

  /// Below 1,000 open sessions.
  public internal(set) var small = Class()
  /// Below 100,000 open sessions.
  public internal(set) var medium = Class()
  /// 100,000 open sessions and more.
  public internal(set) var large = Class()
  /// The events of all logs: the sum of their last positions.
  public internal(set) var events: UInt64 = 0

  init() {}

  init(_ checkpoints: some Sequence<Checkpoint>) {
    for checkpoint in checkpoints {
      events += checkpoint.tail.position
      switch checkpoint.openSessions {
      case ..<1000: small.add(checkpoint.openSessions)
      case ..<100_000: medium.add(checkpoint.openSessions)
      default: large.add(checkpoint.openSessions)
      }
    }
  }
}

extension Census.Class {
  fileprivate mutating func add(_ sessions: UInt64) {
    tenants += 1
    openSessions += sessions
  }
}
