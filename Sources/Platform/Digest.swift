internal import CCrypto

/// A SHA-256 digest: 32 bytes, kept as four words so that it is copied, compared and hashed without allocation.
public struct Digest: Hashable, Sendable {
  /// The digest's length in bytes.
  public static let byteCount = 32

  /// The digest of nothing that was ever hashed: 32 zero bytes. The chain of a log begins with it.
  public static let zero = Digest(words: (0, 0, 0, 0))

  private let word0: UInt64
  private let word1: UInt64
  private let word2: UInt64
  private let word3: UInt64

  private init(words: (UInt64, UInt64, UInt64, UInt64)) {
    (word0, word1, word2, word3) = words
  }

  /// Reads a digest from its 32 bytes; traps on another length.
  public init(_ bytes: Span<UInt8>) {
    precondition(bytes.count == Digest.byteCount)
    self.init(
      words: (
        bytes.loadLittleEndian(at: 0), bytes.loadLittleEndian(at: 8),
        bytes.loadLittleEndian(at: 16), bytes.loadLittleEndian(at: 24)
      ))
  }

  /// Appends the digest's 32 bytes.
  public func append(to bytes: inout [UInt8]) {
    bytes.append(addingCapacity: Digest.byteCount) { append(to: &$0) }
  }

  /// Appends the digest's 32 bytes; traps when there is no room for them.
  @_lifetime(bytes: copy bytes)
  public func append(to bytes: inout OutputSpan<UInt8>) {
    bytes.appendLittleEndian(word0)
    bytes.appendLittleEndian(word1)
    bytes.appendLittleEndian(word2)
    bytes.appendLittleEndian(word3)
  }

  /// The digest's 32 bytes.
  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return bytes
  }

  /// The first 16 bytes as two words: a fingerprint where 128 bits are enough.
  public var prefix: (UInt64, UInt64) { (word0, word1) }

  /// Reads a digest from 64 hexadecimal digits; nil when they aren't that.
  public init?(hexadecimal text: Substring) {
    let digits = text.utf8.map { byte in Character(Unicode.Scalar(byte)).hexDigitValue }
    guard digits.count == 2 * Digest.byteCount else { return nil }
    var bytes: [UInt8] = []
    for pair in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[pair], let low = digits[pair + 1] else { return nil }
      bytes.append(UInt8(high << 4 | low))
    }
    self.init(bytes.span)
  }

  /// The digest in lower-case hexadecimal, as tools print it.
  public var hexadecimal: String { Platform.hexadecimal(bytes.span) }
}

extension [UInt8] {
  /// Replaces the bytes at `offset` by those of `digest`; traps when it reaches past the end.
  public mutating func store(_ digest: Digest, at offset: Int) {
    precondition(offset >= 0 && count - offset >= Digest.byteCount)
    // A digest is its 32 bytes in memory, see `DigestHasher.update(_:)`.
    unsafe withUnsafeMutableBytes { unsafe $0.storeBytes(of: digest, toByteOffset: offset, as: Digest.self) }
  }
}

/// The SHA-256 digest (FIPS 180-4) of `bytes`.
public func sha256(_ bytes: Span<UInt8>) -> Digest {
  var hasher = DigestHasher()
  hasher.update(bytes)
  return hasher.finish()
}

/// Computes the SHA-256 digest of pieces as of the one text that they make together, without putting them together.
public struct DigestHasher: ~Copyable {
  private var context = SHA256_CTX()

  /// A hasher that has been given nothing yet.
  public init() {
    // openssl/sha.h: fills in the context, which holds no pointers; always succeeds.
    _ = unsafe SHA256_Init(&context)
  }

  /// Takes in the next piece.
  public mutating func update(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBufferPointer { input in
      // openssl/sha.h: reads `len` bytes and keeps no pointer to them.
      _ = unsafe SHA256_Update(&context, input.baseAddress, input.count)
    }
  }

  /// Takes in the 32 bytes of a digest.
  public mutating func update(_ digest: Digest) {
    // A digest is its 32 bytes in memory, whatever the machine: four words, least significant byte first on all that
    // Linux and Swift run on together.
    unsafe withUnsafeBytes(of: digest) { input in
      _ = unsafe SHA256_Update(&context, input.baseAddress, input.count)
    }
  }

  /// The digest of all pieces.
  public consuming func finish() -> Digest {
    unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Digest.byteCount) { output in
      // openssl/sha.h: writes 32 bytes to `md`.
      _ = unsafe SHA256_Final(output.baseAddress, &context)
      return unsafe Digest(Span(_unsafeElements: UnsafeBufferPointer(output)))
    }
  }
}
