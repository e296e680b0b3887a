/// What a token proves about its bearer, once its signature and claims have been checked.
public struct VerifiedToken: Sendable, Equatable {
  /// Whom a token speaks for.
  public enum Bearer: Sendable, Equatable {
    /// A program of the shop: the token holds a scope of this service, or names neither customer nor session.
    case service
    /// A customer who has logged in.
    case customer
    /// A visitor: the token names a session and no customer.
    case anonymous
  }

  /// Who issued it: the `iss` claim.
  public let issuer: String
  /// The `sub` claim, when it has one.
  public let subject: String?
  /// Whom it speaks for.
  public let bearer: Bearer
  /// The tenants it may act for: those it names, less those that its issuer may not speak for. May be empty.
  public let tenants: Set<String>
  /// The id of the browser session, when it carries one: 1 to 200 bytes without control characters.
  public let sessionID: String?
  /// The id of the customer, in a customer's token only: 1 to 200 bytes without control characters.
  public let customerID: String?
  /// Its scopes, without the entries that name tenants.
  public let scopes: Set<String>
  /// Its `exp` claim, in seconds since 1970 (UTC). It is good for the issuer's leeway longer.
  public let expiresAtSeconds: Int64
  /// The first second in which it's no longer good: `exp` and the issuer's leeway.
  public let goodUntilSeconds: Int64
  /// Who acted, for the audit log: `service:backoffice`, `customer:1234` or `anonymous:<session id>`.
  public let actor: String

  /// Whether it may act for `tenant`.
  public func mayAct(for tenant: String) -> Bool { tenants.contains(tenant) }

  /// Whether it holds `scope`.
  public func has(scope: String) -> Bool { scopes.contains(scope) }
}
