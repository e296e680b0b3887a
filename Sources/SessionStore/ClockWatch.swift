internal import SessionModel

/// Notices when somebody sets the clock: the time of day against the clock that no one can set.
///
/// Recorded times never go back, whatever the clock does; but sessions live longer or shorter than they should by as
/// much as it was set, and an operator has to learn why.
struct ClockWatch {
  private var wall: Instant
  private var nanoseconds: UInt64
  /// When the time of day last went forward.
  private var forwardNanoseconds: UInt64?

  /// For how long a clock that was set forward has to stay there before anything is expired or erased for good by it, in
  /// nanoseconds. Nothing is read wrongly meanwhile, since whoever reads looks at the time, too.
  private static let doubtNanoseconds: UInt64 = 300_000_000_000

  /// What two looks may differ by, in microseconds: more than any correction in small steps comes to between two looks.
  private static let toleranceMicroseconds: Int64 = 2_000_000

  init(wall: Instant, nanoseconds: UInt64) {
    self.wall = wall
    self.nanoseconds = nanoseconds
  }

  /// Whether the time of day is one to act on for good: it hasn't been set forward in the last five minutes.
  func isTrusted(nanoseconds: UInt64) -> Bool {
    forwardNanoseconds.map { nanoseconds - $0 >= Self.doubtNanoseconds } ?? true
  }

  /// Looks at both clocks; returns what an operator should read when the time of day was set since the last look.
  mutating func step(wall: Instant, nanoseconds: UInt64) -> String? {
    let passed = Int64(clamping: (nanoseconds - self.nanoseconds) / 1000)
    let step = wall.microseconds - self.wall.microseconds - passed
    self.wall = wall
    self.nanoseconds = nanoseconds
    guard step.magnitude > Self.toleranceMicroseconds.magnitude else { return nil }
    if step > 0 { forwardNanoseconds = nanoseconds }
    let seconds = "\(step.magnitude / 1_000_000).\(step.magnitude / 100_000 % 10) s"
    return step > 0
      ? "the clock went forward by \(seconds): sessions expire earlier by that; nothing is expired or erased for good by it for five minutes"
      : "the clock went back by \(seconds): sessions expire later by that, and recorded times stand until it has caught up"
  }
}
