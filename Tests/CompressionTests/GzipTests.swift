import Compression
import Platform
import TestSupport
import Testing

@Suite("gzip") struct GzipTests {
  private func compress(_ text: [UInt8], pieces: Int) -> [UInt8] {
    let gzip = GzipCompressor()
    var packed: [UInt8] = []
    for start in stride(from: 0, to: text.count, by: pieces) {
      gzip.compress(text.span.extracting(start..<min(start + pieces, text.count)), to: &packed)
    }
    gzip.finish(to: &packed)
    return packed
  }

  private func decompress(_ packed: [UInt8], pieces: Int) throws(GzipError) -> [UInt8] {
    let gzip = GzipDecompressor()
    var text: [UInt8] = []
    for start in stride(from: 0, to: packed.count, by: pieces) {
      try gzip.decompress(packed.span.extracting(start..<min(start + pieces, packed.count)), to: &text)
    }
    try gzip.finish()
    return text
  }

  /// Text that compresses well, badly, or not at all.
  private func text(_ randomness: inout SeededRandomness) -> [UInt8] {
    switch randomness.number(0...3 as ClosedRange<Int>) {
    case 0: []
    case 1: randomness.bytes(randomness.number(1...100_000))
    case 2: [UInt8](repeating: 7, count: randomness.number(1...500_000))
    default: (0..<randomness.number(1...40_000)).map { _ in UInt8.random(in: 97...100, using: &randomness) }
    }
  }

  @Test("what is taken apart is what was put together, in pieces of any size")
  func roundTrip() throws {
    for seed in propertySeeds() {
      var randomness = SeededRandomness(seed: seed)
      for _ in 0..<20 {
        let text = text(&randomness)
        let packed = compress(text, pieces: randomness.number(1...70_000))
        #expect(packed == compress(text, pieces: max(1, text.count)), "seed \(seed)")
        let out = try decompress(packed, pieces: randomness.number(1...70_000))
        #expect(out == text, "seed \(seed)")
      }
    }
  }

  @Test("data that are cut short are refused, wherever that is, and so is anything behind the end")
  func cut() throws {
    let packed = compress(Array("a text, a text, and a text".utf8), pieces: 5)
    for count in 0..<packed.count {
      #expect(throws: GzipError.cutShort) { try decompress(Array(packed[..<count]), pieces: 7) }
    }
    for pieces in [1, 1000] {
      #expect(throws: GzipError.surplus) { try decompress(packed + [0], pieces: pieces) }
      #expect(throws: GzipError.surplus) { try decompress(packed + packed, pieces: pieces) }
    }
  }

  @Test("no flipped bit behind the header gives another text")
  func flipped() throws {
    let text = Array((0..<300).map { "\($0 * $0)" }.joined().utf8)
    let packed = compress(text, pieces: 100)
    for bit in 80..<packed.count * 8 {
      let out = try? decompress(packed.flipping(bit: bit), pieces: 50)
      #expect(out == nil || out == text, "bit \(bit)")
    }
  }
}
