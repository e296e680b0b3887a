/// A request and what must come back, in process as over a socket.
struct Step: Sendable {
  var request: Request
  var status: Int
  /// The whole body; nil: not looked at.
  var body: String?
  /// Header fields that must be there, with these values; nil: that must not be there.
  var fields: [String: String?]

  init(
    _ method: String, _ path: String, _ sent: String = "", _ headers: [String: String] = [:], is status: Int,
    _ body: String? = nil, _ fields: [String: String?] = [:]
  ) {
    request = Request(method, path.hasPrefix("/session-context") ? path : TestAPI.base + path, sent, headers)
    self.status = status
    self.body = body
    self.fields = fields
  }
}

/// Steps that follow each other on one store.
struct Scenario: Sendable, CustomStringConvertible {
  let description: String
  let steps: [Step]

  private static let time = #""createdAt":"2026-01-01T00:00:00.000Z","modifiedAt":"2026-01-01T00:00:00.000Z""#

  private static func error(_ status: Int, _ message: String, _ more: String = "") -> String {
    #"{"code":\#(status),"message":"\#(message)"\#(more)}"#
  }
  private static func invalid(_ details: String, session: String? = "s1") -> String {
    error(
      400, "The request is not valid",
      (session.map { #","sessionId":"\#($0)""# } ?? "") + #","details":["\#(details)"]"#)
  }
  private static func notFound(_ session: String) -> String {
    error(404, "Session not found", #","sessionId":"\#(session)""#)
  }
  private static let json = "application/json"

  static let all = [
    Scenario(
      description: "the life of a context",
      steps: [
        Step("GET", "/context/s1", is: 404, notFound("s1"), ["Content-Type": json, "ETag": nil]),
        Step("PUT", "/context/s1", "{}", is: 404, notFound("s1")),
        Step("PUT", "/context/s1?upsert=false", #"{"metadata":{"version":1}}"#, is: 404, notFound("s1")),
        Step(
          "PUT", "/context/s1?upsert=true",
          #"{"siteCode":"main","currency":"EUR","context":{"b": 1.50 ,"a":[true]},"metadata":{"version":99},"x":1}"#,
          is: 204, "", ["ETag": "\"1\"", "Content-Type": nil]),
        Step(
          "GET", "/context/s1", is: 200,
          #"{"sessionId":"s1","siteCode":"main","currency":"EUR","context":{"b":1.50,"a":[true]},"metadata":{"version":1,\#(time)}}"#,
          ["ETag": "\"1\"", "Content-Type": json]),
        Step("HEAD", "/context/s1", is: 200, nil, ["ETag": "\"1\"", "Content-Type": json]),
        Step("HEAD", "/context/s2", is: 404),
        Step(
          "PUT", "/context/s1", #"{"sessionId":"s1","currency":"USD","metadata":{"version":1,"createdAt":"x"}}"#,
          is: 204,
          "", ["ETag": "\"2\""]),
        Step(
          "GET", "/context/s1", is: 200,
          #"{"sessionId":"s1","currency":"USD","metadata":{"version":2,\#(time)}}"#),
        Step(
          "PATCH", "/context/s1", #"{"currency":null,"language":"de-DE","cartId":"c"}"#, ["If-Match": "\"2\""], is: 204,
          "", ["ETag": "\"3\""]),
        Step(
          "GET", "/context/s1", is: 200,
          #"{"sessionId":"s1","cartId":"c","language":"de-DE","metadata":{"version":3,\#(time)}}"#),
        Step("DELETE", "/context/s1", is: 204, "", ["ETag": "\"4\""]),
        Step("GET", "/context/s1", is: 404, notFound("s1")),
        Step(
          "PUT", "/context/s1?upsert=true", "{}", is: 410,
          error(410, "The session has ended", #","sessionId":"s1""#)),
        Step("DELETE", "/context/s1", is: 410),
      ]),
    Scenario(
      description: "attributes",
      steps: [
        Step("POST", "/context/s1/attributes", #"{"key":"a","value":1}"#, is: 404, notFound("s1")),
        Step("PUT", "/context/s1?upsert=true", "{}", is: 204),
        Step("POST", "/context/s1/attributes", #"{"key":"x y/z","value":{"n": 1}}"#, is: 204, "", ["ETag": "\"2\""]),
        Step("POST", "/context/s1/attributes", #"{"key":"b","value":null}"#, is: 204, "", ["ETag": "\"3\""]),
        Step("POST", "/context/s1/attributes", #"{"key":"b","value":"B"}"#, is: 204, "", ["ETag": "\"4\""]),
        Step(
          "GET", "/context/s1", is: 200,
          #"{"sessionId":"s1","context":{"x y/z":{"n": 1},"b":"B"},"metadata":{"version":4,\#(time)}}"#),
        Step("DELETE", "/context/s1/attributes/x%20y%2Fz", is: 204, "", ["ETag": "\"5\""]),
        Step(
          "DELETE", "/context/s1/attributes/x%20y%2fz", is: 404,
          error(404, "Attribute not found", #","sessionId":"s1","details":["attributeName: no attribute x y/z"]"#)),
        Step("DELETE", "/context/s1/attributes/b", "", ["If-Match": "\"5\""], is: 204, "", ["ETag": "\"6\""]),
        Step("GET", "/context/s1", is: 200, #"{"sessionId":"s1","metadata":{"version":6,\#(time)}}"#),
        Step("DELETE", "/context/s2/attributes/b", is: 404, notFound("s2")),
      ]),
    Scenario(
      description: "versions and preconditions",
      steps: [
        Step("PUT", "/context/s1?upsert=true", "{}", ["If-Match": "*"], is: 412, nil),
        Step("PUT", "/context/s1?upsert=true", "{}", ["If-None-Match": "*"], is: 204),
        Step(
          "PUT", "/context/s1?upsert=true", #"{"currency":"EUR"}"#, is: 400,
          invalid("metadata.version: must name the version that is changed, or If-Match must")),
        Step("PATCH", "/context/s1", #"{"currency":"EUR","metadata":{"version":1}}"#, is: 204, "", ["ETag": "\"2\""]),
        Step(
          "PATCH", "/context/s1", #"{"currency":"USD","metadata":{"version":1}}"#, is: 409,
          error(
            409, "The context with sessionId s1 and version 1 has not been found.",
            #","sessionId":"s1","currentVersion":2"#), ["Content-Type": json]),
        Step(
          "PATCH", "/context/s1", #"{"currency":"USD"}"#, ["If-Match": "\"1\", W/\"2\""], is: 412,
          error(
            412, "The session's version is not what If-Match or If-None-Match asks for",
            #","sessionId":"s1","currentVersion":2"#)),
        Step("DELETE", "/context/s1", "", ["If-Match": "\"1\""], is: 412),
        Step("PATCH", "/context/s1", "{}", ["If-Match": "*"], is: 204, "", ["ETag": "\"3\""]),
        Step("PATCH", "/context/s1", "{}", ["If-Match": "3"], is: 400, nil),
        Step(
          "GET", "/context/s1", "", ["If-None-Match": "\"3\""], is: 304, "", ["ETag": "\"3\"", "Content-Type": nil]),
        Step("GET", "/context/s1", "", ["If-None-Match": "\"1\", W/\"3\""], is: 304),
        Step("HEAD", "/context/s1", "", ["If-None-Match": "*"], is: 304),
        Step("GET", "/context/s1", "", ["If-Match": "\"2\", \"3\""], is: 200),
        Step(
          "GET", "/context/s1", "", ["If-Match": "\"2\", W/\"3\"", "If-None-Match": "*"], is: 412,
          error(
            412, "The session's version is not what If-Match or If-None-Match asks for",
            #","sessionId":"s1","currentVersion":3"#)),
        Step("HEAD", "/context/s1", "", ["If-Match": "\"2\""], is: 412),
        Step("GET", "/context/s2", "", ["If-Match": "*"], is: 404),
        Step("GET", "/context/s1", "", ["If-Match": "3"], is: 400),
        Step("GET", "/context/s1", "", ["If-None-Match": "\"2\", \"abc\""], is: 200),
        Step(
          "GET", "/context/s1", "", ["If-None-Match": "3"], is: 400,
          invalid(#"If-None-Match: must be * or a list of at most 64 entity tags such as \"4\""#, session: nil)),
      ]),
    Scenario(
      description: "the same request again",
      steps: [
        Step("PUT", "/context/s1?upsert=true", #"{"currency":"EUR"}"#, is: 204, "", ["ETag": "\"1\""]),
        Step("PUT", "/context/s1?upsert=true", #"{"currency":"EUR"}"#, is: 204, "", ["ETag": "\"1\""]),
        Step("PATCH", "/context/s1", #"{"language":"de","metadata":{"version":1}}"#, is: 204, "", ["ETag": "\"2\""]),
        Step("PATCH", "/context/s1", #"{"language":"de","metadata":{"version":1}}"#, is: 204, "", ["ETag": "\"2\""]),
        Step(
          "POST", "/context/s1/attributes", #"{"key":"a","value":1}"#, ["Idempotency-Key": "k1"], is: 204, "",
          ["ETag": "\"3\""]),
        Step("POST", "/context/s1/attributes", #"{"key":"a","value":2}"#, is: 204, "", ["ETag": "\"4\""]),
        Step(
          "POST", "/context/s1/attributes", #"{"key":"a","value":1}"#, ["Idempotency-Key": "k1"], is: 204, "",
          ["ETag": "\"3\""]),
        Step(
          "POST", "/context/s1/attributes", #"{"key":"a","value":3}"#, ["Idempotency-Key": "k1"], is: 422,
          error(
            422, "The Idempotency-Key belongs to another request",
            #","sessionId":"s1","details":["Idempotency-Key: use a new key for each request"]"#)),
        Step(
          "GET", "/context/s1", is: 200,
          #"{"sessionId":"s1","currency":"EUR","language":"de","context":{"a":2},"metadata":{"version":4,\#(time)}}"#),
        Step("DELETE", "/context/s1", "", ["Idempotency-Key": "k2"], is: 204, "", ["ETag": "\"5\""]),
        Step("DELETE", "/context/s1", "", ["Idempotency-Key": "k2"], is: 204, "", ["ETag": "\"5\""]),
        Step(
          "DELETE", "/context/s1", "", ["Idempotency-Key": String(repeating: "k", count: 65)], is: 400,
          invalid("Idempotency-Key: must be 1 to 64 bytes, none of them a control character", session: nil)),
      ]),
    Scenario(
      description: "bodies that can't be meant",
      steps: [
        Step(
          "PUT", "/context/s1?upsert=true", "", is: 400,
          error(
            400, "The request body cannot be read",
            #","sessionId":"s1","details":["body: is empty; a JSON object is expected"]"#)),
        Step("PUT", "/context/s1?upsert=true", "[]", is: 400, nil),
        Step("PUT", "/context/s1?upsert=true", #"{"currency":"EUR""#, is: 400, nil),
        Step("PUT", "/context/s1?upsert=true", #"{"currency":"euro"}"#, is: 400, nil),
        Step("PUT", "/context/s1?upsert=true", #"{"siteCode":1}"#, is: 400, nil),
        Step("PUT", "/context/s1?upsert=true", #"{"siteCode":"a","siteCode":"b"}"#, is: 400, nil),
        Step(
          "PUT", "/context/s1?upsert=true", #"{"sessionId":"s2"}"#, is: 400,
          invalid("sessionId: is another one than the request is for")),
        Step("POST", "/context/s1/attributes", #"{"key":"a"}"#, is: 400, nil),
        Step(
          "PUT", "/context/s1?upsert=true", "{}", ["Content-Type": "text/plain"], is: 415,
          error(415, "The body must be application/json"), ["Accept": json]),
        Step("PUT", "/context/s1?upsert=true", "{}", ["Content-Type": "application/merge-patch+json"], is: 204),
        Step(
          "PATCH", "/context/s1", #"{"metadata":{"version":1}}"#, ["Content-Type": "Application/JSON; charset=utf-8"],
          is: 204, "", ["ETag": "\"2\""]),
      ]),
    Scenario(
      description: "paths and methods that aren't there",
      steps: [
        Step("GET", "/session-context", is: 404, error(404, "No such resource")),
        Step("GET", "/session-context/acme", is: 404),
        Step("GET", "/session-context/acme/other/s1", is: 404),
        Step("GET", "/context/s1/other", is: 404),
        Step("GET", "/context/s1/attributes/a/b", is: 404),
        Step("GET", "/context/s1/", is: 404),
        Step("GET", "/me", is: 404),
        Step(
          "GET", "/session-context/ACME/context/s1", is: 400,
          invalid("tenant: must match ^[a-z][a-z0-9]+$ and have 3 to 16 characters", session: nil)),
        Step("GET", "/session-context/ab/context/s1", is: 400),
        Step("GET", "/session-context/abcdefghijklmnopq/context/s1", is: 400),
        Step("GET", "/context/a%0Ab", is: 400),
        Step("GET", "/context/a%", is: 400),
        Step("GET", "/context/%ff", is: 400),
        Step("GET", "/context/" + String(repeating: "x", count: 201), is: 400),
        Step("GET", "/context/" + String(repeating: "x", count: 200), is: 404),
        Step("DELETE", "/context/s1/attributes/", is: 400),
        Step("PUT", "/context/s1?upsert=yes", "{}", is: 400, nil),
        Step(
          "POST", "/context/s1", "{}", is: 405, error(405, "POST is not possible here"),
          ["Allow": "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"]),
        Step("GET", "/context/s1/attributes", is: 405, nil, ["Allow": "POST, OPTIONS"]),
        Step("PUT", "/context/s1/attributes/a", "1", is: 405, nil, ["Allow": "DELETE, OPTIONS"]),
        Step("PUT", "/me/context", "{}", is: 405, nil, ["Allow": "GET, HEAD, PATCH, DELETE, OPTIONS"]),
        Step("GET", "/me/context/attributes", is: 405, nil, ["Allow": "POST, OPTIONS"]),
        Step("OPTIONS", "/context/s1", is: 204, "", ["Allow": "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"]),
        Step("OPTIONS", "/me/context/attributes/a", is: 204, "", ["Allow": "DELETE, OPTIONS"]),
      ]),
    Scenario(
      description: "own sessions",
      steps: [
        Step(
          "GET", "/me/context", is: 400,
          invalid("session-id: without tokens this header must name the session", session: nil)),
        Step("GET", "/me/context", "", ["session-id": "s1"], is: 404, notFound("s1")),
        Step("PATCH", "/me/context", #"{"metadata":{"version":1}}"#, ["session-id": "s1"], is: 404, notFound("s1")),
        Step("PUT", "/context/s1?upsert=true", #"{"customerId":"c1","cartId":"cart"}"#, is: 204),
        Step(
          "PATCH", "/me/context?upsert=true",
          #"{"sessionId":"s1","siteCode":"main","customerId":"other","cartId":"other","context":{"a":1},"metadata":{"version":1}}"#,
          ["session-id": "s1"], is: 204, "", ["ETag": "\"2\""]),
        Step(
          "GET", "/me/context", "", ["session-id": "s1"], is: 200,
          #"{"sessionId":"s1","customerId":"c1","siteCode":"main","cartId":"cart","context":{"a":1},"metadata":{"version":2,\#(time)}}"#,
          ["ETag": "\"2\""]),
        Step("PATCH", "/me/context", #"{"siteCode":"x"}"#, ["session-id": "s1"], is: 400, nil),
        Step("PATCH", "/me/context", #"{"siteCode":"x"}"#, ["session-id": "s1", "If-Match": "\"1\""], is: 412, nil),
        Step(
          "PATCH", "/me/context", #"{"context":{},"metadata":{"version":2}}"#, ["session-id": "s1"], is: 204, "",
          ["ETag": "\"3\""]),
        Step(
          "POST", "/me/context/attributes", #"{"key":"q\"","value":2}"#, ["session-id": "s1"], is: 201, #""q\"""#,
          ["ETag": "\"4\"", "Content-Type": json]),
        Step("DELETE", "/me/context/attributes/q%22", "", ["session-id": "s1"], is: 204, "", ["ETag": "\"5\""]),
        Step("DELETE", "/me/context/attributes/q%22", "", ["session-id": "s1"], is: 404),
        Step("DELETE", "/me/context", "", ["session-id": "s1"], is: 204, "", ["ETag": "\"6\""]),
        Step("GET", "/me/context", "", ["session-id": "s1"], is: 404, notFound("s1")),
        Step("POST", "/me/context/attributes", #"{"key":"a","value":2}"#, ["session-id": "s1"], is: 410),
      ]),
    Scenario(
      description: "erasure",
      steps: [
        Step("POST", "/erasures", #"{"sessionId":"s1"}"#, is: 404, notFound("s1")),
        Step(
          "PUT", "/context/s1?upsert=true", #"{"customerId":"c1","currency":"EUR"}"#, ["Idempotency-Key": "k"], is: 204),
        Step("PATCH", "/context/s1", #"{"currency":"USD","metadata":{"version":1}}"#, is: 204),
        Step("POST", "/erasures", "{}", is: 400),
        Step("POST", "/erasures", #"{"sessionId":"s1","customerId":"c1"}"#, is: 400),
        Step(
          "POST", "/erasures", #"{"sessionId":"s1","why":1}"#, is: 400,
          error(
            400, "The request body has invalid fields",
            #","details":["why: has no meaning here; name either sessionId or customerId"]"#)),
        Step("POST", "/erasures", #"{"sessionId":"s1"}"#, ["Content-Type": "text/plain"], is: 415),
        Step("GET", "/erasures", is: 405, nil, ["Allow": "POST, OPTIONS"]),
        Step("GET", "/context/s1", is: 200),
        Step("POST", "/erasures", #"{"sessionId":"s1"}"#, is: 200, nil, ["Content-Type": json, "ETag": nil]),
        Step("GET", "/context/s1", is: 404, notFound("s1")),
        Step("PATCH", "/context/s1", #"{"metadata":{"version":2}}"#, is: 404),
        Step("POST", "/erasures", #"{"sessionId":"s1"}"#, is: 200),
        Step("GET", "/contexts?customerId=c1", is: 200, #"{"contexts":[]}"#),
        Step(
          "GET", "/context/s1?version=2", is: 200, #"{"sessionId":"s1","metadata":{"version":2,\#(time)}}"#,
          ["Sessiond-Erased": "true"]),
        Step(
          "GET", "/context/s1/diff?from=1&to=2", is: 200, #"{"sessionId":"s1","life":1,"from":1,"to":2,"changes":[]}"#,
          ["Sessiond-Erased": "true"]),
        // New data, and no retry of what was erased.
        Step(
          "PUT", "/context/s1?upsert=true", #"{"siteCode":"a"}"#, ["Idempotency-Key": "k"], is: 204, "",
          ["ETag": "\"1\""]),
        Step(
          "GET", "/context/s1", is: 200, #"{"sessionId":"s1","siteCode":"a","metadata":{"version":1,\#(time)}}"#),
        Step("POST", "/erasures", #"{"customerId":"c1"}"#, is: 200),
        Step("GET", "/context/s1", is: 200),
      ]),
    Scenario(
      description: "tenants see nothing of each other",
      steps: [
        Step("PUT", "/session-context/acme/context/s1?upsert=true", #"{"siteCode":"ours"}"#, is: 204),
        Step("GET", "/session-context/rival/context/s1", is: 404, notFound("s1")),
        Step("PATCH", "/session-context/rival/context/s1", #"{"metadata":{"version":1}}"#, is: 404),
        Step("DELETE", "/session-context/rival/context/s1", is: 404),
        Step("PUT", "/session-context/rival/context/s1?upsert=true", #"{"siteCode":"theirs"}"#, is: 204),
        Step("DELETE", "/session-context/rival/context/s1", is: 204, "", ["ETag": "\"2\""]),
        Step(
          "GET", "/session-context/acme/context/s1", is: 200,
          #"{"sessionId":"s1","siteCode":"ours","metadata":{"version":1,\#(time)}}"#),
      ]),
    Scenario(
      description: "names that need encoding",
      steps: [
        Step("PUT", "/context/gr%C3%B6%C3%9Fe%20%221%22?upsert=true", "{}", is: 204),
        Step(
          "GET", "/context/gr%c3%b6%c3%9fe%20%221%22", is: 200,
          #"{"sessionId":"größe \"1\"","metadata":{"version":1,\#(time)}}"#),
        Step("PUT", "/context/me?upsert=true", "{}", is: 204),
        Step("GET", "/context/me", is: 200, #"{"sessionId":"me","metadata":{"version":1,\#(time)}}"#),
        Step("GET", "/context/s%2Fx", is: 404, notFound("s/x")),
      ]),
    Scenario(
      description: "requests can be followed",
      steps: [
        Step("GET", "/context/s1", "", ["X-Request-Id": "r-1"], is: 404, nil, ["X-Request-Id": "r-1"]),
        Step("GET", "/context/s1", "", ["X-Request-Id": "r 1"], is: 404, nil, ["X-Request-Id": nil]),
        Step("PUT", "/context/s1?upsert=true", "{}", ["X-Request-Id": "r-2"], is: 204, "", ["X-Request-Id": "r-2"]),
        Step("GET", "/context/s1", is: 200, nil, ["X-Request-Id": nil, "traceparent": nil]),
        Step(
          "GET", "/context/s1", "", ["traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"], is: 200,
          nil, ["traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]),
      ]),
  ]
}
