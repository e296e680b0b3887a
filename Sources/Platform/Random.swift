internal import CCrypto

/// Unpredictable bytes from OpenSSL's generator, 32 salts' worth at a time so that a caller rarely waits for it.
public struct RandomBytes: ~Copyable {
  private var pool: [UInt8] = []
  private var used = 0

  /// An empty source; it fills itself on first use.
  public init() {}

  /// `count` fresh bytes (at most 512); stops the process when the system has no randomness to give.
  public mutating func next(_ count: Int) -> [UInt8] {
    precondition(count <= 512)
    if pool.count - used < count { refill() }
    defer { used += count }
    return Array(pool[used..<used + count])
  }

  private mutating func refill() {
    pool = unsafe [UInt8](unsafeUninitializedCapacity: 512) { buffer, count in
      // openssl/rand.h: RAND_bytes fills `num` bytes and returns 1, anything else means that none are to be trusted.
      guard unsafe RAND_bytes(buffer.baseAddress, 512) == 1 else {
        fatalError("the system's random number generator failed")
      }
      count = 512
    }
    used = 0
  }
}
