/// Carries a rejection out of the steps of a verification; ``TokenVerifier`` turns it into a value again.
struct Refusal: Error {
  let rejection: TokenRejection

  init(_ rejection: TokenRejection) {
    self.rejection = rejection
  }
}
