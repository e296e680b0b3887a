internal import Platform

/// Tokens that have been verified, by the digest of their whole text: bounded, and forgetful in the cheapest way.
///
/// Two generations of half the bound each: what is used moves to the young one, and when that is full the old one goes.
struct TokenCache: Sendable {
  /// A verified token with the time from which it is good. A class, so that a hit copies one reference.
  final class Entry: Sendable {
    let token: VerifiedToken
    /// The first second in which it is good.
    let fromSeconds: Int64

    init(token: VerifiedToken, fromSeconds: Int64) {
      self.token = token
      self.fromSeconds = fromSeconds
    }
  }

  private var young: [Digest: Entry] = [:]
  private var old: [Digest: Entry] = [:]
  private let generationLimit: Int

  /// A cache of at most `limit` tokens, at least two.
  init(limit: Int) {
    generationLimit = max(1, limit / 2)
  }

  /// How many tokens it holds.
  var count: Int { young.count + old.count }

  /// The entry for `digest`, which is young again where there's room.
  mutating func entry(for digest: Digest) -> Entry? {
    if let entry = young[digest] { return entry }
    guard let entry = old[digest] else { return nil }
    if young.count < generationLimit {
      old.removeValue(forKey: digest)
      young[digest] = entry
    }
    return entry
  }

  /// Adds an entry. Returns the generation that had to go, for the caller to free after its lock.
  mutating func insert(_ entry: Entry, for digest: Digest) -> [Digest: Entry] {
    var gone: [Digest: Entry] = [:]
    if young.count >= generationLimit {
      gone = old
      old = young
      young = [:]
    }
    young[digest] = entry
    return gone
  }

  /// Drops the entry for `digest`.
  mutating func remove(_ digest: Digest) {
    if young.removeValue(forKey: digest) == nil { old.removeValue(forKey: digest) }
  }
}
