import Platform
import Testing
import TestSupport

@Suite("bytes and digests") struct BytesTests {
  @Test("numbers come back as they were stored, in either byte order, at any offset", arguments: propertySeeds())
  func integers(_ seed: UInt64) {
    var randomness = SeededRandomness(seed: seed)
    for _ in 0..<500 {
      let number = randomness.next()
      var bytes = randomness.bytes(randomness.number(0...9))
      let offset = bytes.count
      bytes.appendLittleEndian(number)
      bytes.appendBigEndian(number)
      bytes.appendLittleEndian(Int32(truncatingIfNeeded: number))
      let little: UInt64 = bytes.span.loadLittleEndian(at: offset)
      let big: UInt64 = bytes.span.loadBigEndian(at: offset + 8)
      let short: Int32 = bytes.span.loadLittleEndian(at: offset + 16)
      #expect(little == number)
      #expect(big == number)
      #expect(short == Int32(truncatingIfNeeded: number))
      bytes.storeLittleEndian(UInt16(7), at: offset)
      #expect(bytes[offset] == 7)
      #expect(bytes[offset + 1] == 0)
    }
  }

  @Test("little-endian means the least significant byte first")
  func order() {
    var bytes: [UInt8] = []
    bytes.appendLittleEndian(UInt32(0x0102_0304))
    bytes.appendBigEndian(UInt32(0x0102_0304))
    #expect(bytes == [4, 3, 2, 1, 1, 2, 3, 4])
  }

  @Test("big-endian numbers sort by their bytes as they do by value", arguments: propertySeeds())
  func sorting(_ seed: UInt64) {
    var randomness = SeededRandomness(seed: seed)
    for _ in 0..<200 {
      let left = randomness.next() >> randomness.number(0...63)
      let right = randomness.next() >> randomness.number(0...63)
      var (leftBytes, rightBytes): ([UInt8], [UInt8]) = ([], [])
      leftBytes.appendBigEndian(left)
      rightBytes.appendBigEndian(right)
      #expect(leftBytes.lexicographicallyPrecedes(rightBytes) == (left < right))
    }
  }

  @Test("spans are equal when their bytes are")
  func equality() {
    let bytes: [UInt8] = [1, 2, 3]
    func isEqual(to other: [UInt8]) -> Bool { bytes.span.isEqual(to: other.span) }
    #expect(isEqual(to: [1, 2, 3]))
    #expect(!isEqual(to: [1, 2]))
    #expect(!isEqual(to: [1, 2, 4]))
    #expect(!isEqual(to: []))
    #expect([UInt8](copying: bytes.span) == bytes)
  }

  @Test("text is only made of valid UTF-8")
  func text() {
    #expect(String(validating: Array("größe".utf8).span) == "größe")
    let invalid: [[UInt8]] = [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]]
    for bytes in invalid { #expect(String(validating: bytes.span) == nil) }
  }

  @Test("SHA-256 gives the digests of FIPS 180-4's examples")
  func sha() {
    #expect(
      sha256([UInt8]().span).hexadecimal == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    let abc = sha256(Array("abc".utf8).span)
    #expect(abc.hexadecimal == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(Digest(abc.bytes.span) == abc)
    var appended: [UInt8] = [9]
    abc.append(to: &appended)
    #expect(appended == [9] + abc.bytes)
    #expect(Digest.zero.bytes == [UInt8](repeating: 0, count: 32))
  }

  @Test("XXH3 gives its reference values, and depends on each bit and on the seed")
  func xxh3() {
    // xxHash's own: XXH3_64bits of nothing.
    #expect(checksum([UInt8]().span) == 0x2d06_8005_38d3_94c2)
    let bytes = Array("the quick brown fox jumps over the lazy dog".utf8)
    let sum = checksum(bytes.span)
    #expect(checksum(bytes.span, seed: 1) != sum)
    for bit in 0..<bytes.count * 8 { #expect(checksum(bytes.flipping(bit: bit).span) != sum) }
  }

  @Test("random bytes don't repeat, also over the end of the pool")
  func random() {
    var random = RandomBytes()
    var seen: Set<[UInt8]> = []
    for _ in 0..<100 {
      let bytes = random.next(48)
      #expect(bytes.count == 48)
      #expect(seen.insert(bytes).inserted)
    }
    #expect(random.next(512).count == 512)
    #expect(random.next(0).isEmpty)
  }

  @Test("hexadecimal is lower case")
  func hex() {
    #expect(hexadecimal([0x00, 0xab, 0x0f].span) == "00ab0f")
  }
}
