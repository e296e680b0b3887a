internal import CMicrohttpd
internal import Glibc

/// A socket that listens. Closed with `close`, by the thread that accepts from it.
struct ListenSocket: Sendable {
  let descriptor: Int32
  let address: ListenAddress
  /// Whether others may accept from it after us.
  let isInherited: Bool
  /// The socket file that we made, by its identity, so that we never remove another's.
  private let file: (device: dev_t, inode: ino_t)?

  /// Binds and listens.
  init(_ address: ListenAddress, backlog: Int) throws(HTTPServerError) {
    switch address {
    case .tcp(let host, let port): try self.init(host: host, port: port, backlog: backlog)
    case .unix(let path): try self.init(path: path, backlog: backlog)
    }
  }

  /// Takes over a descriptor that listens already; the caller doesn't use or close it any more.
  init(adopting descriptor: Int32) throws(HTTPServerError) {
    var listens: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0, listens != 0 else {
      throw .cannotListen(
        "descriptor \(descriptor) is no listening stream socket; check the socket unit (ListenStream=)")
    }
    guard let address = Self.boundAddress(descriptor) else {
      throw .cannotListen("descriptor \(descriptor) listens neither on IP nor on a UNIX socket; check the socket unit")
    }
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    self.descriptor = descriptor
    self.address = address
    isInherited = true
    file = nil
  }

  private init(host: String, port: UInt16, backlog: Int) throws(HTTPServerError) {
    let asked = ListenAddress.tcp(host: host, port: port)
    guard let address = SocketAddress(host: host, port: port) else {
      throw .invalidAddress("\(asked): the host is a numeric address")
    }
    let descriptor = try Self.open(address.isIPv6 ? AF_INET6 : AF_INET, for: asked)
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size)
    // [::] must not also take the port of 0.0.0.0: each listener is what it says.
    if address.isIPv6 { _ = unsafe setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &on, size) }
    let bound = unsafe address.withSocketAddress { unsafe bind(descriptor, $0, $1) }
    guard bound == 0, listen(descriptor, Int32(backlog)) == 0, let actual = Self.boundAddress(descriptor) else {
      throw Self.failure(closing: descriptor, asked)
    }
    self.descriptor = descriptor
    self.address = actual
    isInherited = false
    file = nil
  }

  private init(path: String, backlog: Int) throws(HTTPServerError) {
    let asked = ListenAddress.unix(path: path)
    guard path.utf8.count <= ListenAddress.maximumPathBytes else {
      throw .invalidAddress("\(asked): the path of a UNIX socket has at most \(ListenAddress.maximumPathBytes) bytes")
    }
    try Self.removeStaleSocket(path)
    let descriptor = try Self.open(AF_UNIX, for: asked)
    // Linux gives the socket file the mode of the socket's inode, less the umask: it never stands open for longer.
    fchmod(descriptor, 0o660)
    let bound = unsafe SocketAddress(path: path).withSocketAddress { unsafe bind(descriptor, $0, $1) }
    guard bound == 0 else { throw Self.failure(closing: descriptor, asked) }
    var status = stat()
    guard unsafe chmod(path, 0o660) == 0, unsafe lstat(path, &status) == 0, listen(descriptor, Int32(backlog)) == 0
    else {
      let error = Self.failure(closing: descriptor, asked)
      unsafe unlink(path)
      throw error
    }
    self.descriptor = descriptor
    self.address = asked
    isInherited = false
    file = (status.st_dev, status.st_ino)
  }

  /// Stops listening, and removes the socket file that we made.
  func close() {
    _ = Glibc.close(descriptor)
    guard let file, case .unix(let path) = address else { return }
    var status = stat()
    if unsafe lstat(path, &status) == 0, status.st_dev == file.device, status.st_ino == file.inode {
      unsafe unlink(path)
    }
  }

  /// Removes a socket file that a process left behind; refuses when somebody listens there.
  private static func removeStaleSocket(_ path: String) throws(HTTPServerError) {
    let address = ListenAddress.unix(path: path)
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw .cannotListen("\(address) can't be opened: a file that is no socket stands there; choose another path")
    }
    let probe = try open(AF_UNIX, for: address)
    let result = unsafe SocketAddress(path: path).withSocketAddress { unsafe connect(probe, $0, $1) }
    let reason = errno
    _ = Glibc.close(probe)
    // connect(2): ECONNREFUSED is nobody listening; success and a full backlog (EAGAIN) are somebody.
    guard result != 0, reason == ECONNREFUSED else {
      if result == 0 || reason == EAGAIN {
        throw .cannotListen("\(address) is in use by another process; choose another --listen")
      }
      throw .cannotListen("\(address) can't be opened: \(text(of: reason))")
    }
    unsafe unlink(path)
  }

  private static func open(_ family: Int32, for address: ListenAddress) throws(HTTPServerError) -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(family, type, 0)
    guard descriptor >= 0 else { throw .cannotListen("\(address) can't be opened: \(text(of: errno))") }
    return descriptor
  }

  private static func boundAddress(_ descriptor: Int32) -> ListenAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        guard unsafe getsockname(descriptor, generic, &length) == 0 else { return nil }
        return unsafe SocketAddress(generic, length: Int(length))?.listenAddress
      }
    }
  }

  /// The error that errno stands for.
  private static func failure(closing descriptor: Int32, _ address: ListenAddress) -> HTTPServerError {
    let reason = errno
    _ = Glibc.close(descriptor)
    switch reason {
    case EADDRINUSE:
      return .cannotListen("\(address) is in use by another process; choose another --listen")
    case EADDRNOTAVAIL:
      return .cannotListen("\(address) can't be opened: no network interface of this machine has that address")
    case EACCES where !address.isUNIX:
      return .cannotListen(
        "\(address) can't be opened: a port below 1024 needs CAP_NET_BIND_SERVICE; choose a higher one")
    case EACCES:
      return .cannotListen("\(address) can't be opened: this user may not create files in that directory")
    case ENOENT, ENOTDIR:
      return .cannotListen("\(address) can't be opened: its directory does not exist")
    default:
      return .cannotListen("\(address) can't be opened: \(text(of: reason))")
    }
  }
}

/// The system's words for an errno value.
func text(of code: Int32) -> String {
  // strerror(3) since glibc 2.32 answers from the calling thread's own buffer.
  guard let message = unsafe strerror(code) else { return "error \(code)" }
  return unsafe String(cString: message)
}
