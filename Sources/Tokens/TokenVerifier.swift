internal import Platform

/// Verifies bearer tokens: JWTs (RFC 7519) signed by one of the configured issuers. Threads may share it.
///
/// Keys come only from the issuers' key files. The token's `iss` picks the issuer and its `kid` one of that issuer's
/// keys; the algorithm is the key's, and the token's header must name the same.
public final class TokenVerifier: Sendable {
  /// The largest token that is looked at, in bytes (API contract).
  public static let maximumTokenBytes = 8 << 10

  /// What became of each issuer's key file when the verifier was made.
  public let keyFiles: [KeyFileOutcome]

  private struct State: Sendable {
    var keys: [String: IssuerKeys]
    var cache: TokenCache
    // Counts the replacements of keys: what was verified with keys of another count stays out of the cache.
    var keyGeneration = 0
  }

  private let issuers: [IssuerConfiguration]
  // By bytes, like keys by their ids.
  private let issuersByName: [[UInt8]: IssuerConfiguration]
  private let cacheLimit: Int
  private let state: Monitor<State>
  private let reloading = Monitor(())

  /// Reads the issuers' key files.
  ///
  /// - Parameter cacheLimit: how many verified tokens are remembered at most.
  /// - Throws: ``TokensError`` that names the issuer, and the file when it lies in that.
  public init(issuers: [IssuerConfiguration], cacheLimit: Int = 10_000) throws(TokensError) {
    var keys: [String: IssuerKeys] = [:]
    var issuersByName: [[UInt8]: IssuerConfiguration] = [:]
    var outcomes: [KeyFileOutcome] = []
    for issuer in issuers {
      guard issuersByName.updateValue(issuer, forKey: Array(issuer.issuer.utf8)) == nil else {
        throw .badConfiguration(issuer: issuer.issuer, problem: "it is configured twice; put all its keys in one file")
      }
      let read = try IssuerKeys(readingFileOf: issuer)
      keys[issuer.issuer] = read
      outcomes.append(KeyFileOutcome(of: issuer, change: .replaced, keys: read))
    }
    self.issuers = issuers
    self.issuersByName = issuersByName
    self.cacheLimit = cacheLimit
    keyFiles = outcomes
    state = Monitor(State(keys: keys, cache: TokenCache(limit: cacheLimit)))
  }

  /// Reads the issuers' key files again. A file that cannot be used leaves its issuer's keys as they are, and the outcome
  /// says so. When keys changed, every remembered token is forgotten.
  public func reload() -> [KeyFileOutcome] {
    reloading.withLock { _ in
      issuers.map { issuer in
        let before = state.withLock { $0.keys[issuer.issuer] }
        do throws(TokensError) {
          let read = try IssuerKeys(readingFileOf: issuer)
          if let before, before.fileDigest == read.fileDigest {
            return KeyFileOutcome(of: issuer, change: .unchanged, keys: read)
          }
          replaceKeys(of: issuer, with: read)
          return KeyFileOutcome(of: issuer, change: .replaced, keys: read)
        } catch {
          return KeyFileOutcome(
            issuer: issuer.issuer, keyFile: issuer.keyFile, change: .kept(error), keyCount: before?.count ?? 0,
            skipped: [])
        }
      }
    }
  }

  /// Another number each time that keys were replaced: whoever goes on for long by a token it once showed asks for it.
  public var keyGeneration: Int { state.withLock { $0.keyGeneration } }

  private func replaceKeys(of issuer: IssuerConfiguration, with keys: IssuerKeys) {
    // The forgotten tokens are freed after the lock.
    let forgotten = state.withLock { state in
      state.keys[issuer.issuer] = keys
      state.keyGeneration += 1
      let cache = state.cache
      state.cache = TokenCache(limit: cacheLimit)
      return cache
    }
    _ = consume forgotten
  }

  /// Verifies a bearer token: the text after `Bearer `, without spaces around it.
  ///
  /// - Parameter nowSeconds: the time, in seconds since 1970 (UTC).
  public func verify(_ token: Span<UInt8>, nowSeconds: Int64) -> TokenOutcome {
    guard !token.isEmpty else { return .rejected(.missing) }
    guard token.count <= Self.maximumTokenBytes else { return .rejected(.tooLarge) }
    let digest = sha256(token)
    if let entry = state.withLock({ $0.cache.entry(for: digest) }) { return outcome(of: entry, at: nowSeconds, digest) }
    do throws(Refusal) {
      let (entry, keyGeneration) = try check(token, nowSeconds: nowSeconds)
      remember(entry, for: digest, keyGeneration: keyGeneration)
      return .verified(entry.token)
    } catch {
      return .rejected(error.rejection)
    }
  }

  private func outcome(of entry: TokenCache.Entry, at nowSeconds: Int64, _ digest: Digest) -> TokenOutcome {
    if nowSeconds >= entry.token.goodUntilSeconds {
      state.withLock { $0.cache.remove(digest) }
      return .rejected(.expired)
    }
    return nowSeconds < entry.fromSeconds ? .rejected(.notYetValid) : .verified(entry.token)
  }

  /// Remembers a token, unless keys have been replaced since those that verified it were looked up.
  func remember(_ entry: TokenCache.Entry, for digest: Digest, keyGeneration: Int) {
    let forgotten = state.withLock { state in
      state.keyGeneration == keyGeneration ? state.cache.insert(entry, for: digest) : [:]
    }
    _ = consume forgotten
  }

  /// Verifies a token that is not remembered: its form, its key and signature, and only then what it claims.
  func check(
    _ token: Span<UInt8>, nowSeconds: Int64
  ) throws(Refusal) -> (entry: TokenCache.Entry, keyGeneration: Int) {
    // 1. The form, with nothing of the content believed.
    let compact = try CompactToken(token)
    // 2. Who claims to have issued it, and with which key.
    guard case .string(let name) = compact.claims["iss"], let issuer = issuersByName[Array(name.utf8)] else {
      throw Refusal(.wrongIssuer)
    }
    let (keys, keyGeneration) = state.withLock { ($0.keys[issuer.issuer], $0.keyGeneration) }
    guard let key = try keys?.key(id: compact.keyID, algorithm: compact.algorithm) else { throw Refusal(.unknownKey) }
    // 3. The signature.
    guard key.verifies(token, signatureByteCount: compact.signatureByteCount) else { throw Refusal(.badSignature) }
    // 4. The claims.
    let claims = Claims(compact.claims, of: issuer)
    let validity = try claims.validity()
    if nowSeconds >= validity.untilSeconds { throw Refusal(.expired) }
    if nowSeconds < validity.fromSeconds { throw Refusal(.notYetValid) }
    try claims.checkAudience()
    let verified = try claims.token(goodUntilSeconds: validity.untilSeconds)
    let entry = TokenCache.Entry(token: verified, fromSeconds: validity.fromSeconds)
    return (entry, keyGeneration)
  }

  /// How many tokens are remembered.
  public var rememberedCount: Int { state.withLock { $0.cache.count } }
}

extension KeyFileOutcome {
  fileprivate init(of issuer: IssuerConfiguration, change: Change, keys: IssuerKeys) {
    self.init(
      issuer: issuer.issuer, keyFile: issuer.keyFile, change: change, keyCount: keys.count, skipped: keys.skipped)
  }
}
