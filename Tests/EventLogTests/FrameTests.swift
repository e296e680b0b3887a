import Platform
import SessionCodec
import SessionModel
import Testing
import TestSupport

@testable import EventLog

@Suite("frames") struct FrameTests {
  static let tenant = TenantID(valid: "acme")
  static let position: UInt64 = 0x0102_0304_0506_0708

  static let goldenEvent = Event(
    position: position, previousPosition: 7, life: 2, version: 3,
    recordedAt: Instant(microseconds: 1_663_677_232_456_789), sessionID: SessionID(valid: "s-ö"), kind: .patched,
    changes: ContextChanges(
      fields: [.init(field: .currency, value: "USD"), .init(field: .cartID, value: nil)],
      attributes: .set(Attribute(name: "a", value: Array("[1, 2]".utf8)))),
    origin: Origin(actor: "service:shop", requestID: "r1", traceParent: ""),
    request: RequestMark(fingerprint: Fingerprint(low: 1, high: 2)))
  static let goldenSalt: [UInt8] = Array(0..<16)
  static let goldenPrevious = sha256(Array("the record before".utf8).span)

  /// The record of `goldenEvent` in format 1.
  static let golden = """
    058428c87dae473d
    010300000200000003000000080706050403020107000000000000005524760a1be905000404
    61636d65732dc3b6
    b64229efa5549955651392688ab2c3863d8e45490d2f3b9d04fe497d67081456
    4968f42e91c40b17d26b965212cf89b607dec72dda3c103b8ed62f39cf952dc8
    000102030405060708090a0b0c0d0e0f
    01010000000000000002000000000000000c00736572766963653a73686f7002007231000003030055534404ffff11010061060000005b312c20325d
    """

  private var key: [UInt8] { LogSchema.key(Self.tenant, Self.position) }

  private func encode(_ event: Event, salt: [UInt8] = goldenSalt, previous: Digest = goldenPrevious) -> [UInt8] {
    Frame.encode(event, tenant: Self.tenant, salt: salt.span, previousChain: previous).bytes
  }

  private func decode(_ bytes: [UInt8], key: [UInt8]? = nil) throws -> Event {
    let key = key ?? self.key
    return try FrameView(bytes.span, key: key.span).event()
  }

  @Test("the bytes of format 1 are read as what was written, and written the same")
  func goldenBytes() throws {
    let bytes = bytes(hexadecimal: Self.golden)
    #expect(hexadecimal(encode(Self.goldenEvent).span) == hexadecimal(bytes.span))
    #expect(try decode(bytes) == Self.goldenEvent)
    let view = try FrameView(bytes.span, key: key.span)
    let parts = (view.kind, view.life, view.version, view.position, view.previousPosition)
    #expect(parts == (3, 2, 3, Self.position, 7))
    let names = [String(validating: view.tenant), String(validating: view.sessionID)]
    #expect(names == ["acme", "s-ö"])
    let isWhole = view.isPayloadIntact && !view.isErased
    #expect(isWhole)
    let follows = (view.follows(Self.goldenPrevious), view.follows(.zero))
    #expect(follows == (true, false))
  }

  @Test("the digests cover what they say: salt and payload; and chain, header and payload digest")
  func digests() {
    let bytes = bytes(hexadecimal: Self.golden)
    let headerEnd = 46 + 4 + 4
    let payload = sha256(Array(bytes[(headerEnd + 64)...]).span).bytes
    #expect(Array(bytes[headerEnd..<headerEnd + 32]) == payload)
    let chain = sha256((Self.goldenPrevious.bytes + bytes[8..<headerEnd] + payload).span)
    #expect(Array(bytes[headerEnd + 32..<headerEnd + 64]) == chain.bytes)
    #expect(Array(bytes[(headerEnd + 64)..<(headerEnd + 80)]) == Self.goldenSalt)
  }

  @Test("any event comes back as it was", arguments: propertySeeds())
  func roundTrip(_ seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    for _ in 0..<300 {
      let name = String((randomness.text(1...40) + "x").prefix(40))
      let event = randomness.event(
        SessionID(valid: name), position: Self.position, at: randomness.number(.min ... .max))
      let bytes = encode(event, salt: randomness.bytes(16), previous: sha256(randomness.bytes(8).span))
      #expect(try decode(bytes) == event, "seed \(seed)")
    }
  }

