internal import Platform
internal import SessionCodec
internal import SessionModel

/// What stands under a session's key in the table `snapshots`: `seal ‖ i64 placed at ‖ SnapshotRecord`.
///
/// "Placed at" is the time that the session's entry in the index of activity has, in microseconds since 1970; 0 when there
/// is no entry.
enum SnapshotEntry {
  /// The stored form of the snapshot of `key`, whose entry in the index of activity is at `place`.
  static func encode(_ snapshot: Span<UInt8>, of key: SessionKey, at place: ActivityPlace?) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(KeySeal.byteCount + placeByteCount + snapshot.count)
    KeySeal.append(of: key.bytes.span, to: &bytes)
    bytes.appendLittleEndian(place?.time.microseconds ?? 0)
    bytes.append(copying: snapshot)
    return bytes
  }

  /// The snapshot in `value`; nothing when that isn't under the key that it was written under.
  @_lifetime(copy value)
  static func snapshot(_ value: Span<UInt8>, _ key: Span<UInt8>) -> Span<UInt8> {
    let content = KeySeal.content(value, key)
    return content.extracting(min(placeByteCount, content.count)..<content.count)
  }

  /// Where the index of activity has the session `key`, and where exactly it is; nil when it waits for nothing. Throws when
  /// the snapshot can't be read.
  static func places(
    _ value: Span<UInt8>, of key: SessionKey
  ) throws(DamagedRecord) -> (indexed: ActivityPlace, exact: ActivityPlace)? {
    let view = try SnapshotView(snapshot(value, key.bytes.span), key: key.bytes.span)
    guard let exact = ActivityPlace(view) else { return nil }
    let time = Instant(microseconds: KeySeal.content(value, key.bytes.span).loadLittleEndian(at: 0))
    return (ActivityPlace(exact.kind, time), exact)
  }

  private static let placeByteCount = 8
}
