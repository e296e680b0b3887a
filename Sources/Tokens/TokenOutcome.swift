/// What became of a token.
public enum TokenOutcome: Sendable, Equatable {
  /// It is good, and this is what it proves.
  case verified(VerifiedToken)
  /// It is refused.
  case rejected(TokenRejection)
}
