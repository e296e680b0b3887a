public import SessionModel

extension Instant {
  /// The instant that `text` names by RFC 3339, such as `2022-09-20T14:33:52.456+02:00`, or nil when it is something else.
  ///
  /// Digits of the fraction beyond the microsecond are cut off. A leap second, which can only stand at 23:59:60 UTC,
  /// becomes the last microsecond of its minute, since instants do not count leap seconds.
  public init?(rfc3339 text: String) {
    var reader = TimestampReader(text)
    guard let instant = reader.read() else { return nil }
    self = instant
  }

  /// The instant by RFC 3339 in UTC, to the microsecond: `2022-09-20T12:33:52.456789Z`.
  public var rfc3339: String {
    var bytes: [UInt8] = []
    bytes.appendTimestampMicroseconds(self)
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// Reads a timestamp from left to right (RFC 3339, 5.6).
private struct TimestampReader {
  private let bytes: [UInt8]
  private var place = 0

  init(_ text: String) {
    bytes = Array(text.utf8)
  }

  mutating func read() -> Instant? {
    guard let date = readDate(), skip("T", "t"), let hour = number(digits: 2, in: 0...23), skip(":"),
      let minute = number(digits: 2, in: 0...59), skip(":"), let second = number(digits: 2, in: 0...60),
      let microsecond = readFraction(), let offset = readOffset(), place == bytes.count
    else { return nil }
    let isLeapSecond = second == 60
    let time = CivilTime(
      year: date.year, month: date.month, day: date.day, hour: hour, minute: minute, second: isLeapSecond ? 59 : second,
      microsecond: isLeapSecond ? 999_999 : microsecond)
    let instant = time.instant.advanced(bySeconds: Int64(-60 * offset))
    if isLeapSecond {
      let utc = CivilTime(instant)
      guard utc.hour == 23 && utc.minute == 59 else { return nil }
    }
    return instant
  }

  private mutating func readDate() -> CivilTime? {
    guard let year = number(digits: 4, in: 0...9999), skip("-"), let month = number(digits: 2, in: 1...12), skip("-"),
      let day = number(digits: 2, in: 1...31)
    else { return nil }
    let date = CivilTime(year: year, month: month, day: day, hour: 0, minute: 0, second: 0, microsecond: 0)
    return day <= date.daysInMonth ? date : nil
  }

  /// Microseconds; 0 when there is no fraction.
  private mutating func readFraction() -> Int? {
    guard skip(".") else { return 0 }
    var microsecond = 0
    var weight = 100_000
    guard let first = number(digits: 1, in: 0...9) else { return nil }
    microsecond += first * weight
    while let digit = number(digits: 1, in: 0...9) {
      weight /= 10
      microsecond += digit * weight
    }
    return microsecond
  }

  /// Minutes east of UTC.
  private mutating func readOffset() -> Int? {
    if skip("Z", "z") { return 0 }
    let isEast = skip("+")
    guard isEast || skip("-"), let hours = number(digits: 2, in: 0...23), skip(":"),
      let minutes = number(digits: 2, in: 0...59)
    else { return nil }
    return (isEast ? 1 : -1) * (hours * 60 + minutes)
  }

  private mutating func number(digits: Int, in range: ClosedRange<Int>) -> Int? {
    guard bytes.count - place >= digits else { return nil }
    var number = 0
    for byte in bytes[place..<place + digits] {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
      number = number * 10 + Int(byte - UInt8(ascii: "0"))
    }
    guard range.contains(number) else { return nil }
    place += digits
    return number
  }

  private mutating func skip(_ characters: Unicode.Scalar...) -> Bool {
    guard place < bytes.count, characters.contains(where: { UInt8(ascii: $0) == bytes[place] }) else { return false }
    place += 1
    return true
  }
}
