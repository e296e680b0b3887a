// timespec is of either module, whichever the compiler comes upon first.
internal import CLinux
internal import Glibc

/// A value guarded by a lock that threads can wait on: a mutex with its condition variable.
///
/// The project's only lock. `Mutex` of the standard library has no way to wait for a change, and the thread sanitizer
/// doesn't see it: it takes correct uses for races.
@safe public final class Monitor<State: ~Copyable>: @unchecked Sendable {
  // Sendable although it holds pointers: `state` is reached only with `mutex` held, and the pointers never change.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  // A pointer, since the lock already keeps accesses apart: a stored property would be checked for that at each access.
  private let state: UnsafeMutablePointer<State>

  /// A monitor over `state`, which belongs to it from then on.
  public init(_ state: consuming sending State) {
    unsafe mutex = .allocate(capacity: 1)
    unsafe condition = .allocate(capacity: 1)
    unsafe self.state = .allocate(capacity: 1)
    unsafe self.state.initialize(to: state)
    unsafe pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    // Waiting is timed by the clock that no one can set.
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(condition, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    // pthread_*_destroy(3): allowed once no thread holds or waits, which a last reference guarantees.
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(mutex)
    unsafe state.deinitialize(count: 1)
    unsafe state.deallocate()
    unsafe condition.deallocate()
    unsafe mutex.deallocate()
  }

  /// Runs `body` with the lock held. `body` does no I/O and takes no other lock.
  public func withLock<Result, Failure: Error>(
    _ body: (inout State) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return unsafe try body(&state.pointee)
  }

  /// Runs `body` with the lock held, then wakes every thread that waits.
  public func signal<Result>(_ body: (inout State) -> Result) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer {
      unsafe pthread_cond_broadcast(condition)
      unsafe pthread_mutex_unlock(mutex)
    }
    return unsafe body(&state.pointee)
  }

  /// Waits until `body` returns a value, running it with the lock held now and after each signal.
  public func wait<Result>(_ body: (inout State) -> Result?) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while true {
      if let result = unsafe body(&state.pointee) { return result }
      unsafe pthread_cond_wait(condition, mutex)
    }
  }

  /// Waits like `wait`, but gives up with nil after `milliseconds`.
  public func wait<Result>(milliseconds: Int, _ body: (inout State) -> Result?) -> Result? {
    let deadline = monotonicNanoseconds() + UInt64(max(0, milliseconds)) * 1_000_000
    var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while true {
      if let result = unsafe body(&state.pointee) { return result }
      if unsafe pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { return unsafe body(&state.pointee) }
    }
  }
}
