internal import CMicrohttpd
internal import Glibc

/// An IP address with its port, or a UNIX socket's path (empty for one without), copied out of the kernel's structures.
struct SocketAddress: Sendable {
  /// What limits on connections count by.
  enum Origin: Hashable {
    case ipv4(UInt32)
    /// The upper 64 bits: a client commonly has the whole /64 network.
    case ipv6(UInt64)
  }

  private enum Storage {
    case ipv4(in_addr, port: UInt16)
    case ipv6(in6_addr, port: UInt16)
    case unix(path: String)
  }
  private let storage: Storage

  /// The address of the numeric `host`, nil when it's none.
  init?(host: String, port: UInt16) {
    var four = in_addr()
    var six = in6_addr()
    if unsafe inet_pton(AF_INET, host, &four) == 1 {
      storage = .ipv4(four, port: port)
    } else if unsafe inet_pton(AF_INET6, host, &six) == 1 {
      storage = .ipv6(six, port: port)
    } else {
      return nil
    }
  }

  /// Copies what the kernel or the library filled in; `length` bytes are valid.
  init?(_ address: UnsafePointer<sockaddr>, length: Int) {
    let raw = unsafe UnsafeRawPointer(address)
    guard length >= MemoryLayout<sa_family_t>.size else { return nil }
    switch Int32(unsafe raw.loadUnaligned(as: sa_family_t.self)) {
    case AF_INET where length >= MemoryLayout<sockaddr_in>.size:
      let address = unsafe raw.loadUnaligned(as: sockaddr_in.self)
      storage = .ipv4(address.sin_addr, port: UInt16(bigEndian: address.sin_port))
    case AF_INET6 where length >= MemoryLayout<sockaddr_in6>.size:
      let address = unsafe raw.loadUnaligned(as: sockaddr_in6.self)
      storage = .ipv6(address.sin6_addr, port: UInt16(bigEndian: address.sin6_port))
    case AF_UNIX:
      let offset = MemoryLayout<sa_family_t>.size
      let path = unsafe UnsafeRawBufferPointer(start: raw + offset, count: max(0, min(length - offset, 108)))
      storage = unsafe .unix(path: String(decoding: path.prefix { $0 != 0 }, as: UTF8.self))
    default:
      return nil
    }
  }

  var isIPv6: Bool {
    if case .ipv6 = storage { true } else { false }
  }

  /// The IPv4 address that an IPv6 address stands for, as a socket for both families gives them (RFC 4291, 2.5.5.2); nil
  /// when it's another one.
  private static func mapped(_ address: in6_addr) -> in_addr_t? {
    unsafe withUnsafeBytes(of: address) { bytes in
      let isMapped = unsafe bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
      return isMapped ? unsafe bytes.load(fromByteOffset: 12, as: in_addr_t.self) : nil
    }
  }

  var origin: Origin? {
    switch storage {
    case .ipv4(let address, _): .ipv4(address.s_addr)
    case .ipv6(let address, _):
      if let mapped = Self.mapped(address) {
        .ipv4(mapped)
      } else {
        unsafe withUnsafeBytes(of: address) { unsafe .ipv6($0.load(as: UInt64.self)) }
      }
    case .unix: nil
    }
  }

  /// The numeric host in its canonical form, or the path.
  var host: String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    switch storage {
    case .ipv4(var address, _): _ = unsafe inet_ntop(AF_INET, &address, &text, socklen_t(text.count))
    case .ipv6(var address, _): _ = unsafe inet_ntop(AF_INET6, &address, &text, socklen_t(text.count))
    case .unix(let path): return path
    }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The address as one listens on it.
  var listenAddress: ListenAddress {
    switch storage {
    case .ipv4(_, let port), .ipv6(_, let port): .tcp(host: host, port: port)
    case .unix(let path): .unix(path: path)
    }
  }

  /// Runs `body` with the address in the kernel's form.
  func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    switch storage {
    case .ipv4(let host, let port):
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr = host
      address.sin_port = port.bigEndian
      return unsafe Self.rebound(&address, body)
    case .ipv6(let host, let port):
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_addr = host
      address.sin6_port = port.bigEndian
      return unsafe Self.rebound(&address, body)
    case .unix(let path):
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8.prefix(107)) }
      return unsafe Self.rebound(&address, body)
    }
  }

  /// The address of a UNIX socket at `path`.
  init(path: String) {
    storage = .unix(path: path)
  }

  private static func rebound<Address, Result>(
    _ address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    // sockaddr(3type): each family's structure is passed as a pointer to the generic one, with its own size.
    unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        unsafe body(generic, socklen_t(MemoryLayout<Address>.size))
      }
    }
  }
}
