internal import Platform
internal import Synchronization
internal import Systemd

/// Tells an operator what happens: entries with fields in the journal when it reads standard error, otherwise lines.
final class Log: Sendable {
  /// How much a line matters; the raw value is syslog's.
  enum Priority: Int, CaseIterable, Comparable {
    case error = 3
    case warning = 4
    case notice = 5
    case info = 6
    case debug = 7

    /// The level of that name.
    init?(name: String) {
      guard let priority = Self.allCases.first(where: { "\($0)" == name }) else { return nil }
      self = priority
    }

    /// In the order of how much is written when it is the level.
    static func < (left: Priority, right: Priority) -> Bool { left.rawValue < right.rawValue }
  }

  /// Where entries go.
  enum Sink {
    /// The journal, with fields.
    case journal
    /// Standard error, with a priority in front of each line (sd-daemon(3)) and the fields behind it.
    case prefixedLines
    /// The same without priorities, for people at a terminal.
    case lines
  }

  private let sink: Sink
  private let lowest: Atomic<Int>

  /// A log that finds out who reads standard error.
  init(sink: Sink = Journal.readsStandardError ? .journal : Journal.isTerminal ? .lines : .prefixedLines) {
    self.sink = sink
    lowest = Atomic(Priority.info.rawValue)
  }

  /// What matters less is not written.
  var level: Priority {
    get { Priority(rawValue: lowest.load(ordering: .relaxed)) ?? .info }
    set { lowest.store(newValue.rawValue, ordering: .relaxed) }
  }

  /// Writes an entry. `fields` are named in small letters, as in `request_id`.
  func callAsFunction(_ priority: Priority, _ message: String, _ fields: [(name: String, value: String)] = []) {
    guard priority.rawValue <= lowest.load(ordering: .relaxed) else { return }
    if sink == .journal {
      let entry: [Journal.Field] =
        [("MESSAGE", Self.oneLine(message)), ("PRIORITY", "\(priority.rawValue)"), ("SYSLOG_IDENTIFIER", "sessiond")]
        + fields.map { ("SESSIOND_\($0.name.uppercased())", $0.value) }
      if Journal.send(entry) { return }
    }
    let prefix = sink == .lines ? "" : "<\(priority.rawValue)>"
    let details = fields.map { " \($0.name)=\(Self.quoted($0.value))" }.joined()
    Process.write(prefix + Self.oneLine(message + details) + "\n", toStandardError: true)
  }

  /// A value in a line: quoted when it holds what could be taken for the next one, and with nothing unseen.
  private static func quoted(_ value: String) -> String {
    let shown = printable(value)
    guard shown.isEmpty || shown.contains(where: { $0.isWhitespace || $0 == "\"" || $0 == "=" }) else { return shown }
    return "\"" + shown.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"") + "\""
  }

  /// One line whatever a message quotes. By bytes, since a carriage return with a line feed is one character.
  private static func oneLine(_ text: String) -> String {
    String(decoding: text.utf8.map { $0 < 0x20 ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
  }
}
