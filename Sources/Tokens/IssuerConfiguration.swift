/// One party whose tokens are accepted: where its keys stand and how its claims are read.
public struct IssuerConfiguration: Sendable, Equatable {
  /// For whom a token must be meant (RFC 7519 section 4.1.3).
  public enum AudienceRule: Sendable, Equatable {
    /// `aud` must name at least one of these; the list must not be empty.
    case anyOf([String])
    /// `aud` is not looked at: only for an issuer whose tokens are all meant for this service.
    case unchecked
  }

  /// For which tenants the issuer may speak, whatever its tokens say.
  public enum TenantRule: Sendable, Equatable {
    /// For these alone; the list must not be empty.
    case only([String])
    /// For every tenant.
    case any
  }

  /// The issuer's name, equal byte for byte to the tokens' `iss` (RFC 7519 section 4.1.1).
  public var issuer: String
  /// The path of the file with the issuer's public keys, a JWK set (RFC 7517 section 5).
  public var keyFile: String
  /// For whom its tokens must be meant.
  public var audiences: AudienceRule
  /// For which tenants it may speak.
  public var tenants: TenantRule
  /// The names of its claims.
  public var claims: ClaimNames
  /// By how many seconds its clock may differ from ours: 0 to 60.
  public var leewaySeconds: Int64

  /// An issuer; what is left out has its default.
  public init(
    issuer: String, keyFile: String, audiences: AudienceRule, tenants: TenantRule, claims: ClaimNames = ClaimNames(),
    leewaySeconds: Int64 = 60
  ) {
    self.issuer = issuer
    self.keyFile = keyFile
    self.audiences = audiences
    self.tenants = tenants
    self.claims = claims
    self.leewaySeconds = leewaySeconds
  }
}
