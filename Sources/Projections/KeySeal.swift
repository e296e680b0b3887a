internal import LMDB
internal import Platform
internal import SessionCodec

/// What stands under a key of an index, to tell a key that was damaged from one that was written.
enum KeySeal {
  /// The seal of `key`: its checksum, 8 bytes little-endian.
  static func bytes(of key: Span<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendLittleEndian(checksum(key))
    return bytes
  }

  /// Whether `value` is the seal of `key`.
  static func fits(_ value: Span<UInt8>, _ key: Span<UInt8>) -> Bool {
    value.count == byteCount && value.loadLittleEndian(at: 0) == checksum(key)
  }

  private static let byteCount = 8
}

extension Cursor {
  /// Moves to the first entry whose key is `key` or sorts after it. The one before that is handed to `check`.
  @_lifetime(copy self)
  mutating func seek(
    _ key: Span<UInt8>, checking check: (borrowing Entry) throws(DamagedRecord) -> Void
  ) throws -> Entry? {
    guard let before = try seek(before: key) else { return try first() }
    try check(before)
    return try next()
  }

  /// Hands the keys of an index that begin with `prefix`, from `start` on, to `body`, until that returns false.
  ///
  /// Throws when a key isn't the one that was written. Those before the first and behind the last are looked at, too: they
  /// may be among the ones asked for, but for the damage.
  mutating func forEachKey(
    from start: [UInt8], prefix: [UInt8], _ body: (Span<UInt8>) throws -> Bool
  ) throws {
    func check(_ entry: borrowing Entry) throws(DamagedRecord) {
      guard KeySeal.fits(entry.value, entry.key) else {
        throw DamagedRecord("an entry of the index of customers isn't the one that was written")
      }
    }
    var next = try seek(start.span, checking: check)
    while let entry = next {
      try check(entry)
      guard entry.key.hasPrefix(prefix), try body(entry.key) else { return }
      next = try self.next()
    }
  }
}
