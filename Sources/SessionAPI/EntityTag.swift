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

/// The versions that an `If-Match` or `If-None-Match` names; tags that can't be ours are left out, since they match none.
/// Nil when the value isn't `*` or a list of entity tags.
///
/// - Parameter weak: whether weak tags count: they do for `If-None-Match` and don't for `If-Match` (RFC 9110, 13.1).
func parseEntityTags(_ value: String, weak: Bool) -> Precondition.Versions? {
  if value == "*" { return .any }
  var versions: [UInt32] = []
  var rest = Substring(value)
  var isFirst = true
  while true {
    // RFC 9110, 5.6.1.2: empty elements are ignored.
    let gap = rest.prefix { $0 == " " || $0 == "\t" || $0 == "," }
    rest = rest[gap.endIndex...]
    if rest.isEmpty { return isFirst ? nil : .oneOf(versions) }
    guard isFirst || gap.contains(",") else { return nil }
    isFirst = false
    let isWeak = rest.hasPrefix("W/")
    if isWeak { rest = rest.dropFirst(2) }
    guard rest.first == "\"", let end = rest.dropFirst().firstIndex(of: "\"") else { return nil }
    let tag = rest[rest.index(after: rest.startIndex)..<end]
    rest = rest[rest.index(after: end)...]
    if let version = UInt32(tag), String(version) == tag, weak || !isWeak { versions.append(version) }
  }
}
