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

  private static let byteCount = 64

  /// The stored form: u64 position, 32 chain, i64 recorded at, u64 open sessions, u64 checksum seeded with the key's.
  func encoded(key: Span<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.byteCount)
    bytes.appendLittleEndian(tail.position)
    tail.chain.append(to: &bytes)
    bytes.appendLittleEndian(tail.recordedAt.microseconds)
    bytes.appendLittleEndian(openSessions)
    bytes.appendLittleEndian(checksum(bytes.span, seed: checksum(key)))
    return bytes
  }

  /// Reads the stored form. Throws when it is damaged.
  init(decoding bytes: Span<UInt8>, key: Span<UInt8>) throws(DamagedRecord) {
    let end = Self.byteCount - 8
    guard bytes.count == Self.byteCount,
      bytes.loadLittleEndian(at: end) == checksum(bytes.extracting(0..<end), seed: checksum(key))
    else { throw DamagedRecord("a checkpoint's checksum doesn't fit its bytes") }
    tail = LogTail(
      position: bytes.loadLittleEndian(at: 0), chain: Digest(bytes.extracting(8..<40)),
      recordedAt: Instant(microseconds: bytes.loadLittleEndian(at: 40)))
    openSessions = bytes.loadLittleEndian(at: 48)
  }
}
