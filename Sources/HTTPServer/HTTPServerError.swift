/// Why a server can't start. The description says what to do about it.
public enum HTTPServerError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The text names no address.
  case invalidAddress(String)
  /// A setting can't work.
  case invalidConfiguration(String)
  /// A listener can't be opened.
  case cannotListen(String)
  /// The HTTP library didn't start; its own words.
  case cannotStart(String)

  /// The reason, for the person who started the server.
  public var description: String {
    switch self {
    case .invalidAddress(let reason), .invalidConfiguration(let reason), .cannotListen(let reason): reason
    case .cannotStart(let reason): "the HTTP server could not be started: \(reason)"
    }
  }
}
