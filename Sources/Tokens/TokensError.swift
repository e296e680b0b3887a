/// Why the issuers cannot be used: always something that the operator mends in the configuration or in a key file.
public enum TokensError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The issuers' settings contradict each other.
  case badConfiguration(issuer: String, problem: String)
  /// An issuer's key file could not be read, or does not hold keys that may be used.
  case badKeyFile(issuer: String, path: String, problem: String)

  /// One line: which issuer, which file, what is wrong and what to do.
  public var description: String {
    switch self {
    case .badConfiguration(let issuer, let problem): "issuer \(issuer): \(problem)"
    case .badKeyFile(let issuer, let path, let problem): "issuer \(issuer): key file \(path): \(problem)"
    }
  }
}
