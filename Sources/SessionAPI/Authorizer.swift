internal import HTTPServer
internal import Platform
@_spi(Authorizer) internal import SessionModel
public import Tokens

/// Decides who may call, and makes the one value that opens a tenant's data. No other file makes it.
public struct Authorizer: Sendable {
  private enum Mode: Sendable {
    case open
    case tokens(TokenVerifier)
  }

  private let mode: Mode
  private let requiresCustomerToken: Bool

  /// Lets everybody in: for development, while every listener is local.
  public static let open = Authorizer(mode: .open, requiresCustomerToken: false)

  /// Lets in who has a token that `verifier` accepts.
  ///
  /// - Parameter requiresCustomerToken: whether a `saas-token` is asked for where a customer's context is changed.
  public static func tokens(_ verifier: TokenVerifier, requiresCustomerToken: Bool = true) -> Authorizer {
    Authorizer(mode: .tokens(verifier), requiresCustomerToken: requiresCustomerToken)
  }

  /// The scopes that open the management side; the second is an old spelling that clients still have.
  private static let managementScopes = ["sessioncontext.context_manage", "session_context.context_manage"]

  private static let auditScopes = ["sessioncontext.audit_read"]

  private static let erasureScopes = ["sessioncontext.erase"]

  /// The scopes of which a token must have one.
  private static func scopes(_ access: Operation.Access) -> [String] {
    switch access {
    case .audit: auditScopes
    case .erasure: erasureScopes
    case .management, .own: managementScopes
    }
  }

  /// Who calls, when it may carry `operation` out for `tenant`. Throws why not.
  func authorize(
    _ exchange: HTTPExchange, tenant: TenantID, operation: Operation, nowSeconds: Int64
  ) throws(AuthorizationRefusal) -> Caller {
    switch mode {
    case .open:
      return try openCaller(exchange, tenant: tenant, operation: operation)
    case .tokens(let verifier):
      // Only a feed outlives its request; asked before, so that keys replaced meanwhile count as replaced.
      let keyGeneration = operation == .listEvents ? verifier.keyGeneration : 0
      let token = try Self.bearerToken(exchange, verifier, nowSeconds: nowSeconds)
      guard token.mayAct(for: tenant.description) else {
        throw .forbidden(message: "The token is not valid for tenant \(tenant)", details: [])
      }
      let session = token.sessionID.flatMap { SessionID($0) }
      if operation.isOwn {
        guard session != nil else { throw .forbidden(message: "The token carries no session id", details: []) }
      } else {
        let scopes = Self.scopes(operation.access)
        guard scopes.contains(where: { token.has(scope: $0) }) else {
          throw .forbidden(message: "Forbidden", details: ["missing scope: \(scopes[0])"])
        }
      }
      return Caller(
        tenant: AuthorizedTenant(granting: tenant), actor: token.actor, sessionID: session,
        customerID: token.customerID, goodUntilSeconds: token.goodUntilSeconds,
        keyGeneration: keyGeneration)
    }
  }

  /// Another number each time that keys were replaced, after which no token may be relied on that was shown before.
  var keyGeneration: Int {
    switch mode {
    case .open: 0
    case .tokens(let verifier): verifier.keyGeneration
    }
  }

  /// Whether the caller has shown to be a customer: with a `saas-token`, on the management side.
  func customerProof(
    _ exchange: HTTPExchange, tenant: TenantID, operation: Operation, nowSeconds: Int64
  ) throws(AuthorizationRefusal) -> CustomerProof {
    guard case .tokens(let verifier) = mode, requiresCustomerToken,
      operation == .replaceContext || operation == .patchContext
    else { return .notRequired }
    let outcome = exchange.withHeader("saas-token") { verifier.verify(Self.withoutScheme($0), nowSeconds: nowSeconds) }
    switch outcome {
    case nil:
      return .missing
    case .rejected(let rejection)?:
      throw .unauthenticated(reason: "saas-token: \(rejection.reason)")
    case .verified(let token)?:
      guard token.mayAct(for: tenant.description), let customer = token.customerID else {
        throw .forbidden(message: "The saas-token is not a customer's of tenant \(tenant)", details: [])
      }
      return .customer(customer)
    }
  }

  private func openCaller(
    _ exchange: HTTPExchange, tenant: TenantID, operation: Operation
  ) throws(AuthorizationRefusal) -> Caller {
    var session: SessionID?
    if operation.isOwn {
      guard let id = exchange.withHeader("session-id", { SessionID(utf8: Array(copying: $0)[...]) }).flatMap({ $0 })
      else {
        throw .invalid("session-id: without tokens this header must name the session")
      }
      session = id
    }
    return Caller(
      tenant: AuthorizedTenant(granting: tenant), actor: operation.isOwn ? "anonymous" : "development",
      sessionID: session, customerID: nil)
  }

  private static func bearerToken(
    _ exchange: HTTPExchange, _ verifier: TokenVerifier, nowSeconds: Int64
  ) throws(AuthorizationRefusal) -> VerifiedToken {
    let outcome = exchange.withHeader(.authorization) { value -> TokenOutcome? in
      // RFC 9110, 11.1: the scheme is compared without regard to case.
      guard value.hasBearerScheme else { return nil }
      return verifier.verify(withoutScheme(value), nowSeconds: nowSeconds)
    }
    switch outcome {
    case .verified(let token)??: return token
    case .rejected(let rejection)??: throw .unauthenticated(reason: rejection.reason)
    case nil, .some(nil): throw .unauthenticated(reason: nil)
    }
  }

  /// The token in a header's value, without `Bearer` in front if that is there.
  @_lifetime(copy value)
  private static func withoutScheme(_ value: Span<UInt8>) -> Span<UInt8> {
    guard value.hasBearerScheme else { return value }
    var start = 7
    while start < value.count, value[start] == UInt8(ascii: " ") { start += 1 }
    return value.extracting(start..<value.count)
  }
}

extension Span where Element == UInt8 {
  /// Whether the text begins with `Bearer `, without regard to case.
  fileprivate var hasBearerScheme: Bool {
    guard count > 7 else { return false }
    for (index, letter) in "bearer ".utf8.enumerated() where self[index] | 0x20 != letter { return false }
    return self[6] == UInt8(ascii: " ")
  }
}
