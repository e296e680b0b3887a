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
    let line = message.replacing(while: { $0 == "\n" || $0 == "\r" }, with: " ")
    Process.write((hasPriorities ? "<\(priority.rawValue)>" : "") + line + "\n", toStandardError: true)
  }
}

extension String {
  fileprivate func replacing(while matches: (Character) -> Bool, with replacement: Character) -> String {
    contains(where: matches) ? String(map { matches($0) ? replacement : $0 }) : self
  }
}
