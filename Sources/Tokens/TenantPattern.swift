/// Text with one `*` that stands for the tenant's name, as in `urn:shop:*`: for issuers that wrap the name.
public struct TenantPattern: Sendable, Equatable {
  let prefix: [UInt8]
  let suffix: [UInt8]

  /// The pattern, or nil when `text` does not hold exactly one `*`.
  public init?(_ text: String) {
    let parts = text.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    prefix = Array(parts[0])
    suffix = Array(parts[1])
  }

  /// The entries of a scope that name a tenant: `tenant=acme` (API contract, section 3).
  static let scopeEntry = TenantPattern(prefix: "tenant=", suffix: "")

  private init(prefix: String, suffix: String) {
    self.prefix = Array(prefix.utf8)
    self.suffix = Array(suffix.utf8)
  }

  /// What stands in the place of the `*`, or nil when `text` does not fit or leaves it empty.
  func tenant(in text: String) -> String? {
    let bytes = Array(text.utf8)
    guard bytes.count > prefix.count + suffix.count, bytes.starts(with: prefix),
      bytes.suffix(suffix.count).elementsEqual(suffix)
    else { return nil }
    return String(validating: bytes[prefix.count..<(bytes.count - suffix.count)], as: UTF8.self)
  }
}
