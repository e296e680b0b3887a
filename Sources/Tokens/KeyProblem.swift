/// What is wrong with a key file, in words for the operator.
struct KeyProblem: Error {
  let text: String

  init(_ text: String) {
    self.text = text
  }
}
