@_spi(Authorizer) public import SessionModel

extension TenantID {
  /// The tenant of a name that must be well-formed.
  public init(valid name: String) {
    guard let tenant = TenantID(name) else { preconditionFailure("\(name) is no tenant's name") }
    self = tenant
  }

  /// The proof that the tests may touch the tenant's data.
  public var authorized: AuthorizedTenant { AuthorizedTenant(granting: self) }
}

extension SessionID {
  /// The session of a name that must be well-formed.
  public init(valid name: String) {
    guard let session = SessionID(name) else { preconditionFailure("\(name) is no session's name") }
    self = session
  }
}

extension Instant {
  /// Thursday, 2026-01-01T00:00:00Z: when most tests begin.
  public static let start = Instant(microseconds: 1_767_225_600_000_000)
}
