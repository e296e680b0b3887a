/// Under which names an issuer writes what sessiond reads: identity providers differ in them.
///
/// A refusal may quote them in an `error_description` (RFC 6750 section 3): printable ASCII without `"` and `\`.
public struct ClaimNames: Sendable, Equatable {
  /// The tenant or tenants: a string or an array of strings. Default `tenant`. When a token lacks it, the entries
  /// `tenant=…` of its scope name them.
  public var tenant: String
  /// The id of the browser session, in anonymous and customer tokens. Default `session_id`.
  public var sessionID: String
  /// The id of the customer, in customer tokens. Default `sub`.
  public var customerID: String
  /// The scopes: one text with spaces between them, or an array of strings. Default `scope` (RFC 9068 section 2.2.3).
  public var scope: String

  /// The given names; what is left out has its default.
  public init(
    tenant: String = "tenant", sessionID: String = "session_id", customerID: String = "sub", scope: String = "scope"
  ) {
    self.tenant = tenant
    self.sessionID = sessionID
    self.customerID = customerID
    self.scope = scope
  }
}
