import Platform
import SessionCodec
import SessionModel
import TestSupport

@testable import SessionAPI

/// Targets as clients send them: taken apart, put together again, and taken apart to the same.
func fuzzPath(_ bytes: [UInt8]) {
  checkDecoding(bytes)
  checkTime(bytes)
  guard let target = try? RequestTarget(bytes) else { return }
  let path = "/session-context/\(target.tenant)" + path(of: target.route)
  // Its own spelling of each part stands for the same resource, with or without a query.
  guard let again = try? RequestTarget(Array(path.utf8)) else { return require(false, "\(path) is refused") }
  require(again.tenant == target.tenant && again.route == target.route, "\(path) is read as \(again.route)")
  let part = bytes.prefix { $0 != UInt8(ascii: "?") }.split(separator: UInt8(ascii: "/"))
  require(part.count >= 3, "a path of \(part.count) parts is taken for \(target.route)")
}

private func path(of route: Route) -> String {
  switch route {
  case .context(let id): "/context/" + percentEncoded(id.description)
  case .attributes(let id): "/context/\(percentEncoded(id.description))/attributes"
  case .attribute(let id, let name): "/context/\(percentEncoded(id.description))/attributes/" + percentEncoded(name)
  case .contextEvents(let id): "/context/\(percentEncoded(id.description))/events"
  case .contextDiff(let id): "/context/\(percentEncoded(id.description))/diff"
  case .contexts: "/contexts"
  case .events: "/events"
  case .erasures: "/erasures"
  case .ownContext: "/me/context"
  case .ownAttributes: "/me/context/attributes"
  case .ownAttribute(let name): "/me/context/attributes/" + percentEncoded(name)
  }
}

/// A second decoder of percent escapes, which reads text.
private func checkDecoding(_ bytes: [UInt8]) {
  let decoded = percentDecoded(bytes[...])
  var plain: [UInt8]? = []
  var rest = bytes[...]
  while let byte = rest.popFirst() {
    guard byte == UInt8(ascii: "%") else {
      plain?.append(byte)
      continue
    }
    let digits = rest.prefix(2)
    rest = rest.dropFirst(2)
    let isHexadecimal = digits.count == 2 && digits.allSatisfy { Character(UnicodeScalar($0)).isHexDigit && $0 < 0x80 }
    guard let value = isHexadecimal ? UInt8(String(decoding: digits, as: UTF8.self), radix: 16) : nil else {
      plain = nil
      break
    }
    plain?.append(value)
  }
  let expected = plain.flatMap { String(validating: $0, as: UTF8.self) }
  require(
    decoded.map { Array($0.utf8) } == expected.map { Array($0.utf8) }, "\(bytes) is decoded to \(decoded ?? "nil")")
  if let decoded {
    let encoded = percentEncoded(decoded)
    require(percentDecoded(Array(encoded.utf8)[...])?.utf8.elementsEqual(decoded.utf8) == true, "\(encoded) is lost")
  }
}

/// A time that is read is written as the same time, to the millisecond that is written; outside the years 1 to 9999 as the
/// nearest within them.
private func checkTime(_ bytes: [UInt8]) {
  guard let text = String(validating: bytes, as: UTF8.self) else { return }
  if let versions = parseEntityTags(text, weak: true) {
    require(versions.contains(0) || versions != .any, "* names no version")
  }
  guard let instant = Instant(rfc3339: text) else { return }
  var written: [UInt8] = []
  written.appendTimestamp(instant)
  guard let again = Instant(rfc3339: String(decoding: written, as: UTF8.self).filter { $0 != "\"" }) else {
    return require(false, "\(text) is written as \(String(decoding: written, as: UTF8.self)), which can't be read")
  }
  let shown = min(max(instant.microseconds, -62_135_596_800_000_000), 253_402_300_799_999_999)
  require((0..<1000).contains(shown - again.microseconds), "\(text) is written as \(again)")
}

/// Bodies of requests: read or refused as by a second reader, and never with other values.
func fuzzJSON(_ bytes: [UInt8]) {
  let members = JSONOracle.members(bytes)
  let meant = members.flatMap { JSONOracle.context($0) }
  switch readContextBody(bytes.span) {
  case .success(let body): require(body == meant, "\(body) is read instead of \(String(describing: meant))")
  case .failure(let problem):
    require(meant == nil, "\(problem) is found in what means \(String(describing: meant))")
    require((1...BodyProblem.maximumDetails).contains(problem.details.count), "\(problem.details.count) details")
  }
  if case .success(let attribute) = readAttributeBody(bytes.span) {
    let key = members?.first { $0.name == "key" }?.value
    let value = members?.first { $0.name == "value" }?.value
    guard case .string(let name)? = key?.kind else { return require(false, "an attribute without a key is read") }
    require(
      name.utf8.elementsEqual(attribute.name.utf8) && value.map { Array($0.raw) } == attribute.value,
      "another attribute is read: \(attribute)")
  }
  if case .success(let erasure) = readErasureBody(bytes.span) {
    require(members?.count == 1, "an erasure with \(members?.count ?? 0) members is read")
    guard case .string(let text)? = members?.first?.value.kind else { return require(false, "no text is read") }
    switch erasure {
    case .session(let id): require(id.description.utf8.elementsEqual(text.utf8), "\(id) instead of \(text) goes")
    case .customer(let id): require(id.utf8.elementsEqual(text.utf8), "\(id) instead of \(text) goes")
    }
  }
}
