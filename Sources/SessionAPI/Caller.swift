internal import SessionModel

/// Who calls, as far as the authoriser has established: the tenant that may be touched and on whose behalf.
struct Caller: Equatable {
  /// The tenant of the path, which the caller may act for.
  let tenant: AuthorizedTenant
  /// The caller in the log's words, such as `service:backoffice`.
  let actor: String
  /// The session that the token carries, for own sessions.
  let sessionID: SessionID?
  /// The customer that the token speaks for.
  let customerID: String?
  /// The first second since 1970 in which the token is no longer good; nil without a token.
  var goodUntilSeconds: Int64?
  /// The keys that the token was looked at with, as ``Authorizer/keyGeneration`` counts them.
  var keyGeneration = 0
}

/// Why a caller may not do what it asks for.
enum AuthorizationRefusal: Error, Equatable {
  /// There is no token, or a bad or expired one; with the reason that `WWW-Authenticate` gives.
  case unauthenticated(reason: String?)
  /// The token is good, but not for this; with the message and details of the answer.
  case forbidden(message: String, details: [String])
  /// The request lacks something without which it can't be told whom it is for.
  case invalid(String)
}
