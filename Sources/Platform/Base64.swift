private let base64Digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

/// The value of each byte as a digit of Base64, 255 for what is none.
private let base64Values: [UInt8] = {
  var values = [UInt8](repeating: .max, count: 256)
  for (value, digit) in base64Digits.enumerated() { values[Int(digit)] = UInt8(value) }
  return values
}()

extension [UInt8] {
  /// Appends `bytes` as Base64 with padding (RFC 4648, section 4).
  public mutating func appendBase64(_ bytes: Span<UInt8>) {
    let digits = base64Digits
    var index = 0
    while index < bytes.count {
      let count = Swift.min(3, bytes.count - index)
      var bits = UInt32(bytes[index]) << 16
      if count > 1 { bits |= UInt32(bytes[index + 1]) << 8 }
      if count > 2 { bits |= UInt32(bytes[index + 2]) }
      append(digits[Int(bits >> 18)])
      append(digits[Int(bits >> 12 & 63)])
      append(count > 1 ? digits[Int(bits >> 6 & 63)] : UInt8(ascii: "="))
      append(count > 2 ? digits[Int(bits & 63)] : UInt8(ascii: "="))
      index += 3
    }
  }

  /// The bytes whose Base64 with padding is `text`; nil when it is no such text, or has bits that stand for nothing.
  public init?(base64 text: Span<UInt8>) {
    guard text.count % 4 == 0 else { return nil }
    let values = base64Values
    let equals = UInt8(ascii: "=")
    self = []
    reserveCapacity(text.count / 4 * 3)
    var index = 0
    while index < text.count {
      var padding = 0
      if index + 4 == text.count {
        padding = text[index + 3] != equals ? 0 : text[index + 2] != equals ? 1 : 2
      }
      var bits: UInt32 = 0
      for place in 0..<4 - padding {
        let value = values[Int(text[index + place])]
        guard value < 64 else { return nil }
        bits |= UInt32(value) << UInt32(18 - 6 * place)
      }
      guard bits & (padding == 0 ? 0 : padding == 1 ? 0xff : 0xffff) == 0 else { return nil }
      append(UInt8(bits >> 16))
      if padding < 2 { append(UInt8(bits >> 8 & 0xff)) }
      if padding < 1 { append(UInt8(bits & 0xff)) }
      index += 4
    }
  }
}
