import Glibc
import HTTPServer

/// A client that sends exactly the bytes it's told to, and reads with a time limit.
final class Client {
  private let descriptor: Int32
  private(set) var received: [UInt8] = []
  private(set) var isClosed = false

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  init(_ address: ListenAddress) throws {
    switch address {
    case .unix(let path):
      descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      var name = sockaddr_un()
      name.sun_family = sa_family_t(AF_UNIX)
      unsafe withUnsafeMutableBytes(of: &name.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
      try Self.connect(descriptor, &name)
    case .tcp(let host, let port) where host.utf8.contains(UInt8(ascii: ":")):
      descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      var name = sockaddr_in6()
      name.sin6_family = sa_family_t(AF_INET6)
      name.sin6_port = port.bigEndian
      unsafe inet_pton(AF_INET6, host, &name.sin6_addr)
      try Self.connect(descriptor, &name)
    case .tcp(let host, let port):
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_port = port.bigEndian
      unsafe inet_pton(AF_INET, host, &name.sin_addr)
      try Self.connect(descriptor, &name)
    }
  }

  deinit {
    close(descriptor)
  }

  private static func connect<Address>(_ descriptor: Int32, _ address: inout Address) throws {
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        unsafe Glibc.connect(descriptor, generic, socklen_t(MemoryLayout<Address>.size))
      }
    }
    // Thrown by a whole object, whose deinit closes the descriptor.
    guard result == 0 else { throw Failure(description: "connect: \(errno)") }
  }

  /// Sends what the peer takes; a closed connection shows when it's read.
  func send(_ bytes: some Collection<UInt8>) {
    let bytes = Array(bytes)
    var sent = 0
    while sent < bytes.count {
      let count = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.send(descriptor, $0.baseAddress.map { unsafe $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      sent += count
    }
  }

  func send(_ text: String) { send(Array(text.utf8)) }

  /// Reads until `isEnough`, the end of the connection, or the time is over.
  func read(seconds: Double = 5, until isEnough: ([UInt8]) -> Bool = { _ in false }) {
    let deadline = now() + seconds
    var buffer = [UInt8](repeating: 0, count: 65536)
    while !isClosed, !isEnough(received) {
      let left = deadline - now()
      guard left > 0 else { return }
      var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&event, 1, Int32(left * 1000) + 1) > 0 else { continue }
      let count = unsafe recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      if count > 0 { received.append(contentsOf: buffer.prefix(count)) } else { isClosed = true }
    }
  }

  /// Reads the next response; nil when the connection ends or the time is over before it's whole.
  func response(seconds: Double = 5, toHead: Bool = false) -> Response? {
    var response: Response?
    read(seconds: seconds) { bytes in
      response = Response(bytes, toHead: toHead)
      return response != nil
    }
    if let response { received.removeFirst(response.length) }
    return response
  }

  /// Whether the server ends the connection, without further bytes.
  func ends(seconds: Double = 5) -> Bool {
    read(seconds: seconds)
    return isClosed && received.isEmpty
  }
}

/// A response as it was received.
struct Response {
  var status: Int
  var fields: [(name: String, value: String)] = []
  var body: String
  /// Bytes that it takes, with its header.
  var length: Int

  init?(_ bytes: [UInt8], toHead: Bool) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let range = text.firstRange(of: "\r\n\r\n") else { return nil }
    let lines = text[..<range.lowerBound].split(separator: "\r\n")
    guard let first = lines.first, first.hasPrefix("HTTP/1.1 "), let status = Int(first.dropFirst(9).prefix(3)) else {
      return nil
    }
    self.status = status
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { return nil }
      fields.append((String(line[..<colon]), String(line[colon...].dropFirst(2))))
    }
    let header = text[..<range.upperBound].utf8.count
    let length = fields.first { $0.name == "Content-Length" }.flatMap { Int($0.value) } ?? 0
    let bodyBytes = toHead || status == 204 || status == 304 ? 0 : length
    guard bytes.count >= header + bodyBytes else { return nil }
    body = String(decoding: bytes[header..<header + bodyBytes], as: UTF8.self)
    self.length = header + bodyBytes
  }

  subscript(_ name: String) -> String? { fields.first { $0.name == name }?.value }
}

/// Seconds of a clock that only runs forward.
func now() -> Double {
  var time = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func sleep(seconds: Double) {
  usleep(UInt32(seconds * 1e6))
}

/// Waits until `condition`; false when that takes longer.
func eventually(seconds: Double = 5, _ condition: () -> Bool) -> Bool {
  let deadline = now() + seconds
  while !condition() {
    guard now() < deadline else { return false }
    sleep(seconds: 0.005)
  }
  return true
}
