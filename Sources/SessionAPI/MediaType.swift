internal import HTTPServer
internal import Platform

/// The answer to a body that isn't JSON by its type, nil when it is, or has none.
func refusalOfType(_ exchange: HTTPExchange) -> HTTPResponse? {
  guard exchange.withHeader(.contentType, isJSON) == false else { return nil }
  let fields = [HTTPResponse.Field(.accept, "application/json")]
  return AnswerFactory.error(415, "The body must be application/json", fields: fields)
}

/// Whether a content type is JSON: `application/json`, or a type with the suffix `+json` (RFC 6839), in upper or lower
/// case (RFC 9110, 8.3.1).
private func isJSON(_ contentType: Span<UInt8>) -> Bool {
  var end = 0
  while end < contentType.count, contentType[end] != UInt8(ascii: ";") { end += 1 }
  while end > 0, contentType[end - 1] == UInt8(ascii: " ") || contentType[end - 1] == UInt8(ascii: "\t") { end -= 1 }
  let type = contentType.extracting(0..<end)
  return type.isEqual(toLowercase: "application/json")
    || type.extracting(first: 12).isEqual(toLowercase: "application/")
      && type.extracting(last: 5).isEqual(toLowercase: "+json")
}

extension Span<UInt8> {
  /// Whether these are the bytes of `text`, which is ASCII in lower case, but for the case of letters.
  fileprivate func isEqual(toLowercase text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    return text.withUTF8Buffer { lowercase in
      indices.allSatisfy { index in
        let isLetter = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self[index])
        return unsafe (isLetter ? self[index] | 0x20 : self[index]) == lowercase[index]
      }
    }
  }
}
