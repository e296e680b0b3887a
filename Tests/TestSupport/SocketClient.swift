internal import Glibc

/// A plain HTTP/1.1 client over one connection to 127.0.0.1, which blocks until an answer is whole.
public final class SocketClient {
  /// An answer as it came in.
  public struct Answer: Sendable {
    /// The status.
    public var status: Int
    /// The header fields, in order.
    public var fields: [(name: String, value: String)]
    /// The body.
    public var body: [UInt8]
  }

  /// What went wrong on the way.
  public struct Failure: Error, CustomStringConvertible {
    /// In words.
    public let description: String
  }

  private let descriptor: Int32
  private var received: [UInt8] = []

  /// Connects to `port`.
  public init(port: UInt16) throws(Failure) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        unsafe connect(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    // Thrown by a whole object, whose deinit closes the descriptor.
    guard result == 0 else { throw Failure(description: "connect to port \(port): errno \(errno)") }
  }

  deinit { close(descriptor) }

  /// Sends a request and waits for its answer, for at most 10 seconds of silence.
  public func send(
    _ method: String, _ target: String, _ fields: [(name: String, value: String)], _ body: [UInt8]
  ) throws(Failure) -> Answer {
    var head = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n"
    for field in fields { head += "\(field.name): \(field.value)\r\n" }
    if !body.isEmpty { head += "Content-Length: \(body.count)\r\n" }
    var rest = (Array((head + "\r\n").utf8) + body)[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes {
        unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { break }
      rest = rest.dropFirst(count)
    }
    while true {
      if let answer = takeAnswer(toHead: method == "HEAD") { return answer }
      var buffer = [UInt8](repeating: 0, count: 65536)
      let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else { throw Failure(description: "no whole answer to \(method) \(target): \(count), \(errno)") }
      received += buffer[..<count]
    }
  }

  private func takeAnswer(toHead: Bool) -> Answer? {
    guard let end = received.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
    let lines = String(decoding: received[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
    let status = lines.first.flatMap { Int($0.dropFirst(9).prefix(3)) } ?? 0
    let fields = lines.dropFirst().map { line in
      let parts = line.split(separator: ":", maxSplits: 1)
      return (name: String(parts[0]), value: String(parts[1].drop { $0 == " " }))
    }
    let length = fields.first { $0.name.lowercased() == "content-length" }.flatMap { Int($0.value) } ?? 0
    let bodyCount = toHead || status == 204 || status == 304 ? 0 : length
    guard received.count >= end.upperBound + bodyCount else { return nil }
    let body = Array(received[end.upperBound..<end.upperBound + bodyCount])
    received.removeFirst(end.upperBound + bodyCount)
    return Answer(status: status, fields: fields, body: body)
  }
}
