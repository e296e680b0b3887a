internal import CMicrohttpd
internal import Glibc
internal import Platform

/// The strict look at a request's header, before anything else sees the request.
///
/// libmicrohttpd is lenient: it takes bare LF for CRLF, folds lines, skips blanks around the target, cuts values at a NUL
/// and takes the first of several equal fields. What a proxy before us reads differently can smuggle a request. So this
/// proves that the header has the one form of RFC 9112 by walking the received block itself: the library parses in place,
/// turning blank, colon, CR and LF into NUL, and hands out pointers into the block. Each of them must be where the strict
/// form puts it, and the block must end where the walk ends. Nothing is read but what the library's pointers vouch for.
@safe struct RequestGate {
  /// An answer in place of the handler's.
  struct Refusal {
    var status: Int
    var message: String
  }

  /// Fields that may stand only once.
  private struct Singletons: OptionSet {
    var rawValue: UInt32
    static let contentLength = Singletons(rawValue: 1)
    static let transferEncoding = Singletons(rawValue: 2)
    static let host = Singletons(rawValue: 4)
    static let authorization = Singletons(rawValue: 8)
    static let contentType = Singletons(rawValue: 16)
    static let expect = Singletons(rawValue: 32)
    /// This may stand more than once.
    static let cookie = Singletons(rawValue: 64)

    /// The one of that number among those that the handler names.
    static func ofHandler(_ number: Int) -> Singletons { Singletons(rawValue: 1 << UInt32(16 + number)) }
  }

  /// How many fields the handler may name that may stand only once.
  static let maximumSingleFields = 16

  /// The refusal, once there is one.
  private(set) var refusal: Refusal?
  /// Where path and query begin in the target.
  private(set) var pathStart = 0
  /// The body's length in bytes; nil when it's chunked.
  private(set) var bodyBytes: Int? = 0
  /// The bytes of the connection's memory that the library may still take for records of this request.
  private(set) var memoryLeft: Int
  /// Where the next line must begin.
  private var expected: UnsafePointer<CChar>
  private var seen: Singletons = []
  /// Whose limits count.
  private let core: ServerCore

  /// Examines the header of the request that the library just received.
  ///
  /// `uri` is what the library's URI callback got, `target` a copy from before the library changed it in place.
  init(
    _ core: ServerCore, _ connection: OpaquePointer, method: UnsafePointer<CChar>, uri: UnsafePointer<CChar>,
    target: Span<UInt8>, version: UnsafePointer<CChar>
  ) {
    self.core = core
    memoryLeft = core.configuration.recordBytes
    unsafe expected = version
    unsafe examine(
      connection, method: method, uri: uri, target: target, version: version, headerBytes: cmhd_header_size(connection))
  }

  private mutating func examine(
    _ connection: OpaquePointer, method: UnsafePointer<CChar>, uri: UnsafePointer<CChar>, target: Span<UInt8>,
    version: UnsafePointer<CChar>, headerBytes: Int
  ) {
    // 1. The request line: three parts, one blank between them, and a version that we speak.
    let methodLength = unsafe strlen(method)
    guard unsafe uri == method + methodLength + 1, unsafe version == uri + target.count + 1 else {
      return refuse(400, "the request line must be a method, a target and a version with one blank between them")
    }
    let isHTTP11 = unsafe strcmp(version, MHD_HTTP_VERSION_1_1) == 0
    guard unsafe isHTTP11 || strcmp(version, MHD_HTTP_VERSION_1_0) == 0 else {
      return refuse(505, "the HTTP version must be 1.1 or 1.0")
    }
    guard unsafe Self.isToken(bytes(method, methodLength)) else {
      return refuse(400, "the method must be a token, as in GET")
    }
    guard let start = Self.pathStart(in: target) else {
      return refuse(400, "the request target must be a path that begins with /, or an http URL")
    }
    pathStart = start
    for index in target.indices where target[index] < 0x21 || target[index] > 0x7e || target[index] == UInt8(ascii: "#")
    {
      return refuse(400, "the request target must be visible ASCII without #; percent-encode every other byte")
    }
    guard unsafe version[8] == 0, unsafe version[9] == 0 else {
      return refuse(400, "the request line must end with CRLF")
    }
    guard headerBytes <= core.configuration.maximumHeaderBytes else {
      return refuse(431, "the request's header must be at most \(core.configuration.maximumHeaderBytes) bytes long")
    }
    // 2. The header lines.
    unsafe expected = version + 10
    unsafe withUnsafeMutablePointer(to: &self) { gate in
      _ = unsafe MHD_get_connection_values_n(
        connection, .HEADER_KIND,
        { gate, _, name, nameLength, value, valueLength in
          // `gate` is the pointer passed below, which outlives this call; names and values are never null for headers.
          guard let gate = unsafe gate?.assumingMemoryBound(to: RequestGate.self), let name = unsafe name else {
            return .NO
          }
          return unsafe gate.pointee.examine(name, nameLength, value ?? name, valueLength) ? .YES : .NO
        }, gate)
    }
    guard refusal == nil else { return }
    guard unsafe headerBytes == expected + 2 - method, unsafe expected[0] == 0, unsafe expected[1] == 0 else {
      return refuse(400, Self.malformedLine)
    }
    if seen.contains(.cookie) {
      memoryLeft -= Int(unsafe MHD_get_connection_values_n(connection, .COOKIE_KIND, nil, nil)) * Self.recordBytes
    }
    guard memoryLeft >= 0 else {
      return refuse(431, "the request's header must have fewer fields and cookies, or shorter cookies")
    }
    // 3. What the fields mean together.
    if isHTTP11, !seen.contains(.host) { return refuse(400, "an HTTP/1.1 request must have a Host header") }
    if seen.contains(.transferEncoding) {
      if seen.contains(.contentLength) {
        return refuse(400, "Content-Length and Transfer-Encoding must not stand in one request")
      }
      if !isHTTP11 { return refuse(400, "an HTTP/1.0 request must not have Transfer-Encoding") }
      bodyBytes = nil
    }
    if seen.contains(.expect), bodyBytes == 0 {
      // RFC 9110, 10.1.1: "A client MUST NOT generate a 100-continue expectation in a request that does not include
      // content." The library takes the next request's bytes for that content.
      return refuse(400, "a request without a body must not have Expect")
    }
    if let bodyBytes, bodyBytes > core.configuration.maximumBodyBytes {
      return refuse(413, "the request's body must be at most \(core.configuration.maximumBodyBytes) bytes long")
    }
  }

