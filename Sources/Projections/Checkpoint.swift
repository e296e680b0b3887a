public import EventLog
internal import Platform
internal import SessionCodec
internal import SessionModel

/// How far a tenant's log has been folded in, with what has been counted on the way.
///
/// The tail's chain ties it to the very log that it was folded from.
public struct Checkpoint: Equatable, Sendable {
  /// The last record that was folded.
  public var tail: LogTail
  /// How many sessions are open: begun and, as far as events tell, neither ended nor expired.
  public var openSessions: UInt64

  /// The checkpoint before any record.
  public static let start = Checkpoint(tail: .empty, openSessions: 0)

  /// A checkpoint of those parts.
  public init(tail: LogTail, openSessions: UInt64) {
    self.tail = tail
    self.openSessions = openSessions
  }
}

/// What the table `checkpoints` knows of a tenant's log: how far it has been folded in, and how far some snapshots reach.
struct CheckpointRecord: Equatable {
  /// How far all has been folded in. Its number of open sessions is that of the snapshots as they are.
  var checkpoint: Checkpoint
  /// The checkpoint's tail, or one behind it: a flush that goes on, or was stopped, left snapshots that are ahead, up to
  /// there.
  var reach: LogTail

  /// What is known of a log of which nothing has been folded in.
  static let start = CheckpointRecord(checkpoint: .start, reach: .empty)

  private static let byteCount = 112

  /// The stored form: the checkpoint's tail, u64 open sessions, the reach's tail, u64 checksum seeded with the key's. A tail
  /// is u64 position, 32 chain, i64 recorded at.
  func encoded(key: Span<UInt8>) -> [UInt8] {
    func append(_ tail: LogTail) {
      bytes.appendLittleEndian(tail.position)
      tail.chain.append(to: &bytes)
      bytes.appendLittleEndian(tail.recordedAt.microseconds)
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.byteCount)
    append(checkpoint.tail)
    bytes.appendLittleEndian(checkpoint.openSessions)
    append(reach)
    bytes.appendLittleEndian(checksum(bytes.span, seed: checksum(key)))
    return bytes
  }

  init(checkpoint: Checkpoint, reach: LogTail) {
    self.checkpoint = checkpoint
    self.reach = reach
  }

  /// Reads the stored form. Throws when it is damaged.
  init(decoding bytes: Span<UInt8>, key: Span<UInt8>) throws(DamagedRecord) {
    let end = Self.byteCount - 8
    guard bytes.count == Self.byteCount,
      bytes.loadLittleEndian(at: end) == checksum(bytes.extracting(0..<end), seed: checksum(key))
    else { throw DamagedRecord("a checkpoint's checksum doesn't fit its bytes") }
    checkpoint = Checkpoint(tail: Self.tail(bytes, at: 0), openSessions: bytes.loadLittleEndian(at: 48))
    reach = Self.tail(bytes, at: 56)
  }

  private static func tail(_ bytes: Span<UInt8>, at offset: Int) -> LogTail {
    LogTail(
      position: bytes.loadLittleEndian(at: offset), chain: Digest(bytes.extracting(offset + 8..<offset + 40)),
      recordedAt: Instant(microseconds: bytes.loadLittleEndian(at: offset + 40)))
  }
}
