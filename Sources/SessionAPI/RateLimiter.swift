internal import Platform
internal import SessionModel
internal import Synchronization

/// Lets each tenant make so many changes a second, with a burst of one second's worth (token bucket).
///
/// Only authorised requests are counted, so that a stranger can't use up a tenant's share.
final class RateLimiter: Sendable {
  private let interval: Atomic<UInt64>
  /// When each tenant's next change is due at an even rate, in nanoseconds; what lies more than a second in the past counts
  /// as a second.
  private let dueNanoseconds = Monitor<[TenantID: UInt64]>([:])
  private let now: @Sendable () -> UInt64

  private static let second: UInt64 = 1_000_000_000

  /// A limiter of `perSecond` changes a second; 0: any number. `now` gives nanoseconds that only grow.
  init(perSecond: Int, now: @escaping @Sendable () -> UInt64 = { monotonicNanoseconds() }) {
    interval = Atomic(Self.interval(perSecond: perSecond))
    self.now = now
  }

  private static func interval(perSecond: Int) -> UInt64 { perSecond == 0 ? 0 : second / UInt64(perSecond) }

  /// Allows another number of changes a second from now on.
  func change(perSecond: Int) { interval.store(Self.interval(perSecond: perSecond), ordering: .relaxed) }

  /// Counts a change of `tenant`; when it is one too many, the seconds after which there is room again, at least 1.
  func secondsToWait(_ tenant: TenantID) -> Int? {
    let intervalNanoseconds = interval.load(ordering: .relaxed)
    guard intervalNanoseconds > 0 else { return nil }
    let now = self.now()
    return dueNanoseconds.withLock { due in
      let next = max(due[tenant] ?? 0, now > Self.second ? now - Self.second : 0)
      // Room: the even schedule isn't ahead of the clock.
      guard next + intervalNanoseconds <= now else {
        return Int((next + intervalNanoseconds - now + Self.second - 1) / Self.second)
      }
      due[tenant] = next + intervalNanoseconds
      return nil
    }
  }
}