  /// What the library takes of a connection's memory for each field, cookie and trailer (0.9.75), in bytes.
  private static let recordBytes = 64

  /// What the library takes of a connection's memory for a request's trailers, in bytes. Asked once the whole body was
  /// received.
  static func trailerBytes(_ connection: OpaquePointer) -> Int {
    var bytes = 0
    unsafe withUnsafeMutablePointer(to: &bytes) { bytes in
      _ = unsafe MHD_get_connection_values_n(
        connection, .FOOTER_KIND,
        { bytes, _, _, nameLength, _, valueLength in
          // `bytes` is the pointer passed below, which outlives this call.
          guard let bytes = unsafe bytes?.assumingMemoryBound(to: Int.self) else { return .NO }
          // The line itself stays where it was received.
          unsafe bytes.pointee += RequestGate.recordBytes + nameLength + valueLength + 4
          return .YES
        }, bytes)
    }
    return bytes
  }

  private static let malformedLine =
    "each header line must be `name: value` ended by CRLF, without folding and without control characters"

  /// Where path and query begin in a target: at 0 in origin form, behind the host in absolute form, which a server must take
  /// too (RFC 9112, 3.2.2). Nil in the other forms, and without a host.
  private static func pathStart(in target: Span<UInt8>) -> Int? {
    guard target.isEmpty || target[0] != UInt8(ascii: "/") else { return 0 }
    guard let colon = target.firstIndex(of: UInt8(ascii: ":")), target.extracting(colon...).hasPrefix(Array("://".utf8))
    else { return nil }
    let scheme = target.extracting(..<colon)
    guard HTTPFieldName("http").matches(scheme) || HTTPFieldName("https").matches(scheme) else { return nil }
    var end = colon + 3
    while end < target.count, target[end] != UInt8(ascii: "/"), target[end] != UInt8(ascii: "?") { end += 1 }
    return end > colon + 3 && isHost(target.extracting((colon + 3)..<end)) ? end : nil
  }

