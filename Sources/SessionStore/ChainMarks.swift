public import EventLog
internal import Platform
public import SessionModel

/// How far the log of each tenant has been proved, with the chain there, which stands for all records before it.
///
/// Kept as a small text file: a backup holds one that says what the backup must come to, and `verify --resume` goes on
/// from one. Whoever keeps such a file elsewhere can prove later that nothing before it was rewritten.
public struct ChainMarks: Equatable, Sendable {
  /// The name of the store (``EventLog/storeID``).
  public var storeID: String
  /// The end of what has been proved of each tenant's log.
  public var tails: [TenantID: LogTail]

  /// Marks of those parts.
  public init(storeID: String, tails: [TenantID: LogTail]) {
    self.storeID = storeID
    self.tails = tails
  }

  // A line each: the format, the store, then tenant, position, chain in hexadecimal, and microseconds since 1970 when the
  // record was accepted; at last a checksum of the lines before.
  private static let head = "sessiond chains 1"

  /// The text of the file.
  public var text: String {
    var text = "\(Self.head)\nstore \(storeID)\n"
    for (tenant, tail) in tails.sorted(by: { $0.key < $1.key }) {
      text += "\(tenant) \(tail.words)\n"
    }
    return text + "checksum \(text.withBytes { checksum($0) })\n"
  }

  /// The marks in the text of a file, nil when it is no such text or damaged.
  public init?(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count >= 4, lines[0] == Self.head, lines[lines.count - 1].isEmpty else { return nil }
    let body = lines.dropLast(2).map { $0 + "\n" }.joined()
    guard lines[lines.count - 2] == "checksum \(body.withBytes { checksum($0) })" else { return nil }
    let store = lines[1].split(separator: " ")
    guard store.count == 2, store[0] == "store" else { return nil }
    storeID = String(store[1])
    tails = [:]
    for line in lines.dropFirst(2).dropLast(2) {
      let words = line.split(separator: " ")
      guard words.count == 4, let tenant = TenantID(String(words[0])), let tail = LogTail(words: words.dropFirst())
      else { return nil }
      tails[tenant] = tail
    }
  }
}

extension LogTail {
  /// The tail that a position, a chain in hexadecimal and microseconds since 1970 tell; nil when they can't be that.
  init?(words: ArraySlice<Substring>) {
    let words = Array(words)
    guard words.count == 3, let position = UInt64(words[0]), let chain = Digest(hexadecimal: words[1]),
      let microseconds = Int64(words[2])
    else { return nil }
    self.init(position: position, chain: chain, recordedAt: Instant(microseconds: microseconds))
  }

  /// The same as text.
  var words: String { "\(position) \(chain.hexadecimal) \(recordedAt.microseconds)" }
}
