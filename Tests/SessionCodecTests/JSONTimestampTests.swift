import SessionCodec
import SessionModel
import Testing

private func milliseconds(_ instant: Instant) -> String {
  var bytes: [UInt8] = []
  bytes.appendTimestamp(instant)
  return String(decoding: bytes, as: UTF8.self)
}

@Suite("Timestamps of RFC 3339")
struct JSONTimestampTests {
  @Test(
    "known instants",
    arguments: [
      (0, "1970-01-01T00:00:00.000000Z"),
      (1_663_677_232_456_789, "2022-09-20T12:33:52.456789Z"),
      (-1, "1969-12-31T23:59:59.999999Z"),
      (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
      (951_868_800_000_000, "2000-03-01T00:00:00.000000Z"),
      (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
      (4_107_542_399_999_999, "2100-02-28T23:59:59.999999Z"),
      (1_709_164_800_000_000, "2024-02-29T00:00:00.000000Z"),
      (-11_676_096_000_000_000, "1600-01-01T00:00:00.000000Z"),
      (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
      (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ] as [(Int64, String)])
  func known(microseconds: Int64, text: String) {
    let instant = Instant(microseconds: microseconds)
    #expect(instant.rfc3339 == text)
    #expect(Instant(rfc3339: text) == instant)
    #expect(milliseconds(instant) == text.dropLast(4) + "Z")
  }

  @Test("years beyond four digits are shown as the nearest that have them")
  func clamped() {
    #expect(Instant(microseconds: .max).rfc3339 == "9999-12-31T23:59:59.999999Z")
    #expect(Instant(microseconds: .min).rfc3339 == "0001-01-01T00:00:00.000000Z")
    #expect(milliseconds(Instant(microseconds: .max)) == "9999-12-31T23:59:59.999Z")
    #expect(milliseconds(Instant(microseconds: .min)) == "0001-01-01T00:00:00.000Z")
  }

  @Test("milliseconds are cut off, not rounded, before 1970 too")
  func truncated() {
    #expect(milliseconds(Instant(microseconds: 1_999_999)) == "1970-01-01T00:00:01.999Z")
    #expect(milliseconds(Instant(microseconds: -1)) == "1969-12-31T23:59:59.999Z")
    #expect(milliseconds(Instant(microseconds: -1001)) == "1969-12-31T23:59:59.998Z")
  }

  @Test(
    "offsets, fractions and lower case are understood",
    arguments: [
      ("1970-01-01T00:00:00Z", 0), ("1970-01-01t00:00:00z", 0), ("1970-01-01T02:00:00+02:00", 0),
      ("1969-12-31T18:30:00-05:30", 0), ("1970-01-01T00:00:00-00:00", 0), ("1970-01-01T00:00:00+00:00", 0),
      ("1970-01-01T23:59:00+23:59", 0), ("1970-01-01T00:00:00.5Z", 500_000), ("1970-01-01T00:00:00.000001Z", 1),
      ("1970-01-01T00:00:00.0000019999999999999999999Z", 1), ("1970-01-01T00:00:01.25+00:00", 1_250_000),
      ("2016-12-31T23:59:60Z", 1_483_228_799_999_999), ("2016-12-31T23:59:60.5Z", 1_483_228_799_999_999),
      ("2017-01-01T05:29:60+05:30", 1_483_228_799_999_999), ("2016-12-31T15:59:60-08:00", 1_483_228_799_999_999),
      ("2016-12-31T23:59:59.999999Z", 1_483_228_799_999_999), ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
      ("9999-12-31T23:59:59-23:59", 253_402_387_139_000_000),
    ] as [(String, Int64)])
  func forms(text: String, microseconds: Int64) {
    #expect(Instant(rfc3339: text) == Instant(microseconds: microseconds))
  }

  @Test(
    "anything else is refused",
    arguments: [
      "", "Z", "1970", "1970-01-01", "1970-01-01T00:00Z", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z",
      "1970-01-01T00:00:00 Z",
      " 1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z ", "1970-01-01T00:00:00ZZ", "1970-1-01T00:00:00Z",
      "70-01-01T00:00:00Z",
      "01970-01-01T00:00:00Z", "1970-00-01T00:00:00Z", "1970-13-01T00:00:00Z", "1970-01-00T00:00:00Z",
      "1970-01-32T00:00:00Z",
      "1970-04-31T00:00:00Z", "1970-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
      "2024-02-30T00:00:00Z",
      "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1970-01-01T00:00:61Z", "1970-01-01T00:00:60Z",
      "2016-12-31T23:58:60Z",
      "2016-12-31T23:59:60+01:00", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00,5Z", "1970-01-01T00:00:00.5",
      "1970-01-01T00:00:00+0100",
      "1970-01-01T00:00:00+01", "1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00+00:60", "1970-01-01T00:00:00+1:00",
      "1970-01-01T00:00:00+-1:00", "-970-01-01T00:00:00Z", "+970-01-01T00:00:00Z", "1970-01-01T00:00:0\u{661}Z",
      "1970-01-01T00:00:00Ｚ",
      "1970-01-01T-1:00:00Z", "1970-01-01T00:00:00\u{0}", "now",
    ])
  func refused(text: String) {
    #expect(Instant(rfc3339: text) == nil)
  }

  @Test("every day of four centuries follows the one before")
  func days() {
    var (year, month, day) = (1899, 12, 31)
    for number in Int64(-25567)..<Int64(-25567) + 146_097 {
      day += 1
      let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
      if day > [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] {
        (month, day) = (month + 1, 1)
      }
      if month > 12 { (year, month) = (year + 1, 1) }
      func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
      let text = "\(year)-\(padded(month))-\(padded(day))T00:00:00.000000Z"
      let instant = Instant(microseconds: number * 86_400_000_000)
      guard instant.rfc3339 == text, Instant(rfc3339: text) == instant else {
        Issue.record("\(instant.rfc3339) instead of \(text)")
        return
      }
    }
  }

  @Test("instants survive the way through text", arguments: seeds())
  func roundTrip(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<5000 {
      let instant = Instant(
        microseconds: .random(in: -62_135_596_800_000_000...253_402_300_799_999_999, using: &random))
      #expect(Instant(rfc3339: instant.rfc3339) == instant)
      let cut = Instant(rfc3339: milliseconds(instant))
      #expect(cut.map { (0..<1000).contains(instant.microseconds - $0.microseconds) } == true)
    }
  }
}
