public import SessionModel
internal import Platform

/// A clock that goes on when the test says so.
public final class TestClock: Sendable {
  private let current: Monitor<Instant>

  /// A clock that stands at `instant`.
  public init(_ instant: Instant = .start) {
    current = Monitor(instant)
  }

  /// The time that it shows.
  public var now: Instant { current.withLock { $0 } }

  /// Sets it, forwards or backwards.
  public func set(_ instant: Instant) {
    current.withLock { $0 = instant }
  }

  /// Moves it by so many microseconds.
  public func advance(microseconds: Int64) {
    current.withLock { $0.microseconds += microseconds }
  }
}
