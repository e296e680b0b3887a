/// The name of a tenant: `^[a-z][a-z0-9]+$`, 3 to 16 characters (API contract).
///
/// Anyone can hold a name. What opens a tenant's data is an ``AuthorizedTenant``.
public struct TenantID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The name as text.
  public let description: String

  /// The tenant of that name, or nil when the name is not well-formed.
  public init?(_ name: String) {
    self.init(utf8: Array(name.utf8)[...])
  }

  /// The tenant whose name is those bytes, or nil when the name is not well-formed.
  public init?(utf8 name: ArraySlice<UInt8>) {
    guard (3...16).contains(name.count), let first = name.first, Self.isLetter(first) else { return nil }
    for byte in name where !Self.isLetter(byte) && !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
      return nil
    }
    description = String(decoding: name, as: UTF8.self)
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
  }

  /// In the order of the names' bytes, which is the order of their logs.
  public static func < (left: TenantID, right: TenantID) -> Bool { left.description < right.description }
}

/// A tenant whose data the caller may touch: the proof that every call of the store asks for.
///
/// Only an authoriser makes one. The initialiser is hidden behind an SPI that just the authorising files import, so that
/// no other code path can reach a session.
public struct AuthorizedTenant: Hashable, Sendable {
  /// The tenant.
  public let id: TenantID

  /// Grants access to `id`. For authorisers alone.
  @_spi(Authorizer)
  public init(granting id: TenantID) {
    self.id = id
  }
}

/// The name of a session within its tenant: 1 to 200 bytes of UTF-8 without control characters (API contract).
public struct SessionID: Hashable, Sendable, CustomStringConvertible {
  /// The name as text.
  public let description: String

  /// The session of that name, or nil when it is empty, too long or holds a control character.
  public init?(_ name: String) {
    guard name.isName else { return nil }
    description = name
  }

  /// The session whose name is those bytes, or nil when they aren't UTF-8 or the name is not well-formed.
  public init?(utf8 name: ArraySlice<UInt8>) {
    guard String.nameBytes.contains(name.count) else { return nil }
    for byte in name where byte.isControlCharacter { return nil }
    guard let text = try? UTF8Span(validating: name.span) else { return nil }
    description = String(copying: text)
  }

  /// Whether both are the same bytes.
  public static func == (left: SessionID, right: SessionID) -> Bool {
    left.description.isIdentical(to: right.description)
  }

  /// Hashes the bytes. The text's own hash is the same for all that are canonically equivalent, so that somebody could
  /// choose thousands of ids that collide.
  public func hash(into hasher: inout Hasher) {
    for byte in description.utf8 { hasher.combine(byte) }
    hasher.combine(UInt8.max)  // No byte of UTF-8: the end.
  }
}

extension String {
  /// How many bytes the name of a session, a customer or an attribute may have.
  public static let nameBytes = 1...200

  /// Whether the text can be the name of a session, a customer or an attribute: 1 to 200 bytes without control characters
  /// (API contract).
  public var isName: Bool { Self.nameBytes.contains(utf8.count) && !utf8.contains { $0.isControlCharacter } }
}

extension UInt8 {
  /// Whether the byte is a character below U+0020, or U+007F.
  fileprivate var isControlCharacter: Bool { self < 0x20 || self == 0x7f }
}

/// A point in time: microseconds since 1970-01-01T00:00:00Z, without leap seconds.
public struct Instant: Hashable, Comparable, Sendable {
  /// Microseconds since the epoch.
  public var microseconds: Int64

  /// The instant that many microseconds after the epoch.
  public init(microseconds: Int64) {
    self.microseconds = microseconds
  }

  /// Whether `left` is the earlier one.
  public static func < (left: Instant, right: Instant) -> Bool { left.microseconds < right.microseconds }

  /// The instant `seconds` later, or the latest there is.
  public func advanced(bySeconds seconds: Int64) -> Instant {
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
    let (sum, overflow2) = microseconds.addingReportingOverflow(product)
    return Instant(microseconds: overflow || overflow2 ? .max : sum)
  }
}
