public import SessionCodec
public import SessionModel

/// Follows a log from record to record, to see that those without payload come before an event that says so.
///
/// The chain proves the digest of each payload, not that the payload is there, since an erasure leaves the chain as it is:
/// without this, whoever takes a payload out leaves no trace.
public struct ErasureTrail {
  /// The sessions of which records without payload were met, and not yet the event of their erasure.
  private var open: Set<SessionID> = []
  /// How many records without payload were met.
  public private(set) var erasedCount: UInt64 = 0

  /// A trail that begins with the next record.
  public init() {}

  /// Takes in the record behind those that were taken in. Throws when its session can't be told.
  public mutating func take(_ frame: FrameView) throws(DamagedRecord) {
    if frame.isErased {
      erasedCount += 1
      open.insert(try frame.session())
    } else if frame.kind == Event.Kind.erased.rawValue, !open.isEmpty {
      open.remove(try frame.session())
    }
  }

  /// Whether records of `session` without payload were met, and not yet the event of their erasure.
  public func isOpen(_ session: SessionID) -> Bool { open.contains(session) }

  /// What is wrong at the end of the log; nil when nothing is.
  public var problem: String? {
    switch open.count {
    case 0: nil
    case 1: "a session has events without payload, and no event records its erasure"
    default: "\(open.count) sessions have events without payload, and no event records their erasure"
    }
  }
}
