internal import HTTPServer

/// The description of this API in OpenAPI 3.1: the file `openapi.json`, which is built into the program.
enum OpenAPIDocument {
  /// The document as JSON text.
  static let json = PackageResources.openapi_json

  private static let path = Array("/openapi.json".utf8)
  /// The methods that it can be asked for with, for `Allow`.
  static let allowedMethods = "GET, HEAD, OPTIONS"

  /// Whether the path of `target` is the document's.
  static func isNamed(by target: [UInt8]) -> Bool {
    target.starts(with: path) && (target.count == path.count || target[path.count] == UInt8(ascii: "?"))
  }

  /// The answer to a request for the document. It is the same for everybody, so that no token is asked for.
  static func answer(_ exchange: HTTPExchange) -> HTTPResponse {
    guard exchange.method == .get || exchange.method == .head else {
      let allow = HTTPResponse.Field(.allow, allowedMethods)
      return AnswerFactory.error(405, "\(exchange.methodName) is not possible here", fields: [allow])
    }
    return .json(200, json)
  }
}
