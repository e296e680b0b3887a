/// An answer to a request: whole, or with a body that is made while it is sent.
///
/// `Date`, `Content-Length` and, where the connection ends, `Connection: close` are added when it is sent. HEAD sends
/// the same fields as GET with the length of `body`, and no body; 204 and 304 send none either.
/// A streamed body is sent in chunks; to a client of HTTP/1.0 without, and the end of the connection ends it.
/// HEAD is then answered without a length, and ends the connection.
public struct HTTPResponse: Sendable {
  /// A header field of the answer.
  public struct Field: Sendable {
    /// Its name.
    public var name: HTTPFieldName
    /// Its value. Without control characters: an answer with such a value is replaced by a 500.
    public var value: String

    /// The field `name: value`.
    public init(_ name: HTTPFieldName, _ value: String) {
      self.name = name
      self.value = value
    }

    /// The field of a body in JSON.
    public static var json: Field { Field(.contentType, "application/json") }
  }

  /// How long an answer's header may be, in bytes, so that it can be sent whatever the request was.
  public static let maximumHeaderBytes = 2048

  /// The status code, 200 to 599.
  public var status: Int
  /// The header fields, in order. `Content-Length`, `Transfer-Encoding` and `Connection` don't belong here.
  ///
  /// All of them together take at most ``maximumHeaderBytes`` with the status line and what is added: a connection's
  /// memory has room for no more where a request fills the rest.
  public var fields: [Field]
  /// The body. With a 304 only its length is sent, so it should be that of the 200 which the 304 stands for
  /// (RFC 9110, section 8.6); libmicrohttpd can't leave the length out, and tells 0 for an empty one.
  public var body: [UInt8]
  /// The body when it is streamed; then `body` is empty. Belongs to this one answer.
  public var stream: HTTPBodyStream?
  /// Whether the connection ends after this answer.
  public var closesConnection: Bool

  /// An answer of the given parts.
  public init(status: Int, fields: [Field] = [], body: [UInt8] = [], closesConnection: Bool = false) {
    precondition((200...599).contains(status), "\(status) is no status of a final answer")
    self.status = status
    self.fields = fields
    self.body = body
    self.closesConnection = closesConnection
  }

  /// An answer whose body is streamed.
  public static func stream(_ status: Int, _ stream: HTTPBodyStream, fields: [Field] = []) -> HTTPResponse {
    var response = HTTPResponse(status: status, fields: fields)
    response.stream = stream
    return response
  }

  /// An answer without a body.
  public static func empty(_ status: Int, fields: [Field] = []) -> HTTPResponse {
    HTTPResponse(status: status, fields: fields)
  }

  /// An answer whose body is `json`, with the content type `application/json`.
  public static func json(_ status: Int, _ json: [UInt8], fields: [Field] = []) -> HTTPResponse {
    HTTPResponse(status: status, fields: fields + CollectionOfOne(.json), body: json)
  }

  /// An error answer of the API: `{"code":…,"message":"…"}`.
  public static func error(_ status: Int, _ message: String, fields: [Field] = []) -> HTTPResponse {
    var json = Array("{\"code\":\(status),\"message\":\"".utf8)
    for byte in message.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        json.append(UInt8(ascii: "\\"))
        json.append(byte)
      case 0..<0x20:
        json.append(contentsOf: "\\u00".utf8)
        json.append(hexDigit(byte >> 4))
        json.append(hexDigit(byte & 15))
      default:
        json.append(byte)
      }
    }
    json.append(contentsOf: "\"}".utf8)
    return .json(status, json, fields: fields)
  }

  /// This answer, after which the connection ends.
  func closing() -> HTTPResponse {
    var response = self
    response.closesConnection = true
    return response
  }
}

/// The digit for a value below 16.
private func hexDigit(_ value: UInt8) -> UInt8 {
  value < 10 ? 0x30 + value : 0x57 + value
}
