internal import CMicrohttpd
internal import Glibc
internal import Platform

/// An address to listen on.
public enum ListenAddress: Sendable, Hashable, CustomStringConvertible {
  /// A numeric IP address and a TCP port; port 0 lets the kernel choose.
  case tcp(host: String, port: UInt16)
  /// The path of a UNIX socket.
  case unix(path: String)

  /// The longest path of a UNIX socket, in bytes (unix(7): sun_path less its NUL).
  static let maximumPathBytes = 107

  /// Reads `127.0.0.1:8080`, `[::1]:8080` or `unix:/run/sessiond/sessiond.sock`.
  ///
  /// The host is a numeric address: a name would leave open which address it means. To listen on all, say `0.0.0.0` or
  /// `[::]`.
  public static func parse(_ text: String) throws(HTTPServerError) -> ListenAddress {
    if text.utf8.starts(with: "unix:".utf8) {
      let path = String(text.dropFirst(5))
      guard path.utf8.first == UInt8(ascii: "/"), !path.utf8.contains(0) else {
        throw .invalidAddress(
          "\(text): a UNIX socket is given by its absolute path, as in unix:/run/sessiond/sessiond.sock")
      }
      guard path.utf8.count <= maximumPathBytes else {
        throw .invalidAddress("\(text): the path of a UNIX socket has at most \(maximumPathBytes) bytes")
      }
      return .unix(path: path)
    }
    let form = "an address is written 127.0.0.1:8080, [::1]:8080 or unix:/path"
    guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { throw .invalidAddress("\(text): \(form)") }
    var host = String(text[..<colon])
    let digits = text[text.index(after: colon)...]
    guard let port = UInt16(digits: digits) else {
      throw .invalidAddress("\(text): the port is a number from 0 to 65535; \(form)")
    }
    let bracketed = host.utf8.first == UInt8(ascii: "[") && host.utf8.last == UInt8(ascii: "]")
    if bracketed { host = String(host.dropFirst().dropLast()) }
    guard let address = SocketAddress(host: host, port: port), address.isIPv6 == bracketed else {
      throw .invalidAddress("\(text): the host is a numeric address, an IPv6 one in brackets; \(form)")
    }
    return .tcp(host: address.host, port: port)
  }

  /// The address of a socket that listens already, as systemd passes it. Throws when it's none that can be served.
  public init(ofInherited descriptor: Int32) throws(HTTPServerError) {
    self = try ListenSocket(adopting: descriptor).address
  }

  /// Whether only this machine can reach it: an address of 127.0.0.0/8, ::1, or a UNIX socket.
  public var isLoopback: Bool {
    switch self {
    case .tcp(let host, _): host == "::1" || host.utf8.starts(with: "127.".utf8)
    case .unix: true
    }
  }

  /// Whether the kernel chooses the port, so that the same address can be listened on again.
  public var picksPort: Bool {
    if case .tcp(_, port: 0) = self { true } else { false }
  }

  /// Whether it is a UNIX socket.
  var isUNIX: Bool {
    if case .unix = self { true } else { false }
  }

  /// The form that `parse` reads.
  public var description: String {
    switch self {
    case .tcp(let host, let port): host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }
}
