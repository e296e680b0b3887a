internal import Platform

/// Writes what an operator should know to standard error, a line each.
struct Log: Sendable {
  /// How much a line matters; the raw value is syslog's.
  enum Priority: Int {
    case error = 3
    case warning = 4
    case notice = 5
    case info = 6
  }

  private let hasPriorities: Bool

  /// A log that puts priorities in front of lines when the journal reads it.
  init(hasPriorities: Bool = ServiceEnvironment.isJournal) {
    self.hasPriorities = hasPriorities
  }

  func callAsFunction(_ priority: Priority, _ message: String) {
    // One line whatever a message quotes. By bytes, since a carriage return with a line feed is one character.
    let line = String(decoding: message.utf8.map { $0 < 0x20 ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
    Process.write((hasPriorities ? "<\(priority.rawValue)>" : "") + line + "\n", toStandardError: true)
  }
}
