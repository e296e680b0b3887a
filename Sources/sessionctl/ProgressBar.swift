internal import Platform

/// A line on a terminal's standard error that shows how far something is, how fast it goes and how long it still takes.
/// Nothing is shown when standard error is no terminal.
struct ProgressBar {
  /// What is counted, such as `events`.
  enum Unit {
    case events
    case bytes

    func text(_ count: UInt64) -> String {
      switch self {
      case .events: "\(count) events"
      case .bytes: byteText(count)
      }
    }
  }

  private let unit: Unit
  private let name: String
  private let total: UInt64
  private let started = monotonicNanoseconds()
  private let isShown: Bool
  private var done: UInt64 = 0
  private var shownAt: UInt64 = 0
  private var shownWidth = 0

  /// A bar for `total` of that unit.
  init(_ name: String, total: UInt64, unit: Unit, isShown: Bool = Process.isErrorTerminal) {
    self.name = name
    self.total = total
    self.unit = unit
    self.isShown = isShown
  }

  /// Counts what has been done since the last time.
  mutating func advance(_ count: UInt64) {
    reach(done + count)
  }

  /// Sets how much has been done.
  mutating func reach(_ done: UInt64) {
    self.done = done
    guard isShown else { return }
    let now = monotonicNanoseconds()
    guard now - shownAt >= 100_000_000 else { return }
    shownAt = now
    show(Self.line(name, done: done, total: total, unit: unit, nanoseconds: now - started))
  }

  /// Takes the line away.
  mutating func finish() {
    guard isShown, shownWidth > 0 else { return }
    show("")
    Process.write("\r", toStandardError: true)
  }

  private mutating func show(_ line: String) {
    let width = displayWidth(line)
    let blanks = String(repeating: " ", count: max(0, shownWidth - width))
    Process.write("\r" + line + blanks, toStandardError: true)
    shownWidth = width
  }

  private static let barWidth = 24

  /// The line as it stands after that time.
  static func line(_ name: String, done: UInt64, total: UInt64, unit: Unit, nanoseconds: UInt64) -> String {
    let share = total == 0 ? 0 : min(1, Double(done) / Double(total))
    let filled = Int(share * Double(barWidth))
    let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: barWidth - filled)
    let seconds = Double(nanoseconds) / 1e9
    let perSecond = seconds > 0 ? Double(done) / seconds : 0
    var line = "\(name) [\(bar)] \(Int(share * 100)) %  \(unit.text(UInt64(perSecond)))/s"
    if perSecond > 0 && total > done { line += "  \(durationText(UInt64(Double(total - done) / perSecond))) left" }
    return line
  }
}
