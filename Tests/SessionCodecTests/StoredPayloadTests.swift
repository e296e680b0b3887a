import SessionCodec
import SessionModel
import Testing
import TestSupport

@Suite("stored payloads") struct StoredPayloadTests {
  /// Every form of request mark, change and text, byte by byte as format 1 has it.
  static let golden = """
    02 0807060504030201 1817161514131211 2827262524232221 3837363534333231
    0c00 736572766963653a73686f70  0300 722d31  0000
    01 0400 6331c3a9  03 ffff  06 0000
    10 0200  0100 61 01000000 31  0300 782f79 07000000 7b2261223a317d
    """

  static let goldenPayload = StoredPayload(
    changes: ContextChanges(
      fields: [
        .init(field: .customerID, value: "c1é"), .init(field: .currency, value: nil),
        .init(field: .language, value: ""),
      ],
      attributes: .replaced([
        Attribute(name: "a", value: Array("1".utf8)), Attribute(name: "x/y", value: Array(#"{"a":1}"#.utf8)),
      ])),
    origin: Origin(actor: "service:shop", requestID: "r-1"),
    request: RequestMark(
      fingerprint: Fingerprint(low: 0x0102_0304_0506_0708, high: 0x1112_1314_1516_1718),
      key: Fingerprint(low: 0x2122_2324_2526_2728, high: 0x3132_3334_3536_3738)))

  private func decode(_ bytes: [UInt8]) throws -> StoredPayload { try StoredPayload(format1: bytes.span) }

  @Test("the bytes of format 1 are read as what was written, and written the same")
  func goldenBytes() throws {
    let bytes = bytes(hexadecimal: Self.golden)
    #expect(try decode(bytes) == Self.goldenPayload)
    #expect(Self.goldenPayload.bytes == bytes)
  }

  @Test(
    "the other forms: no request, no key, one attribute set, one removed",
    arguments: [
      ("00 0000 0000 0000", StoredPayload(changes: ContextChanges(), origin: Origin(actor: ""), request: nil)),
      (
        "01 0100000000000000 0200000000000000 0000 0000 0000",
        StoredPayload(
          changes: ContextChanges(), origin: Origin(actor: ""),
          request: RequestMark(fingerprint: Fingerprint(low: 1, high: 2)))
      ),
      (
        "00 0000 0000 0000 11 0100 61 04000000 6e756c6c",
        StoredPayload(
          changes: ContextChanges(attributes: .set(Attribute(name: "a", value: Array("null".utf8)))),
          origin: Origin(actor: ""), request: nil)
      ),
      (
        "00 0000 0000 0100 74 12 0100 61",
        StoredPayload(
          changes: ContextChanges(attributes: .removed("a")), origin: Origin(actor: "", traceParent: "t"), request: nil)
      ),
    ])
  func otherForms(_ hexadecimal: String, _ payload: StoredPayload) throws {
    let bytes = bytes(hexadecimal: hexadecimal)
    #expect(try decode(bytes) == payload)
    #expect(payload.bytes == bytes)
  }

  @Test("any payload comes back as it was", arguments: propertySeeds())
  func roundTrip(_ seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    for _ in 0..<500 {
      let event = randomness.event(SessionID(valid: "s"))
      let payload = StoredPayload(event)
      #expect(try decode(payload.bytes) == payload, "seed \(seed)")
    }
  }

  @Test("a payload that is cut short is either refused or, between two entries, a shorter one")
  func truncation() throws {
    let bytes = Self.goldenPayload.bytes
    for count in 0..<bytes.count {
      guard let shorter = try? decode(Array(bytes[..<count])) else { continue }
      #expect(shorter.bytes == Array(bytes[..<count]))
      #expect(shorter.changes.fields.count < 3 || shorter.changes.attributes == .unchanged)
    }
  }

  @Test(
    "random bytes, and good ones with changes, are read or refused, and never end the process",
    arguments: propertySeeds())
  func garbage(_ seed: UInt64) {
    var randomness = SeededRandomness(seed: seed)
    let good = Self.goldenPayload.bytes
    for _ in 0..<3000 {
      var bytes = randomness.chance(2) ? randomness.bytes(randomness.number(0...80)) : good
      if !bytes.isEmpty {
        for _ in 0..<randomness.number(1...4) {
          bytes[randomness.number(0...bytes.count - 1)] = randomness.number(0...255)
        }
      }
      // What can be read has the one form that it is written in.
      if let payload = try? decode(bytes) {
        let again = try? decode(payload.bytes)
        #expect(again == payload, "seed \(seed)")
      }
    }
  }

  @Test(
    "what can't be a payload is refused by its reason",
    arguments: [
      ("", "the record is cut short"), ("03", "there is no request mark of kind 3"),
      ("00 0000 0000 0000 07", "there is no field number 7"), ("00 0000 0000 0000 00", "there is no field number 0"),
      ("00 0100 ff 0000 0000", "a text is not UTF-8"), ("00 0000 0000 0000 01 0100 c3", "a text is not UTF-8"),
      ("00 0000 0000 0000 10 ffff", "the record is cut short"),
      ("00 0000 0000 0000 11 0000 ffffffff 00", "the record is cut short"),
    ])
  func reasons(_ hexadecimal: String, _ reason: String) {
    let error = #expect(throws: DamagedRecord.self) { try decode(bytes(hexadecimal: hexadecimal)) }
    #expect(error?.reason == reason)
  }
}
