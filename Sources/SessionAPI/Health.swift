public import Synchronization

/// How far the daemon is in its life, as its probes tell.
public final class Health: Sendable {
  /// The stages, in order.
  public enum Stage: UInt8, AtomicRepresentable, Sendable {
    /// The log is replayed; nothing is answered yet.
    case starting
    /// Requests are answered.
    case ready
    /// Requests that are under way are finished, no new ones taken.
    case stopping
    /// The store has failed; the process ends.
    case failed
  }

  private let current = Atomic(Stage.starting)

  /// A daemon that starts.
  public init() {}

  /// The stage that has been reached.
  public var stage: Stage { current.load(ordering: .acquiring) }

  /// Reaches a stage; a failure stays one.
  public func reach(_ stage: Stage) {
    guard self.stage != .failed else { return }
    current.store(stage, ordering: .releasing)
  }
}
