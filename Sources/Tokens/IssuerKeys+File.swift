internal import Platform

extension IssuerKeys {
  /// The largest key file that is read, in bytes.
  static let maximumFileBytes = 1 << 20

  /// Reads the JWK set of `issuer` (RFC 7517 section 5).
  init(readingFileOf issuer: IssuerConfiguration) throws(TokensError) {
    let content: [UInt8]
    do {
      // Of a pipe somebody would have to write into it first, and nothing else goes on meanwhile.
      guard try Files.isRegularFile(issuer.keyFile) else { throw KeyProblem("it is not a regular file") }
      content = try Files.read(issuer.keyFile, maximumBytes: Self.maximumFileBytes)
    } catch let problem as KeyProblem {
      throw .badKeyFile(issuer: issuer.issuer, path: issuer.keyFile, problem: problem.text)
    } catch {
      throw .badKeyFile(issuer: issuer.issuer, path: issuer.keyFile, problem: "\(error)")
    }
    do {
      try self.init(parsing: content)
    } catch {
      throw .badKeyFile(issuer: issuer.issuer, path: issuer.keyFile, problem: error.text)
    }
  }

  /// Reads a JWK set.
  ///
  /// A key for another purpose, type or algorithm is skipped (RFC 7517 section 5). The whole set is refused when it holds
  /// private key material, a weak or malformed key, a `kid` twice, or no key that may be used.
  init(parsing content: [UInt8]) throws(KeyProblem) {
    guard let set = JSONObject(parsing: content.span) else {
      throw KeyProblem("it is not a JSON object with distinct names; write a JWK set: {\"keys\": […]}")
    }
    guard let objects = set.objects("keys") else {
      throw KeyProblem("it has no array 'keys' of objects; write a JWK set: {\"keys\": […]}")
    }
    var skipped: [String] = []
    var keys: [VerificationKey] = []
    var keysByID: [[UInt8]: VerificationKey] = [:]
    var ids: Set<String> = []
    for (index, object) in objects.enumerated() {
      let jwk = try JSONWebKey(object, index: index)
      if let id = jwk.id, !ids.insert(id).inserted {
        throw KeyProblem("two keys have the kid '\(id)'; give each its own")
      }
      switch try jwk.use() {
      case .skip(let reason): skipped.append("\(jwk.name) is not used: \(reason)")
      case .verify(let key):
        keys.append(key)
        if let id = jwk.id { keysByID[Array(id.utf8)] = key }
      }
    }
    guard !keys.isEmpty else {
      throw KeyProblem((["it holds no key that can verify tokens"] + skipped).joined(separator: "; "))
    }
    self.init(fileDigest: sha256(content.span), skipped: skipped, keys: keys, keysByID: keysByID)
  }
}
