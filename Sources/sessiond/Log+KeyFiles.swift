internal import Tokens

extension Log {
  /// Warns of each key in an issuer's file that isn't used, since whoever put it there may think that it is.
  func warnOfUnusedKeys(in file: KeyFileOutcome) {
    for entry in file.skipped { self(.warning, "issuer \(file.issuer): key file \(file.keyFile): \(entry)") }
  }
}
