internal import Platform
internal import SessionCodec
internal import SessionModel

/// What stands under a session's key in the table `snapshots`: `seal ‖ i64 placed at ‖ SnapshotRecord`.
///
/// "Placed at" is the time that the session's entry in the index of activity has, in microseconds since 1970; 0 when there
/// is no entry. The seal is the key's checksum, seeded with it. The record has a checksum of its own.
enum SnapshotEntry {
  /// The stored form of the snapshot of `key`, whose entry in the index of activity is at `place`.
  static func encode(_ snapshot: Span<UInt8>, of key: SessionKey, at place: ActivityPlace?) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(headByteCount + snapshot.count)
    let time = place?.time ?? Instant(microseconds: 0)
    bytes.appendLittleEndian(seal(of: key.bytes.span, time))
    bytes.appendLittleEndian(time.microseconds)
    bytes.append(copying: snapshot)
    return bytes
  }

  /// The snapshot in `value`; nothing when that isn't under the key that it was written under, or its place isn't the one.
  @_lifetime(copy value)
  static func snapshot(_ value: Span<UInt8>, _ key: Span<UInt8>) -> Span<UInt8> {
    value.extracting((isSealed(value, key) ? headByteCount : value.count)..<value.count)
  }

  /// Whether `value` was written under `key`, with its place.
  static func isSealed(_ value: Span<UInt8>, _ key: Span<UInt8>) -> Bool {
    value.count > headByteCount && value.loadLittleEndian(at: 0) == seal(of: key, time(value))
  }

  private static func seal(of key: Span<UInt8>, _ time: Instant) -> UInt64 {
    checksum(key, seed: UInt64(bitPattern: time.microseconds))
  }

  private static func time(_ value: Span<UInt8>) -> Instant { Instant(microseconds: value.loadLittleEndian(at: 8)) }

  /// Where the index of activity has the session `key`, and where exactly it is; nil when it waits for nothing. Throws when
  /// the snapshot can't be read.
  static func places(
    _ value: Span<UInt8>, of key: SessionKey
  ) throws(DamagedRecord) -> (indexed: ActivityPlace, exact: ActivityPlace)? {
    let view = try SnapshotView(snapshot(value, key.bytes.span), key: key.bytes.span)
    guard let exact = ActivityPlace(view) else { return nil }
    return (ActivityPlace(exact.kind, time(value)), exact)
  }

  private static let headByteCount = 16
}
