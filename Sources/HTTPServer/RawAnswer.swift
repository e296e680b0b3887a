internal import CMicrohttpd
internal import Glibc

/// Answers that go directly into a socket, where the library takes none.
enum RawAnswer {
  /// Sends `response` with `Connection: close`, as far as the socket takes it at once: an answer that small always fits
  /// into a socket that nothing was sent to.
  static func send(_ response: HTTPResponse, to descriptor: Int32) {
    var bytes = Array(
      "HTTP/1.1 \(response.status) \(reason(response.status))\r\nDate: \(date())\r\nConnection: close\r\n".utf8)
    for field in response.fields { bytes.append(contentsOf: "\(field.name): \(field.value)\r\n".utf8) }
    bytes.append(contentsOf: "Content-Length: \(response.body.count)\r\n\r\n".utf8)
    bytes.append(contentsOf: response.body)
    unsafe bytes.withUnsafeBytes { bytes in
      _ = unsafe Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
    }
  }

  /// Drops what has arrived and wasn't read, at most 1 MiB: closing a socket with unread bytes resets the connection, which
  /// can take the answer away from the client before it reads it.
  static func discardUnread(_ descriptor: Int32) {
    unsafe withUnsafeTemporaryAllocation(byteCount: 16384, alignment: 1) { buffer in
      for _ in 0..<64 {
        guard unsafe recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT)) > 0 else { return }
      }
    }
  }

  private static func reason(_ status: Int) -> StaticString {
    switch status {
    case 413: "Content Too Large"
    case 431: "Request Header Fields Too Large"
    case 503: "Service Unavailable"
    default: "Error"
    }
  }

  /// The time as `Date` gives it (RFC 9110, section 5.6.7).
  private static func date() -> String {
    var now = time(nil)
    var parts = unsafe tm()
    unsafe gmtime_r(&now, &parts)
    var text = [CChar](repeating: 0, count: 32)
    // The process keeps the C locale, whose names are those of HTTP.
    let length = unsafe strftime(&text, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
    return String(decoding: text.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
