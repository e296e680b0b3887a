internal import SessionModel

/// Notices when somebody sets the clock: the time of day against the clock that no one can set.
///
/// Recorded times never go back, whatever the clock does; but sessions live longer or shorter than they should by as
/// much as it was set, and an operator has to learn why.
struct ClockWatch {
  private var wall: Instant
  private var nanoseconds: UInt64

  /// What two looks may differ by, in microseconds: more than any correction in small steps comes to between two looks.
  private static let toleranceMicroseconds: Int64 = 2_000_000

  init(wall: Instant, nanoseconds: UInt64) {
    self.wall = wall
    self.nanoseconds = nanoseconds
  }

  /// Looks at both clocks; returns what an operator should read when the time of day was set since the last look.
  mutating func step(wall: Instant, nanoseconds: UInt64) -> String? {
    let passed = Int64(clamping: (nanoseconds - self.nanoseconds) / 1000)
    let step = wall.microseconds - self.wall.microseconds - passed
    self.wall = wall
    self.nanoseconds = nanoseconds
    guard step.magnitude > Self.toleranceMicroseconds.magnitude else { return nil }
    let seconds = "\(step.magnitude / 1_000_000).\(step.magnitude / 100_000 % 10) s"
    return step > 0
      ? "the clock went forward by \(seconds): sessions expire earlier by that"
      : "the clock went back by \(seconds): sessions expire later by that, and recorded times stand until it has caught up"
  }
}
