internal import Platform

/// The keys of one issuer, as its key file gave them.
struct IssuerKeys: Sendable {
  /// The digest of the file they came from.
  let fileDigest: Digest
  /// What in the file is not used, and why, for the operator.
  let skipped: [String]
  private let keys: [VerificationKey]
  // By bytes, as identifiers are compared; to hash what a stranger sends as text may take quadratic time.
  private let keysByID: [[UInt8]: VerificationKey]

  init(fileDigest: Digest, skipped: [String], keys: [VerificationKey], keysByID: [[UInt8]: VerificationKey]) {
    self.fileDigest = fileDigest
    self.skipped = skipped
    self.keys = keys
    self.keysByID = keysByID
  }

  /// How many keys may be used.
  var count: Int { keys.count }

  /// The key for a header's `kid` and `alg`: a plain lookup. Without a `kid` it must be the only one of its algorithm.
  func key(id: String?, algorithm: SignatureAlgorithm) throws(Refusal) -> VerificationKey {
    guard let id else {
      let candidates = keys.filter { $0.algorithm == algorithm }
      guard let key = candidates.first else { throw Refusal(.algorithmNotAllowed) }
      guard candidates.count == 1 else { throw Refusal(.unknownKey) }
      return key
    }
    guard let key = keysByID[Array(id.utf8)] else { throw Refusal(.unknownKey) }
    guard key.algorithm == algorithm else { throw Refusal(.algorithmNotAllowed) }
    return key
  }
}
