// timespec is of either module, whichever the compiler comes upon first.
internal import CLinux
internal import Glibc

/// The wall clock: microseconds since 1970-01-01T00:00:00Z.
public func currentMicroseconds() -> Int64 {
  var time = timespec()
  unsafe clock_gettime(CLOCK_REALTIME, &time)
  return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
}

/// A clock that only runs forward: nanoseconds since an arbitrary start, for durations.
public func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
