internal import EventLog
internal import Platform
internal import SessionCodec
internal import SessionModel

/// The stored form of how far a tenant's log has been folded in. The chain ties it to the very log that it was folded from.
enum Checkpoint {
  static func encode(_ tail: LogTail, key: Span<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendLittleEndian(tail.position)
    tail.chain.append(to: &bytes)
    bytes.appendLittleEndian(tail.recordedAt.microseconds)
    bytes.appendLittleEndian(checksum(bytes.span, seed: checksum(key)))
    return bytes
  }

  static func decode(_ bytes: Span<UInt8>, key: Span<UInt8>) throws(DamagedRecord) -> LogTail {
    guard bytes.count == 56,
      bytes.loadLittleEndian(at: 48) == checksum(bytes.extracting(0..<48), seed: checksum(key))
    else { throw DamagedRecord("a checkpoint's checksum doesn't fit its bytes") }
    return LogTail(
      position: bytes.loadLittleEndian(at: 0), chain: Digest(bytes.extracting(8..<40)),
      recordedAt: Instant(microseconds: bytes.loadLittleEndian(at: 40)))
  }
}
