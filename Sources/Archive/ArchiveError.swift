public import EventLog
public import Platform

/// Why an archive could not be written or read.
public enum ArchiveError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The system refused.
  case system(SystemError)
  /// The log could not be read, or is damaged.
  case log(EventLogError)
  /// It can't be meant, or must not be done; in words for the operator.
  case refused(String)
  /// The archive isn't what was written; in words for the operator.
  case damaged(String)

  /// The archive's error for one of the layers below.
  init(_ error: any Error) {
    switch error {
    case let error as ArchiveError: self = error
    case let error as SystemError: self = .system(error)
    case let error as EventLogError: self = .log(error)
    default: fatalError("an error that no layer below throws: \(error)")
    }
  }

  /// Whether stored data isn't what was written.
  public var isDamage: Bool {
    switch self {
    case .damaged, .log(.damaged), .log(.damagedKey): true
    default: false
    }
  }

  /// One line for the operator: what is wrong and what to do.
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .log(let error): error.description
    case .refused(let text), .damaged(let text): text
    }
  }
}
