/// What became of an issuer's key file when it was read.
public struct KeyFileOutcome: Sendable, Equatable {
  /// What happened to the issuer's keys.
  public enum Change: Sendable, Equatable {
    /// They were read, and replace those before them.
    case replaced
    /// The file's content is what it was.
    case unchanged
    /// The file cannot be used, so the keys before it stay.
    case kept(TokensError)
  }

  /// The issuer's name.
  public let issuer: String
  /// The path of its key file.
  public let keyFile: String
  /// What happened.
  public let change: Change
  /// How many keys verify the issuer's tokens now.
  public let keyCount: Int
  /// The entries of the file that are not used, each with the reason; none of a file that cannot be used.
  public let skipped: [String]
}