  /// Whether a host and perhaps a port may be written so, without a user before them: the characters of RFC 3986, 3.2.2 and
  /// 3.2.3.
  private static func isHost(_ text: Span<UInt8>) -> Bool {
    for index in text.indices {
      switch text[index] {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: ";"), UInt8(ascii: "$")...UInt8(ascii: "."), UInt8(ascii: "!"),
        UInt8(ascii: "="), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "_"), UInt8(ascii: "~"):
        continue
      default: return false
      }
    }
    return true
  }

  private mutating func refuse(_ status: Int, _ message: String) {
    if refusal == nil { refusal = Refusal(status: status, message: message) }
  }

  /// Looks at one header line; false when it's refused.
  private mutating func examine(
    _ name: UnsafePointer<CChar>, _ nameLength: Int, _ value: UnsafePointer<CChar>, _ valueLength: Int
  ) -> Bool {
    // The library moves a folded line elsewhere; after a bare LF or a NUL the next line begins earlier or later.
    guard unsafe name == expected else { return fail(Self.malformedLine) }
    guard unsafe Self.isToken(bytes(name, nameLength)) else {
      return fail("a header's name must be a token, with the colon right after it")
    }
    var begin = unsafe name + nameLength + 1
    while unsafe begin[0] == 0x20 || begin[0] == 0x09 { unsafe begin += 1 }
    guard unsafe value == begin else { return fail(Self.malformedLine) }
    guard unsafe Span(_unsafeElements: bytes(value, valueLength)).isFieldText else { return fail(Self.malformedLine) }
    // Both are inside the block: the value's NUL stands for a byte that was received, and an empty line follows.
    guard unsafe value[valueLength] == 0, unsafe value[valueLength + 1] == 0 else { return fail(Self.malformedLine) }
    unsafe expected = value + valueLength + 2
    memoryLeft -= Self.recordBytes
    return unsafe examineField(
      Span(_unsafeElements: bytes(name, nameLength)), Span(_unsafeElements: bytes(value, valueLength)))
  }

  /// Applies the rules of the few fields that have some.
  private mutating func examineField(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Bool {
    switch name.count {
    case 4 where HTTPFieldName.host.matches(name):
      // RFC 9112, 3.2: 400 for "a Host header field with an invalid field value".
      guard Self.isHost(trimmed(value)) else { return fail("Host must be a host, and perhaps a port") }
      return once(.host, "Host")
    case 6 where HTTPFieldName("Expect").matches(name): return once(.expect, "Expect")
    case 6 where HTTPFieldName("Cookie").matches(name):
      // The library copies it, with a record of each cookie.
      seen.insert(.cookie)
      memoryLeft -= value.count + 16
      return true
    case 12 where HTTPFieldName.contentType.matches(name): return once(.contentType, "Content-Type")
    case 13 where HTTPFieldName.authorization.matches(name): return once(.authorization, "Authorization")
    case 14 where HTTPFieldName.contentLength.matches(name):
      guard once(.contentLength, "Content-Length") else { return false }
      var length = 0
      for index in value.indices {
        let digit = value[index] &- 0x30
        guard digit < 10 else { return fail("Content-Length must be decimal digits only") }
        let (tens, overflowed) = length.multipliedReportingOverflow(by: 10)
        let (sum, carried) = tens.addingReportingOverflow(Int(digit))
        guard !overflowed, !carried else { return fail("Content-Length is too large") }
        length = sum
      }
      guard !value.isEmpty else { return fail("Content-Length must not be empty") }
      bodyBytes = length
      return true
    case 17 where HTTPFieldName.transferEncoding.matches(name):
      guard once(.transferEncoding, "Transfer-Encoding") else { return false }
      guard HTTPFieldName("chunked").matches(value) else { return fail("Transfer-Encoding must be exactly `chunked`") }
      return true
    default:
      let fields = core.configuration.singleFields
      for number in fields.indices where fields[number].matches(name) {
        return once(.ofHandler(number), fields[number].text)
      }
      return true
    }
  }

  private mutating func once(_ field: Singletons, _ name: StaticString) -> Bool {
    guard seen.insert(field).inserted else { return fail("\(name) must stand only once") }
    return true
  }

  private mutating func fail(_ message: String) -> Bool {
    refuse(400, message)
    return false
  }

  /// Whether the bytes are a token (RFC 9110, section 5.6.2).
  private static func isToken(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    for index in bytes.indices {
      switch unsafe bytes[index] {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x21, 0x23...0x27, 0x2a, 0x2b, 0x2d, 0x2e, 0x5e...0x60, 0x7c, 0x7e:
        continue
      default: return false
      }
    }
    return !bytes.isEmpty
  }
}

extension Span<UInt8> {
  /// Whether no byte is a control character other than a tab (RFC 9110, section 5.5).
  ///
  /// Eight bytes at a time, since tokens are long: a word without a byte below blank and without DEL needs no closer look.
  fileprivate var isFieldText: Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops = ones &* 0x80
    var place = 0
    while place < count {
      if count - place >= 8 {
        let word: UInt64 = loadLittleEndian(at: place)
        let delete = word ^ ones &* 0x7f
        if ((word &- ones &* 0x20) & ~word | (delete &- ones) & ~delete) & tops == 0 {
          place += 8
          continue
        }
      }
      for index in place..<Swift.min(place + 8, count) {
        let byte = self[index]
        if byte < 0x20 && byte != 0x09 || byte == 0x7f { return false }
      }
      place += 8
    }
    return true
  }
}

/// A C string's characters as bytes.
func bytes(_ text: UnsafePointer<CChar>, _ length: Int) -> UnsafeBufferPointer<UInt8> {
  unsafe UnsafeBufferPointer(start: UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self), count: length)
}
