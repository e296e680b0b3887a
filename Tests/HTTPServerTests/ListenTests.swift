import Glibc
import HTTPServer
import Testing

@Suite struct ListenTests {
  @Test(
    "addresses are read and written in one form",
    arguments: [
      ("127.0.0.1:8080", "127.0.0.1:8080", true), ("[::1]:80", "[::1]:80", true), ("[0:0::1]:80", "[::1]:80", true),
      ("0.0.0.0:0", "0.0.0.0:0", false), ("[::]:65535", "[::]:65535", false), ("127.9.9.9:1", "127.9.9.9:1", true),
      ("192.0.2.1:80", "192.0.2.1:80", false), ("unix:/run/a b.sock", "unix:/run/a b.sock", true),
    ])
  func parses(text: String, description: String, isLoopback: Bool) throws {
    let address = try ListenAddress.parse(text)
    #expect(address.description == description)
    #expect(address.isLoopback == isLoopback)
    #expect(try ListenAddress.parse(address.description) == address)
  }

  @Test(
    "what is no address is refused with the right form",
    arguments: [
      "", ":8080", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:8x",
      "127.1:80", "localhost:80", "::1:80", "[::1]", "[127.0.0.1]:80", "[::1:80", "unix:", "unix:relative",
      "unix:/" + String(repeating: "x", count: 107),
    ])
  func refuses(text: String) {
    let error = #expect(throws: HTTPServerError.self) { try ListenAddress.parse(text) }
    if case .invalidAddress? = error {} else { Issue.record("\(String(describing: error))") }
  }

  @Test("several listeners serve at once, each with its real address")
  func several() throws {
    let path = temporaryPath()
    let server = try TestServer([
      .tcp(host: "127.0.0.1", port: 0), .tcp(host: "127.0.0.1", port: 0), .tcp(host: "::1", port: 0), .unix(path: path),
    ])
    let addresses = server.server.boundAddresses
    #expect(Set(addresses).count == 4)
    for listener in addresses.indices {
      let client = try server.client(listener)
      client.send("GET /peer HTTP/1.1\r\nHost: a\r\n\r\n")
      let body = try #require(client.response()?.body)
      switch listener {
      case 0, 1: #expect(body.hasPrefix("127.0.0.1:"))
      case 2: #expect(body.hasPrefix("[::1]:"))
      default: #expect(body == "unix:")
      }
    }
  }

  @Test("an address in use is named, and nothing else stays open")
  func inUse() throws {
    let first = try TestServer()
    let taken = first.server.boundAddresses[0]
    let path = temporaryPath()
    #expect(throws: HTTPServerError.cannotListen("\(taken) is in use by another process; choose another --listen")) {
      try TestServer([.unix(path: path), taken])
    }
    #expect(!exists(path))
  }

  @Test("a port is free again right after the server stopped")
  func reuse() throws {
    let first = try TestServer()
    let client = try first.client()
    client.send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.response()?.status == 200)
    let address = first.server.boundAddresses[0]
    first.stop()
    let second = try TestServer([address])
    #expect(second.server.boundAddresses == [address])
  }

  @Test("a UNIX socket has mode 0660 and is removed at the end")
  func socketFile() throws {
    let path = temporaryPath()
    let server = try TestServer([.unix(path: path)])
    var status = stat()
    let found = unsafe lstat(path, &status)
    #expect(found == 0)
    #expect(status.st_mode & 0o7777 == 0o660)
    server.stop()
    #expect(!exists(path))
  }

  @Test("a socket file that nobody listens on is replaced, one in use and another file are not")
  func staleSocket() throws {
    let path = temporaryPath()
    let stale = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &name.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    let bound = unsafe withUnsafePointer(to: &name) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        unsafe bind(stale, generic, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    #expect(bound == 0)
    close(stale)
    let server = try TestServer([.unix(path: path)])
    #expect(throws: HTTPServerError.cannotListen("unix:\(path) is in use by another process; choose another --listen"))
    {
      try TestServer([.unix(path: path)])
    }
    let client = try server.client()
    client.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.response()?.status == 200)
    let file = temporaryPath()
    close(unsafe open(file, O_CREAT | O_WRONLY, 0o600))
    #expect(throws: HTTPServerError.self) { try TestServer([.unix(path: file)]) }
    #expect(exists(file))
    unsafe unlink(file)
  }

  @Test("an inherited socket is served; a descriptor that doesn't listen is refused")
  func inherited() throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #expect(throws: HTTPServerError.self) { try TestServer([], inherited: [descriptor]) }
    #expect(listen(descriptor, 16) == 0)
    let server = try TestServer([], inherited: [descriptor])
    let client = try server.client()
    client.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.response()?.status == 200)
  }
}

/// Whether there's a file at `path`.
private func exists(_ path: String) -> Bool {
  unsafe access(path, F_OK) == 0
}
