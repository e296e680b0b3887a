internal import Platform
public import SessionModel

extension [UInt8] {
  /// Appends `text` as a JSON string, with its quotes.
  public mutating func appendJSONString(_ text: String) {
    text.withBytes { appendJSONString($0) }
  }

  /// Appends `text`, which must be valid UTF-8, as a JSON string, with its quotes.
  ///
  /// Only what RFC 8259 (7) requires is escaped: quotation mark, backslash, and control characters below U+0020.
  public mutating func appendJSONString(_ text: Span<UInt8>) {
    append(addingCapacity: jsonStringBytes(upTo: text.count)) { $0.appendJSONString(text) }
  }

  /// Appends `number`, of at most 64 bits, in decimal digits.
  @inlinable
  public mutating func appendDecimal(_ number: some FixedWidthInteger) {
    if number < 0 { append(UInt8(ascii: "-")) }
    appendDigits(UInt64(number.magnitude))
  }

  @usableFromInline
  mutating func appendDigits(_ number: UInt64) {
    append(addingCapacity: 20) { $0.appendDecimal(number) }
  }

  /// Appends `instant` in UTC, cut to milliseconds, without quotes: `2022-09-20T12:33:52.456Z`.
  ///
  /// Instants outside the years 1 to 9999 are shown as the nearest within them.
  public mutating func appendTimestamp(_ instant: Instant) {
    append(copying: timestamp(instant).span)
  }

  /// Appends `instant` in UTC, to the microsecond, without quotes: `2022-09-20T12:33:52.456789Z`.
  ///
  /// Instants outside the years 1 to 9999 are shown as the nearest within them.
  public mutating func appendTimestampMicroseconds(_ instant: Instant) {
    let time = CivilTime(instant)
    var text = InlineArray<27, UInt8>(repeating: UInt8(ascii: "Z"))
    text.write(time)
    text.write(time.microsecond, digits: 6, at: 20)
    append(copying: text.span)
  }
}

/// The longest JSON string that a text of `count` bytes can become: each byte six, as in `\u001f`, and the quotes.
func jsonStringBytes(upTo count: Int) -> Int { 6 * count + 2 }

extension OutputSpan<UInt8> {
  /// Appends `text`, which must be valid UTF-8, as a JSON string, with its quotes: at most ``jsonStringBytes(upTo:)``.
  @_lifetime(self: copy self)
  mutating func appendJSONString(_ text: Span<UInt8>) {
    append(UInt8(ascii: "\""))
    var copied = 0
    var place = text.firstToEscape(from: 0)
    while place < text.count {
      append(copying: text.extracting(copied..<place))
      appendEscape(text[place])
      copied = place + 1
      place = text.firstToEscape(from: copied)
    }
    append(copying: copied == 0 ? text : text.extracting(copied..<text.count))
    append(UInt8(ascii: "\""))
  }

  @_lifetime(self: copy self)
  private mutating func appendEscape(_ byte: UInt8) {
    append(UInt8(ascii: "\\"))
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(byte)
    case 0x08: append(UInt8(ascii: "b"))
    case 0x09: append(UInt8(ascii: "t"))
    case 0x0a: append(UInt8(ascii: "n"))
    case 0x0c: append(UInt8(ascii: "f"))
    case 0x0d: append(UInt8(ascii: "r"))
    default:
      append("u00")
      append(UInt8(ascii: "0") + byte >> 4)
      append(byte & 15 < 10 ? UInt8(ascii: "0") + byte & 15 : UInt8(ascii: "a") + byte & 15 - 10)
    }
  }

  /// Appends `number` in decimal digits, at most 20.
  @_lifetime(self: copy self)
  public mutating func appendDecimal(_ number: UInt64) {
    var digits = InlineArray<20, UInt8>(repeating: 0)
    var first = digits.count
    var rest = number
    repeat {
      first -= 1
      digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    } while rest > 0
    append(copying: digits.span.extracting(first..<digits.count))
  }

  /// Appends `instant` in UTC, cut to milliseconds, without quotes: 24 bytes.
  @_lifetime(self: copy self)
  mutating func appendTimestamp(_ instant: Instant) {
    append(copying: timestamp(instant).span)
  }
}

extension Span<UInt8> {
  /// The place of the first byte from `start` on that a JSON string has to escape, or the end.
  fileprivate func firstToEscape(from start: Int) -> Int {
    var place = start
    while count - place >= 8 {
      let word: UInt64 = loadLittleEndian(at: place)
      let found = zeroBytes(word ^ ones &* 0x22) | zeroBytes(word ^ ones &* 0x5c) | bytesBelowSpace(word)
      // The lowest mark is exact; a borrow can only set marks above it.
      if found != 0 { return place + found.trailingZeroBitCount / 8 }
      place += 8
    }
    while place < count {
      let byte = self[place]
      if byte < 0x20 || byte == 0x22 || byte == 0x5c { return place }
      place += 1
    }
    return place
  }
}

// Eight bytes at a time: a set top bit marks each byte of the word that has the property.
private let ones: UInt64 = 0x0101_0101_0101_0101

private func zeroBytes(_ word: UInt64) -> UInt64 { (word &- ones) & ~word & (ones &* 0x80) }

private func bytesBelowSpace(_ word: UInt64) -> UInt64 { (word &- ones &* 0x20) & ~word & (ones &* 0x80) }

/// `instant` in UTC, cut to milliseconds.
private func timestamp(_ instant: Instant) -> InlineArray<24, UInt8> {
  let time = CivilTime(instant)
  var text = InlineArray<24, UInt8>(repeating: UInt8(ascii: "Z"))
  text.write(time)
  text.write(time.microsecond / 1000, digits: 3, at: 20)
  return text
}

extension InlineArray where Element == UInt8 {
  /// Writes date and time to the second with the point behind them: the first 20 bytes of a timestamp.
  fileprivate mutating func write(_ time: CivilTime) {
    write(time.year, digits: 4, at: 0)
    self[4] = UInt8(ascii: "-")
    write(time.month, digits: 2, at: 5)
    self[7] = UInt8(ascii: "-")
    write(time.day, digits: 2, at: 8)
    self[10] = UInt8(ascii: "T")
    write(time.hour, digits: 2, at: 11)
    self[13] = UInt8(ascii: ":")
    write(time.minute, digits: 2, at: 14)
    self[16] = UInt8(ascii: ":")
    write(time.second, digits: 2, at: 17)
    self[19] = UInt8(ascii: ".")
  }

  fileprivate mutating func write(_ number: Int, digits: Int, at offset: Int) {
    var rest = UInt32(truncatingIfNeeded: number)
    var place = offset + digits
    while place > offset {
      place -= 1
      self[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
  }
}
