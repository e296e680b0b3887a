/// What a token proves about its bearer, once its signature and claims have been checked.
public struct VerifiedToken: Sendable, Equatable {
  /// The tenants it may act for: those it names, less those that its issuer may not speak for. May be empty.
  public let tenants: Set<String>
  /// The id of the browser session, when it carries one: 1 to 200 bytes without control characters.
  public let sessionID: String?
  /// The id of the customer, in a customer's token only: 1 to 200 bytes without control characters.
  public let customerID: String?
  /// Its scopes, without the entries that name tenants.
  public let scopes: Set<String>
  /// The first second since 1970 (UTC) in which it's no longer good: `exp` and the issuer's leeway.
  public let goodUntilSeconds: Int64
  /// Who acted, for the audit log: `customer:1234` for a customer who has logged in; `anonymous:<session id>` for a visitor,
  /// whose token names a session and no customer; `service:backoffice` for a program of the shop, whose token holds a
  /// scope of this service or names neither.
  public let actor: String

  /// Whether it may act for `tenant`.
  public func mayAct(for tenant: String) -> Bool { tenants.contains(tenant) }

  /// Whether it holds `scope`.
  public func has(scope: String) -> Bool { scopes.contains(scope) }
}
