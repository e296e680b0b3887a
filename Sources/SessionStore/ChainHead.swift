public import Platform

/// The chain at a position of a tenant's log, which stands for all records up to there: what a receipt of an erasure names,
/// and a verification of the tenant.
public struct ChainHead: Equatable, Sendable, CustomStringConvertible {
  /// The position of the record.
  public let position: UInt64
  /// Its chain.
  public let chain: Digest

  /// The head that is written as the position, a colon and the chain in hexadecimal; nil when `text` is no such.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", maxSplits: 1)
    guard parts.count == 2, let position = UInt64(digits: parts[0]), position > 0,
      let chain = Digest(hexadecimal: parts[1])
    else { return nil }
    self.position = position
    self.chain = chain
  }

  /// As it is written.
  public var description: String { "\(position):\(chain.hexadecimal)" }
}
