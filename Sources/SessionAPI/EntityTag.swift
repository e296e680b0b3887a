internal import Platform
internal import SessionCodec
internal import SessionModel

// Entity tags (RFC 9110, 8.8.3). Ours are strong and hold the version: "4".

/// The entity tag of a version.
func entityTag(_ version: UInt32) -> String {
  String(byteCapacity: 12) {
    $0.append(UInt8(ascii: "\""))
    $0.appendDecimal(UInt64(version))
    $0.append(UInt8(ascii: "\""))
  }
}

/// How many entity tags a list may have.
let maximumEntityTags = 64

/// The versions that an `If-Match` or `If-None-Match` names; tags that can't be ours are left out, since they match none.
/// Nil when the value isn't `*` or a list of at most ``maximumEntityTags`` entity tags.
///
/// - Parameter weak: whether weak tags count: they do for `If-None-Match` and don't for `If-Match` (RFC 9110, 13.1).
func parseEntityTags(_ value: String, weak: Bool) -> Precondition.Versions? {
  // By bytes: client's texts may take quadratic time to compare as such.
  var rest = value.utf8[...]
  if rest.elementsEqual("*".utf8) { return .any }
  var versions: [UInt32] = []
  var count = 0
  while true {
    // RFC 9110, 5.6.1.2: empty elements are ignored.
    let gap = rest.prefix { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: ",") }
    rest = rest[gap.endIndex...]
    if rest.isEmpty { return count == 0 ? nil : .oneOf(versions) }
    guard count == 0 || gap.contains(UInt8(ascii: ",")), count < maximumEntityTags else { return nil }
    count += 1
    let isWeak = rest.starts(with: "W/".utf8)
    if isWeak { rest = rest.dropFirst(2) }
    let quote = UInt8(ascii: "\"")
    guard rest.first == quote, let end = rest.dropFirst().firstIndex(of: quote) else { return nil }
    let tag = rest[..<end].dropFirst()
    rest = rest[end...].dropFirst()
    if weak || !isWeak, let version = version(tag) { versions.append(version) }
  }
}

/// The version that a tag spells as we do: digits without a zero before them.
private func version(_ tag: Substring.UTF8View) -> UInt32? {
  tag.first == UInt8(ascii: "0") ? nil : UInt32(digits: Substring(tag))
}
