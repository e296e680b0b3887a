internal import Platform

/// The text that a percent-encoded part of a path or query stands for (RFC 3986, 2.1).
/// Nil when an escape is cut short or isn't hexadecimal, or the bytes aren't UTF-8.
func percentDecoded(_ encoded: ArraySlice<UInt8>) -> String? {
  percentDecodedBytes(encoded).flatMap { String(validating: $0.span) }
}

/// The bytes that a percent-encoded part of a path or query stands for. Nil when an escape is cut short or isn't
/// hexadecimal.
func percentDecodedBytes(_ encoded: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
  guard encoded.span.firstIndex(of: UInt8(ascii: "%")) != nil else { return encoded }
  var bytes: [UInt8] = []
  bytes.reserveCapacity(encoded.count)
  var index = encoded.startIndex
  while index < encoded.endIndex {
    guard encoded[index] == UInt8(ascii: "%") else {
      bytes.append(encoded[index])
      index += 1
      continue
    }
    guard encoded.endIndex - index > 2, let high = hexadecimalValue(encoded[index + 1]),
      let low = hexadecimalValue(encoded[index + 2])
    else { return nil }
    bytes.append(high << 4 | low)
    index += 3
  }
  return bytes[...]
}

/// The text as it stands in a path or query: unreserved characters (RFC 3986, 2.3) as they are, all others escaped.
func percentEncoded(_ text: String) -> String {
  let digits = Array("0123456789ABCDEF".utf8)
  var encoded: [UInt8] = []
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"):
      encoded.append(byte)
    default:
      encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
  }
  return String(decoding: encoded, as: UTF8.self)
}

private func hexadecimalValue(_ digit: UInt8) -> UInt8? {
  switch digit {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
  default: nil
  }
}
