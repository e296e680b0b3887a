/// The claims of a token whose signature is good, read by its issuer's rules. A wrong type is refused, never guessed at.
struct Claims {
  /// The latest time that a claim may name, in seconds: the end of the year 9999. A time in milliseconds exceeds it.
  private static let latestSeconds: Int64 = 253_402_300_799
  /// The longest subject, session id or customer id in bytes (API contract).
  private static let maximumIdentifierBytes = 200

  private let object: JSONObject
  private let issuer: IssuerConfiguration

  init(_ object: JSONObject, of issuer: IssuerConfiguration) {
    self.object = object
    self.issuer = issuer
  }

  /// The span of time in which the token is good, in seconds and with the issuer's leeway (RFC 7519 sections 4.1.4 to
  /// 4.1.6): from the first until just before the second. `exp` is required.
  func validity() throws(Refusal) -> (fromSeconds: Int64, untilSeconds: Int64) {
    guard let expiresAt = try time("exp") else { throw Refusal(.claimMissing(name: "exp")) }
    let begins = max(try time("nbf") ?? 0, try time("iat") ?? 0)
    return (begins - issuer.leewaySeconds, expiresAt + issuer.leewaySeconds)
  }

  /// Throws unless the token is meant for this service (RFC 7519 section 4.1.3).
  func checkAudience() throws(Refusal) {
    let named = try strings("aud")
    guard case .anyOf(let accepted) = issuer.audiences else { return }
    guard let named, named.contains(where: { name in accepted.contains { $0.utf8.elementsEqual(name.utf8) } }) else {
      throw Refusal(.wrongAudience)
    }
  }

  /// What the token proves.
  func token(goodUntilSeconds: Int64) throws(Refusal) -> VerifiedToken {
    let names = issuer.claims
    let subject = try identifier("sub")
    let clientID = try identifier("client_id")
    let sessionID = try identifier(names.sessionID)
    let entries = try scopeEntries()
    let tenantNames = try tenantNames(scopeEntries: entries)
    let scopes = Set(entries.filter { Self.tenant(inScope: $0) == nil })

    var customerID = try identifier(names.customerID)
    if names.customerID == "sub" {
      // `sub` names whoever the token speaks for: a program, or the visitor by the session, is no customer.
      let isProgram = clientID == subject || scopes.contains(where: Self.isOurs)
      if isProgram || sessionID == subject { customerID = nil }
    }
    let actor =
      if let customerID {
        "customer:\(customerID)"
      } else if let sessionID, !scopes.contains(where: Self.isOurs) {
        "anonymous:\(sessionID)"
      } else {
        "service:\(clientID ?? subject ?? "unnamed")"
      }
    return VerifiedToken(
      tenants: tenantNames, sessionID: sessionID, customerID: customerID, scopes: scopes,
      goodUntilSeconds: goodUntilSeconds, actor: actor)
  }

  /// Whether `scope` is one of this service's, in either spelling: programs hold them, customers and visitors don't.
  private static func isOurs(_ scope: String) -> Bool {
    scope.utf8.starts(with: "sessioncontext.".utf8) || scope.utf8.starts(with: "session_context.".utf8)
  }

  private func tenantNames(scopeEntries: [String]) throws(Refusal) -> Set<String> {
    let named = Set(try strings(issuer.claims.tenant) ?? scopeEntries.compactMap(Self.tenant(inScope:)))
    guard case .only(let allowed) = issuer.tenants else { return named }
    return named.intersection(allowed)
  }

  /// The tenant that an entry of the scope names, as in `tenant=acme` (API contract, section 3); nil when it names none.
  private static func tenant(inScope entry: String) -> String? {
    let prefix = "tenant="
    guard entry.utf8.count > prefix.utf8.count, entry.utf8.starts(with: prefix.utf8) else { return nil }
    return String(entry.unicodeScalars.dropFirst(prefix.unicodeScalars.count))
  }

  private func scopeEntries() throws(Refusal) -> [String] {
    let name = issuer.claims.scope
    switch object[name] {
    case .absent: return []
    case .string(let text): return text.split(separator: " ").map(String.init)
    case .strings(let entries): return entries
    default: throw Refusal(.claimInvalid(name: name))
    }
  }

  /// A time in seconds (RFC 7519 section 2, NumericDate), fractions dropped.
  private func time(_ name: String) throws(Refusal) -> Int64? {
    switch object[name] {
    case .absent: return nil
    case .integer(let seconds) where (0...Self.latestSeconds).contains(seconds): return seconds
    case .real(let seconds) where seconds >= 0 && seconds <= Double(Self.latestSeconds): return Int64(seconds)
    default: throw Refusal(.claimInvalid(name: name))
    }
  }

  private func identifier(_ name: String) throws(Refusal) -> String? {
    switch object[name] {
    case .absent: return nil
    case .string(let text)
    where (1...Self.maximumIdentifierBytes).contains(text.utf8.count)
      && !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }):
      return text
    default: throw Refusal(.claimInvalid(name: name))
    }
  }

  private func strings(_ name: String) throws(Refusal) -> [String]? {
    switch object[name] {
    case .absent: return nil
    case .string(let text): return [text]
    case .strings(let texts): return texts
    default: throw Refusal(.claimInvalid(name: name))
    }
  }
}
