internal import HTTPServer
internal import SessionCodec
internal import SessionModel
internal import SessionStore

/// How clients learn of a version conflict.
public enum ConflictStatus: Int, Sendable {
  /// 409, which says what it is.
  case conflict = 409
  /// 404, as the service that this API comes from answers.
  case notFound = 404
}

/// Makes answers. The one place where refusals become statuses.
struct AnswerFactory: Sendable {
  let conflictStatus: ConflictStatus

  /// An error's answer: `{"code":…,"message":…}` with what else there is to say.
  static func error(
    _ status: Int, _ message: String, session: SessionID? = nil, currentVersion: UInt32? = nil,
    details: [String] = [], fields: [HTTPResponse.Field] = []
  ) -> HTTPResponse {
    var json: [UInt8] = []
    json.append(contentsOf: #"{"code":"#.utf8)
    json.appendDecimal(status)
    json.append(contentsOf: #","message":"#.utf8)
    json.appendJSONString(message)
    if let session {
      json.append(contentsOf: #","sessionId":"#.utf8)
      json.appendJSONString(session.description)
    }
    if let currentVersion {
      json.append(contentsOf: #","currentVersion":"#.utf8)
      json.appendDecimal(currentVersion)
    }
    if !details.isEmpty {
      json.append(contentsOf: #","details":["#.utf8)
      for (index, detail) in details.enumerated() {
        if index > 0 { json.append(UInt8(ascii: ",")) }
        json.appendJSONString(detail)
      }
      json.append(UInt8(ascii: "]"))
    }
    json.append(UInt8(ascii: "}"))
    return .json(status, json, fields: fields)
  }

  /// The answer to a body that can't be read.
  static func answer(_ problem: BodyProblem, session: SessionID) -> HTTPResponse {
    error(400, problem.message, session: session, details: problem.details)
  }

  /// The answer to a caller that may not do what it asks for.
  static func answer(_ refusal: AuthorizationRefusal) -> HTTPResponse {
    switch refusal {
    case .unauthenticated(nil):
      return error(
        401, "A bearer token is required", fields: [.init(.wwwAuthenticate, #"Bearer realm="session-context""#)])
    case .unauthenticated(let reason?):
      let challenge = #"Bearer realm="session-context", error="invalid_token", error_description="\#(reason)""#
      return error(401, "The token is not valid: \(reason)", fields: [.init(.wwwAuthenticate, challenge)])
    case .forbidden(let message, let details):
      return error(403, message, details: details)
    case .invalid(let detail):
      return error(400, "The request is not valid", details: [detail])
    }
  }

  /// The answer to a target that can't be taken apart.
  static func answer(_ problem: RequestTarget.Problem) -> HTTPResponse {
    switch problem {
    case .noSuchResource: error(404, "No such resource")
    case .invalid(let detail): error(400, "The request is not valid", details: [detail])
    }
  }

  static func notFound(_ session: SessionID) -> HTTPResponse {
    error(404, "Session not found", session: session)
  }

  /// The answer to a store that could not answer.
  static func answer(_ error: StoreError) -> HTTPResponse {
    if error.isDiskFull {
      return Self.error(507, "The disk is full; nothing can be written until there is room", fields: retry)
    }
    if error == .closed { return restarting }
    return Self.error(500, "The stored data could not be read or written; the service's log says why")
  }

  /// The answer to a change that would come too late, since the service is about to stop.
  static let restarting = error(503, "The service is restarting; try again", fields: retry)

  /// The answer to more work than there is room for.
  static let overloaded = error(503, "Too many changes wait to be written; try again", fields: retry)

  /// The answer to a tenant that asks for more changes than it may.
  static func tooManyWrites(retryAfterSeconds: Int) -> HTTPResponse {
    error(
      429, "The tenant asks for more changes a second than it may; try again later",
      fields: [HTTPResponse.Field(.retryAfter, "\(retryAfterSeconds)")])
  }

  private static let retry = [HTTPResponse.Field(.retryAfter, "1")]

  /// The answer to a refused command.
  func answer(_ rejection: Rejection, session: SessionID) -> HTTPResponse {
    switch rejection {
    case .sessionNotFound:
      return Self.notFound(session)
    case .sessionEnded:
      return Self.error(410, "The session has ended", session: session)
    case .versionRequired:
      return Self.error(
        400, "The request is not valid", session: session,
        details: ["metadata.version: must name the version that is changed, or If-Match must"])
    case .versionConflict(let sent, let current):
      return Self.error(
        conflictStatus.rawValue, "The context with sessionId \(session) and version \(sent) has not been found.",
        session: session, currentVersion: current)
    case .preconditionFailed(let current):
      return Self.error(
        412, "The session's version is not what If-Match or If-None-Match asks for", session: session,
        currentVersion: current)
    case .attributeNotFound(let name):
      return Self.error(404, "Attribute not found", session: session, details: ["attributeName: no attribute \(name)"])
    case .tooManyAttributes(let maximum):
      return Self.error(
        400, "The request is not valid", session: session,
        details: ["context: has \(maximum) attributes, which is the limit"])
    case .tooManySessions(let maximum):
      return Self.error(
        507, "The tenant has \(maximum) open sessions, which is its limit; end some or raise the limit",
        session: session)
    case .idempotencyKeyReused:
      return Self.error(
        422, "The Idempotency-Key belongs to another request", session: session,
        details: ["Idempotency-Key: use a new key for each request"])
    case .customerProofMissing:
      return Self.error(403, "Required Header [saas-token]", session: session)
    case .customerProofMismatch:
      return Self.error(403, "The saas-token belongs to another customer", session: session)
    case .versionsExhausted:
      return Self.error(409, "The session has had as many changes as can be counted; end it", session: session)
    }
  }
}
