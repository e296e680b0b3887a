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
    bytes.appendLittleEndian(word0)
    bytes.appendLittleEndian(word1)
    bytes.appendLittleEndian(word2)
    bytes.appendLittleEndian(word3)
  }

  /// The digest's 32 bytes.
  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Digest.byteCount)
    append(to: &bytes)
    return bytes
  }

  /// The first 16 bytes as two words: a fingerprint where 128 bits are enough.
  public var prefix: (UInt64, UInt64) { (word0, word1) }

  /// The digest in lower-case hexadecimal, as tools print it.
  public var hexadecimal: String { Platform.hexadecimal(bytes.span) }
}

/// The SHA-256 digest (FIPS 180-4) of `bytes`.
public func sha256(_ bytes: Span<UInt8>) -> Digest {
  unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Digest.byteCount) { output in
    unsafe bytes.withUnsafeBufferPointer { input in
      // openssl/sha.h: SHA256() hashes `len` bytes into the 32 bytes at `md`, keeps nothing and takes no locks.
      _ = unsafe SHA256(input.baseAddress, input.count, output.baseAddress)
    }
    return unsafe Digest(Span(_unsafeElements: UnsafeBufferPointer(output)))
  }
}
