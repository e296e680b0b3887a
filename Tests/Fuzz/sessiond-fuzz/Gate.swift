import Glibc
import HTTPServer
import Platform
import TestSupport

/// A whole server on a socket of its own, since the gate looks at what the library has made of the received block. What
/// it hands to the handler must be what a strict second reader of RFC 9112 finds at the beginning of the same bytes.
func fuzzGate(_ input: [UInt8]) {
  // An end to most headers that have none, and a request behind: nobody has to wait, and what is taken for its part shows.
  let bytes = input + Array("\r\n\r\nGET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8)
  let server = GateServer.shared
  server.handled.withLock { $0 = [] }
  let answer = server.exchange(bytes)
  let found = server.handled.withLock { $0 }
  var reader = StrictRequests(bytes)
  for request in found where !reader.isLost {
    let wanted = reader.next()
    require(wanted == request, "the handler gets \(request), and the bytes say \(wanted.map { "\($0)" } ?? "nothing")")
  }
  require(answer.isEmpty || answer.starts(with: "HTTP/1.1 ".utf8), "the answer is none")
}

/// A request as both readers see it.
struct PlainRequest: Equatable {
  var method: String
  var target: [UInt8]
  var body: [UInt8]
}

private final class GateServer: HTTPHandler {
  static let shared = GateServer()

  let handled = Monitor<[PlainRequest]>([])
  private let folder: TemporaryFolder
  private let server = Monitor<HTTPServer?>(nil)

  init() {
    do {
      folder = try TemporaryFolder()
      var configuration = HTTPServerConfiguration()
      configuration.workerThreads = 1
      configuration.maximumBodyBytes = 4096
      // A client that has said that no more comes is waited for all the same.
      configuration.headerTimeoutSeconds = 0.05
      configuration.bodyTimeoutSeconds = 0.05
      configuration.idleTimeoutSeconds = 0.05
      let server = try HTTPServer(
        listeners: [.unix(path: folder("gate.sock"))], configuration: configuration, handler: self, log: { _ in })
      self.server.withLock { $0 = server }
    } catch {
      fatalError("\(error)")
    }
  }

  func handle(_ exchange: HTTPExchange) {
    let request = PlainRequest(method: exchange.methodName, target: exchange.target, body: exchange.body)
    handled.withLock { $0.append(request) }
    exchange.respond(.empty(204))
  }

  /// Sends the bytes, says that no more come, and reads until the server ends the connection.
  func exchange(_ bytes: [UInt8]) -> [UInt8] {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    let path = folder("gate.sock")
    unsafe withUnsafeMutableBytes(of: &name.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    let connected = unsafe withUnsafePointer(to: &name) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    require(connected == 0, "the server can't be reached: \(errno)")
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes {
        unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { break }
      rest = rest.dropFirst(count)
    }
    shutdown(descriptor, Int32(SHUT_WR))
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16384)
    while true {
      let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
      if count < 0 && errno == EINTR { continue }
      require(count >= 0 || errno == ECONNRESET, "the server doesn't end the connection: \(errno)")
      guard count > 0 else { return answer }
      answer += buffer[..<count]
    }
  }
}

/// Reads requests from bytes as RFC 9112 writes them, and nothing else.
struct StrictRequests {
  private var rest: ArraySlice<UInt8>
  private var isBroken = false
  /// Where the next request begins can't be told: nothing more is to be compared.
  private(set) var isLost = false
  /// The line that was read last ends the header.
  private var isHeaderOver = false

  init(_ bytes: [UInt8]) {
    rest = bytes[...]
  }

  /// The next request, nil when there is none, it isn't whole or it breaks a rule; then there are no more.
  mutating func next() -> PlainRequest? {
    guard !isBroken else { return nil }
    let request = read()
    isBroken = request == nil
    return request
  }

  private mutating func line() -> [UInt8]? {
    // The library takes NUL LF for CRLF before anything else can see it (README, known limits).
    // So it does with LF and a line of NUL or colon alone for two of them.
    guard let end = rest.firstIndex(of: 0x0a) else { return nil }
    let isBare = ![0x0d, 0].contains(rest[..<end].last)
    let behind = Array(rest[end...].dropFirst().prefix(3))
    isHeaderOver =
      isBare && behind.count == 3 && [0, 0x3a].contains(behind[0]) && [0, 0x0d].contains(behind[1])
      && behind[2] == 0x0a
    guard isHeaderOver || !isBare else { return nil }
    let line = Array(rest[..<(isHeaderOver ? end : end - 1)])
    rest = rest[(isHeaderOver ? end + 4 : end + 1)...]
    return line.contains(0x0a) || line.contains(0x0d) ? nil : line
  }

  /// A line among chunks, which the library ends at a bare LF, too (README, known limits).
  private mutating func chunkLine() -> ArraySlice<UInt8>? {
    guard let end = rest.firstIndex(of: 0x0a) else { return nil }
    let line = rest[..<end]
    rest = rest[(end + 1)...]
    return line.last == 0x0d ? line.dropLast() : line
  }

  private mutating func read() -> PlainRequest? {
    // RFC 9112, 2.2: a server should ignore at least one empty line before a request. The library ends lines before a
    // request at any LF, and takes those that begin with NUL for empty, too; the gate gets to see none of them.
    while let end = rest.firstIndex(of: 0x0a), rest.first == 0 || rest.starts(with: [0x0d, 0x0a]) || rest.first == 0x0a
    {
      rest = rest[(end + 1)...]
    }
    guard let first = line() else { return nil }
    let parts = first.split(separator: 0x20, omittingEmptySubsequences: false).map(Array.init)
    guard parts.count == 3, Self.isToken(parts[0]), parts[1].first == UInt8(ascii: "/"),
      parts[1].allSatisfy({ (0x21...0x7e).contains($0) }),
      ["HTTP/1.1", "HTTP/1.0"].contains(where: { parts[2].elementsEqual($0.utf8) })
    else { return nil }
    var fields: [String: [[UInt8]]] = [:]
    while !isHeaderOver {
      // The library takes colon LF for the empty line, too, and NUL CRLF LF for a field's end with it (README, known
      // limits).
      if rest.starts(with: [0x3a, 0x0a]) {
        rest = rest.dropFirst(2)
        break
      }
      guard var line = line() else { return nil }
      if line.isEmpty { break }
      if line.last == 0 && rest.first == 0x0a {
        isHeaderOver = true
        line.removeLast()
        rest = rest.dropFirst()
      }
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")), Self.isToken(Array(line[..<colon])) else { return nil }
      let value = line[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
      guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else { return nil }
      let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
      fields[name, default: []].append(Array(value.reversed().drop { $0 == 0x20 || $0 == 0x09 }.reversed()))
    }
    guard let body = body(fields) else { return nil }
    return PlainRequest(method: String(decoding: parts[0], as: UTF8.self), target: parts[1], body: body)
  }

  private mutating func body(_ fields: [String: [[UInt8]]]) -> [UInt8]? {
    let lengths = fields["content-length"] ?? []
    let encodings = fields["transfer-encoding"] ?? []
    guard lengths.count + encodings.count <= 1 else { return nil }
    if let encoding = encodings.first {
      return String(decoding: encoding, as: UTF8.self).lowercased() == "chunked" ? chunks() : nil
    }
    guard let text = lengths.first else { return [] }
    guard !text.isEmpty, text.allSatisfy({ (0x30...0x39).contains($0) }),
      let length = Int(String(decoding: text, as: UTF8.self))
    else { return nil }
    return take(length)
  }

  private mutating func take(_ count: Int) -> [UInt8]? {
    guard rest.count >= count else { return nil }
    defer { rest = rest.dropFirst(count) }
    return Array(rest.prefix(count))
  }

  private mutating func chunks() -> [UInt8]? {
    var body: [UInt8] = []
    while true {
      guard let line = chunkLine() else { return nil }
      let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != 0x20 && $0 != 0x09 }
      guard !digits.isEmpty, digits.allSatisfy({ $0 < 0x80 && Character(UnicodeScalar($0)).isHexDigit }),
        let count = Int(String(decoding: digits, as: UTF8.self), radix: 16)
      else { return nil }
      if count == 0 { break }
      guard let chunk = take(count), chunkLine()?.isEmpty == true else { return nil }
      body += chunk
    }
    // Trailers, which nobody reads. The library may take a line that begins with NUL or a colon for the empty one.
    while let line = chunkLine() {
      isLost = line.first == 0 || line.first == 0x3a
      if line.isEmpty || isLost { return body }
    }
    return nil
  }

  private static func isToken(_ bytes: [UInt8]) -> Bool {
    !bytes.isEmpty
      && bytes.allSatisfy { byte in
        let character = Character(UnicodeScalar(byte))
        return byte < 0x80 && (character.isLetter || character.isNumber || "!#$%&'*+-.^_`|~".contains(character))
      }
  }
}
