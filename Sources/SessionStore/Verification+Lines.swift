internal import EventLog
internal import Platform
internal import SessionModel

// Steps as lines of text, in which one process tells them to another.
//
//   began STORE EVENTS
//   reading log|projections TENANT
//   reached TENANT POSITION EVENTS
//   found TENANT|- POSITION|- PROBLEM…
//   proved TENANT POSITION CHAIN MICROSECONDS SNAPSHOTS|- ERASED

extension Verification.Step {
  /// The step as a line of text, without the end of the line.
  public var line: String {
    switch self {
    case .began(let storeID, let events): "began \(storeID) \(events)"
    case .reading(let file, let tenant): "reading \(file.rawValue) \(tenant)"
    case .reached(let tenant, let position, let events): "reached \(tenant) \(position) \(events)"
    case .found(let finding):
      "found \(finding.tenant?.description ?? "-") \(finding.position.map { "\($0)" } ?? "-") "
        + String(
          decoding: finding.problem.utf8.map { $0 == UInt8(ascii: "\n") ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
    case .proved(let tenant, let tail, let snapshots, let erasedEvents):
      "proved \(tenant) \(tail.words) \(snapshots.map { "\($0)" } ?? "-") \(erasedEvents)"
    }
  }

  /// The step that a line tells, nil when it tells none.
  public init?(line: String) {
    let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
    guard words.count >= 3 else { return nil }
    let tenant = TenantID(String(words[1]))
    switch words[0] {
    case "began":
      guard let events = UInt64(words[2]) else { return nil }
      self = .began(storeID: String(words[1]), events: events)
    case "reading":
      guard let file = Verification.File(rawValue: String(words[1])), let tenant = TenantID(String(words[2])) else {
        return nil
      }
      self = .reading(file, of: tenant)
    case "reached":
      guard let tenant, words.count == 4, let position = UInt64(words[2]), let events = UInt64(words[3]) else {
        return nil
      }
      self = .reached(tenant, position: position, events: events)
    case "found":
      guard words.count == 4 else { return nil }
      self = .found(Verification.Finding(tenant: tenant, position: UInt64(words[2]), problem: String(words[3])))
    case "proved":
      let parts = line.split(separator: " ")
      guard let tenant, parts.count == 7, let tail = LogTail(words: parts[2..<5]), let erased = UInt64(parts[6]) else {
        return nil
      }
      self = .proved(tenant, tail, snapshots: Int(parts[5]), erasedEvents: erased)
    default:
      return nil
    }
  }
}
