internal import Platform
internal import Synchronization
internal import Systemd

/// Tells the service manager that the writer works, often enough and not with every batch.
final class Watchdog: Sendable {
  private let intervalNanoseconds: UInt64?
  private let nextNanoseconds = Atomic<UInt64>(0)

  /// A watchdog of the interval that the manager asks for, in microseconds; nil when it asks for none.
  init(microseconds: UInt64? = ServiceManager.watchdogMicroseconds) {
    // sd_watchdog_enabled(3) recommends half of the time; a quarter leaves room for a slow commit.
    intervalNanoseconds = microseconds.map { $0 / 4 * 1000 }
  }

  /// The writer works. Called on its thread alone.
  func feed() {
    guard let intervalNanoseconds else { return }
    let now = monotonicNanoseconds()
    guard now >= nextNanoseconds.load(ordering: .relaxed) else { return }
    nextNanoseconds.store(now + intervalNanoseconds, ordering: .relaxed)
    ServiceManager.notify(.watchdog)
  }
}
