internal import CXXHash

/// A 64-bit checksum (XXH3) that finds damaged bytes in stored records.
///
/// It guards against accidents of disk and memory; tampering is what the chain of digests is for.
public func checksum(_ bytes: Span<UInt8>, seed: UInt64 = 0) -> UInt64 {
  unsafe bytes.withUnsafeBufferPointer { input in
    // xxhash.h: reads `len` bytes from the pointer, which may be null when `len` is 0.
    unsafe cxxhash_xxh3(input.baseAddress, input.count, seed)
  }
}
