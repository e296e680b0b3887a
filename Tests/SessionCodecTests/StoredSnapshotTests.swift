import Platform
import SessionCodec
import SessionModel
import Testing
import TestSupport

@Suite("stored snapshots") struct StoredSnapshotTests {
  static let key = Array("acme\0s1".utf8)

  static let goldenSession = Session(
    life: 2, version: 3, status: .ended, context: goldenContext, createdAt: Instant(microseconds: 1),
    modifiedAt: Instant(microseconds: 0x0102_0304_0506_0708), activeAt: Instant(microseconds: -2), lastPosition: 17,
    eventCount: 9, lastRequest: Fingerprint(low: 5, high: 6),
    acceptedRequests: [
      .init(number: 9, key: Fingerprint(low: 1, high: 2), fingerprint: Fingerprint(low: 3, high: 4), version: 3)
    ])

  static var goldenContext: SessionContext {
    var context = SessionContext()
    context.customerID = "c1"
    context.language = "de"
    context.attributes = [Attribute(name: "ä", value: Array("[1]".utf8))]
    return context
  }

  /// The session's snapshot in format 1, without its checksum.
  static let golden = """
    01 01 01 01  02000000 03000000  1100000000000000  0900000000000000
    0100000000000000 0807060504030201 feffffffffffffff
    0500000000000000 0600000000000000
    0900000000000000  0100000000000000 0200000000000000  0300000000000000 0400000000000000  03000000
    01 0200 6331  06 0200 6465
    10 0100 0200 c3a4 03000000 5b315d
    """
  static let goldenChecksum = "50cf2393059848bd"

  private func encode(_ session: Session, _ key: [UInt8] = key) -> [UInt8] {
    SnapshotRecord.encode(session, key: key.span)
  }

  private func decode(_ bytes: [UInt8], _ key: [UInt8] = key) throws -> Session {
    try SnapshotView(bytes.span, key: key.span).session()
  }

  @Test("the bytes of format 1 are read as what was written, and written the same")
  func goldenBytes() throws {
    let bytes = bytes(hexadecimal: Self.golden + Self.goldenChecksum)
    #expect(try decode(bytes) == Self.goldenSession)
    #expect(hexadecimal(encode(Self.goldenSession).span) == hexadecimal(bytes.span))
  }

  @Test("any state comes back as it was", arguments: propertySeeds())
  func roundTrip(_ seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    for _ in 0..<200 {
      let session = randomness.session()
      let key = randomness.bytes(randomness.number(1...217))
      #expect(try decode(encode(session, key), key) == session, "seed \(seed)")
    }
  }

  @Test("a view tells the same as the state, without reading all of it", arguments: propertySeeds())
  func view(_ seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    for _ in 0..<200 {
      var session = randomness.session()
      session.activeAt = Instant(microseconds: randomness.number(0...20_000_000))
      let bytes = encode(session)
      let view = try SnapshotView(bytes.span, key: Self.key.span)
      #expect(view.version == session.version)
      #expect(view.lastPosition == session.lastPosition)
      #expect(view.createdAt == session.createdAt)
      #expect(view.modifiedAt == session.modifiedAt)
      #expect(view.activeAt == session.activeAt)
      #expect(view.hasCustomer == (session.context.customerID != nil))
      for seconds in [0, 5, 40] as [Int64] {
        let timeToLive = TimeToLive(anonymousSeconds: seconds, customerSeconds: 5)
        for offset in [-1, 0, 1, 6_000_000] as [Int64] {
          let now = Instant(microseconds: session.activeAt.microseconds + seconds * 1_000_000 + offset)
          let isLive = view.isLive(at: now, timeToLive: timeToLive)
          #expect(isLive == session.isLive(at: now, timeToLive: timeToLive), "seed \(seed)")
        }
      }
    }
  }

  @Test("each flipped bit is detected")
  func flippedBits() {
    let bytes = encode(Self.goldenSession)
    for bit in 0..<bytes.count * 8 {
      #expect(throws: DamagedRecord.self, "bit \(bit)") { try decode(bytes.flipping(bit: bit)) }
    }
  }

  @Test("a snapshot is only good under its own key")
  func otherKey() {
    let bytes = encode(Self.goldenSession)
    for bit in 0..<Self.key.count * 8 {
      #expect(throws: DamagedRecord.self) { try decode(bytes, Self.key.flipping(bit: bit)) }
    }
  }

  @Test("a snapshot that is cut short or has more at its end is refused")
  func truncation() {
    let bytes = encode(Self.goldenSession)
    for count in 0..<bytes.count { #expect(throws: DamagedRecord.self) { try decode(Array(bytes[..<count])) } }
    #expect(throws: DamagedRecord.self) { try decode(bytes + [0]) }
  }

  @Test(
    "random bytes under a fitting checksum are read or refused, and never end the process", arguments: propertySeeds())
  func garbage(_ seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    let good = Array(encode(Self.goldenSession).dropLast(8))
    for _ in 0..<3000 {
      var bytes = randomness.chance(2) ? [1] + randomness.bytes(randomness.number(0...150)) : good
      for _ in 0..<randomness.number(1...4) {
        bytes[randomness.number(0...bytes.count - 1)] = randomness.pick([0, 1, 2, 16, 17, 18, 32, 255])
      }
      bytes.appendLittleEndian(checksum(bytes.span, seed: checksum(Self.key.span)))
      _ = try? decode(bytes)
      var json: [UInt8] = []
      if let view = try? SnapshotView(bytes.span, key: Self.key.span) {
        _ = view.isLive(at: .start, timeToLive: TimeToLive())
        try? view.appendDocument(of: SessionID(valid: "s1"), to: &json)
      }
    }
  }

  @Test("another format is refused by its number")
  func format() {
    var bytes = Array(encode(Self.goldenSession).dropLast(8))
    bytes[0] = 2
    bytes.appendLittleEndian(checksum(bytes.span, seed: checksum(Self.key.span)))
    let error = #expect(throws: DamagedRecord.self) { try decode(bytes) }
    #expect(error?.reason == "the snapshot has format 2")
  }
}