  @Test("each flipped bit is detected")
  func flippedBits() {
    let bytes = encode(Self.goldenEvent)
    for bit in 0..<bytes.count * 8 {
      #expect(throws: DamagedRecord.self, "bit \(bit)") { try decode(bytes.flipping(bit: bit)) }
    }
  }

  @Test("each flipped bit under a checksum that was made to fit breaks payload, chain or form")
  func tamperedBits() {
    let bytes = encode(Self.goldenEvent)
    for bit in 64..<bytes.count * 8 {
      let tampered = resealed(bytes.flipping(bit: bit), Self.tenant, Self.position)
      guard let view = try? FrameView(tampered.span, key: key.span) else { continue }
      let isProved = view.isPayloadIntact && view.follows(Self.goldenPrevious)
      #expect(!isProved, "bit \(bit)")
    }
  }

  @Test("a record is only good under its own key")
  func otherKey() {
    let bytes = encode(Self.goldenEvent)
    for bit in 0..<key.count * 8 {
      #expect(throws: DamagedRecord.self) { try decode(bytes, key: key.flipping(bit: bit)) }
    }
  }

  @Test("a record that is cut short or has more at its end is refused, under its old checksum")
  func truncation() {
    let bytes = encode(Self.goldenEvent)
    for count in 0..<bytes.count { #expect(throws: DamagedRecord.self) { try decode(Array(bytes[..<count])) } }
    #expect(throws: DamagedRecord.self) { try decode(bytes + [0]) }
  }

  @Test(
    "cut or random bytes under a fitting checksum are read or refused, and never end the process",
    arguments: propertySeeds())
  func garbage(_ seed: UInt64) {
    var randomness = SeededRandomness(seed: seed)
    let good = encode(Self.goldenEvent)
    func read(_ bytes: [UInt8]) {
      let sealed = resealed(bytes, Self.tenant, Self.position)
      guard let view = try? FrameView(sealed.span, key: key.span) else { return }
      _ = (view.isPayloadIntact, view.follows(.zero), view.isErased)
      _ = try? view.event()
    }
    for count in 0...good.count { read(Array(good[..<count])) }
    for _ in 0..<3000 {
      var bytes = randomness.chance(2) ? randomness.bytes(randomness.number(9...200)) : good
      for _ in 0..<randomness.number(1...5) {
        bytes[randomness.number(0...bytes.count - 1)] = randomness.number(0...255)
      }
      bytes[8] = randomness.chance(20) ? 0 : 1
      read(bytes)
    }
  }

  @Test("an erased record keeps everything but changes, origin and request, and still follows its predecessor")
  func erasure() throws {
    let bytes = erased(encode(Self.goldenEvent), Self.tenant, Self.position)
    let view = try FrameView(bytes.span, key: key.span)
    let facts = (view.isErased, view.isPayloadIntact, view.follows(Self.goldenPrevious))
    #expect(facts == (true, true, true))
    var expected = Self.goldenEvent
    expected.changes = ContextChanges()
    expected.origin = Origin(actor: "")
    expected.request = nil
    #expect(try view.event() == expected)
  }

  @Test("half an erasure is refused: salt without payload, or a part of the salt", arguments: 1...16)
  func halfErasure(_ left: Int) {
    let whole = encode(Self.goldenEvent)
    let bytes = Array(whole[..<(46 + 8 + 64 + left)])
    #expect(throws: DamagedRecord.self) { try decode(resealed(bytes, Self.tenant, Self.position)) }
  }

  @Test("another format and an unknown event type are refused by their numbers")
  func unknown() {
    var bytes = encode(Self.goldenEvent)
    bytes[8] = 2
    var error = #expect(throws: DamagedRecord.self) { try decode(resealed(bytes, Self.tenant, Self.position)) }
    #expect(error?.reason == "the record has format 2")
    (bytes[8], bytes[9]) = (1, 10)
    error = #expect(throws: DamagedRecord.self) { try decode(resealed(bytes, Self.tenant, Self.position)) }
    #expect(error?.reason == "there is no event type 10")
  }

  @Test("the same event with another salt has another digest: nobody can guess an erased payload")
  func salt() throws {
    let other = encode(Self.goldenEvent, salt: [UInt8](repeating: 1, count: 16))
    let views = (
      try FrameView(other.span, key: key.span).payloadDigest,
      try FrameView(encode(Self.goldenEvent).span, key: key.span).payloadDigest
    )
    #expect(views.0 != views.1)
  }
}
