internal import SessionModel

/// Proves the records of a tenant's log, or of a copy of it, one behind the other.
///
/// Each must follow the chain of the one before it, have the payload of its digest, and not go back in time. Whether its
/// place is the right one, and what it says, is for the caller to prove.
public struct ChainProof {
  /// How far the log has been proved.
  public private(set) var tail: LogTail
  /// Whether the record before the next one could be read: otherwise its chain is taken as a new beginning.
  private var isChained = true

  /// A proof of the records behind `tail`.
  public init(from tail: LogTail = .empty) {
    self.tail = tail
  }

  /// Takes the next record, which is the tail from now on. Returns what is wrong with it, empty when nothing is.
  public mutating func take(_ frame: FrameView) -> [String] {
    var problems: [String] = []
    if isChained && !frame.follows(tail.chain) { problems.append("the record doesn't fit the chain") }
    if !frame.isPayloadIntact { problems.append("the payload doesn't fit its digest") }
    if frame.recordedAt < tail.recordedAt { problems.append("its time is before its predecessor's") }
    tail = frame.tail
    isChained = true
    return problems
  }

  /// Goes on behind `position`, whose record is missing or can't be read: the chain up to there is unknown.
  public mutating func lose(to position: UInt64) {
    tail.position = position
    isChained = false
  }

  /// What to say of the first of `positions`, which have no records.
  public static func absence(of positions: ClosedRange<UInt64>) -> String {
    positions.count == 1 ? "the record is missing" : "this and all records up to \(positions.upperBound) are missing"
  }
}
