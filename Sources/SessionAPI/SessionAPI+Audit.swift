internal import HTTPServer
internal import SessionCodec
internal import SessionModel
internal import SessionStore

/// Why a question about the past has no answer but a refusal.
enum AuditProblem: Error {
  case request(RequestTarget.Problem)
  case store(StoreError)
  case notFound(SessionID)
  case versionNotFound(SessionID, UInt32)
}

extension SessionAPI {
  /// Pages hold 50 items unless more, up to 1000, or fewer are asked for.
  static let pageLimits = 1...1000
  static let defaultPageLimit = 50

  /// Answers a question about the past, from the log.
  func audit(_ request: APIRequest) {
    respond(to: request) { () throws(AuditProblem) in
      switch request.operation {
      case .getPastContext:
        let moment = try pastMoment(request)
        if !store.settle(moment) {
          waitForPast(request, moment)
          return nil
        }
        return try pastDocument(request, at: moment)
      case .listContextEvents: return try history(request)
      case .compareContext: return try difference(request)
      case .listContexts: return try contexts(request)
      case .listEvents: return try feed(request)
      case .getContext, .getOwnContext, .replaceContext, .patchContext, .patchOwnContext, .endContext, .endOwnContext,
        .setAttribute, .setOwnAttribute, .removeAttribute, .removeOwnAttribute, .erase:
        preconditionFailure("this is no question about the past")
      }
    }
  }

  /// Answers with what `answer` comes to, a refusal too; nil when it is answered by another.
  private func respond(to request: APIRequest, _ answer: () throws(AuditProblem) -> HTTPResponse?) {
    do throws(AuditProblem) {
      if let response = try answer() { request.responder.respond(response) }
    } catch {
      switch error {
      case .request(let problem): request.responder.respond(AnswerFactory.answer(problem))
      case .store(let error): request.responder.respond(self.answer(error))
      case .notFound(let session): request.responder.respond(AnswerFactory.notFound(session))
      case .versionNotFound(let session, let version):
        request.responder.respond(
          AnswerFactory.error(404, "The session never had a version \(version)", session: session))
      }
    }
  }

  /// Answers when the commit that may be of that time has ended. Not on the worker, whose other connections would wait, too.
  private func waitForPast(_ request: APIRequest, _ moment: Moment) {
    guard request.exchange.suspend() else { return request.responder.respond(AnswerFactory.restarting) }
    store.whenWritten(moment) { [self] in
      request.exchange.resume { [self] in
        respond(to: request) { () throws(AuditProblem) in try pastDocument(request, at: moment) }
      }
    }
  }

  /// What `version=` or `asOf=` asks for.
  private func pastMoment(_ request: APIRequest) throws(AuditProblem) -> Moment {
    try Self.parse { () throws(RequestTarget.Problem) in
      let query = request.target.query
      let version = try query.number(.version, in: 1...UInt32.max)
      let time = try query.instant(.asOf)
      if let time, !store.hasCome(time) { throw .invalid("asOf: must not lie in the future") }
      switch (version, time) {
      case (let version?, nil): return Moment.version(version)
      case (nil, let time?): return .time(time)
      default: throw .invalid("version: name either a version or a time (asOf), not both")
      }
    }
  }

  /// `GET /context/{sessionId}?version=` or `?asOf=`: the document as it was then.
  private func pastDocument(_ request: APIRequest, at moment: Moment) throws(AuditProblem) -> HTTPResponse {
    let past = try look { () throws(StoreError) in
      try store.session(request.session, of: request.caller.tenant, at: moment)
    }
    guard let past else { throw .notFound(request.session) }
    var json: [UInt8] = []
    past.session.appendDocument(of: request.session, to: &json)
    var fields = [
      HTTPResponse.Field("Sessiond-Position", "\(past.position)"),
      HTTPResponse.Field(.etag, entityTag(past.session.version)),
    ]
    if past.isErased { fields.append(Self.erasedField) }
    return .json(200, json, fields: fields)
  }

  /// `GET /context/{sessionId}/events`: newest first.
  private func history(_ request: APIRequest) throws(AuditProblem) -> HTTPResponse {
    let (start, limit) = try Self.parse { () throws(RequestTarget.Problem) in
      let query = request.target.query
      let limit = try query.number(.limit, in: Self.pageLimits) ?? Self.defaultPageLimit
      if let position = try query.number(.from, in: 1...UInt64.max) {
        return (SessionStore.HistoryStart.position(position), limit)
      }
      if let version = try query.number(.before, in: 1...UInt32.max) { return (.before(version: version), limit) }
      return (.newest, limit)
    }
    var page = PageRendering("events", limit: limit)
    let next = try look { () throws(StoreError) in
      try store.readEvents(of: request.session, request.caller.tenant, from: start, limit: limit) { event in
        page.append { event.event.appendCloudEvent(of: request.target.tenant, isErased: event.isErased, to: &$0) }
      }
    }
    guard let next else { throw .notFound(request.session) }
    let path = "\(request.base)/context/\(percentEncoded(request.session.description))/events"
    return .json(200, page.finish(next: next == 0 ? nil : "\(path)?limit=\(limit)&from=\(next)"))
  }

  /// `GET /context/{sessionId}/diff?from=&to=`: field by field.
  private func difference(_ request: APIRequest) throws(AuditProblem) -> HTTPResponse {
    let (from, to) = try Self.parse { () throws(RequestTarget.Problem) in
      guard let from = try request.target.query.number(.from, in: 1...UInt32.max),
        let to = try request.target.query.number(.to, in: 1...UInt32.max)
      else { throw .invalid("from, to: both versions must be named") }
      return (from, to)
    }
    let comparison = try look { () throws(StoreError) in
      try store.compare(request.session, of: request.caller.tenant, from: from, to: to)
    }
    guard case .versions(let life, let old, let new, let isErased) = comparison else {
      if case .noVersion(let version) = comparison { throw .versionNotFound(request.session, version) }
      throw .notFound(request.session)
    }
    var json: [UInt8] = []
    json.append(contentsOf: #"{"sessionId":"#.utf8)
    json.appendJSONString(request.session.description)
    json.append(contentsOf: #","life":"#.utf8)
    json.appendDecimal(life)
    json.append(contentsOf: #","from":"#.utf8)
    json.appendDecimal(from)
    json.append(contentsOf: #","to":"#.utf8)
    json.appendDecimal(to)
    json.append(contentsOf: #","changes":"#.utf8)
    json.appendDifference(from: old, to: new)
    json.append(UInt8(ascii: "}"))
    return .json(200, json, fields: isErased ? [Self.erasedField] : [])
  }

  /// `GET /contexts?customerId=`: the sessions that carry or carried a customer's id.
  private func contexts(_ request: APIRequest) throws(AuditProblem) -> HTTPResponse {
    let (customer, after, limit) = try Self.parse { () throws(RequestTarget.Problem) in
      let query = request.target.query
      guard let customer = try query.customer() else {
        throw .invalid("customerId: must name the customer")
      }
      let after = query.text(.after).map { SessionID($0) }
      if case .some(nil) = after { throw .invalid("after: must be a session id") }
      return (customer, after ?? nil, try query.number(.limit, in: Self.pageLimits) ?? Self.defaultPageLimit)
    }
    var page = PageRendering("contexts", limit: limit)
    let last = try look { () throws(StoreError) in
      try store.readSessions(of: customer, in: request.caller.tenant, after: after, limit: limit) { item in
        page.append { json in
          json.append(contentsOf: item.isLive ? #"{"state":"active","carries":"#.utf8 : item.stateText.utf8)
          let carries = item.session.context.customerID?.utf8.elementsEqual(customer.utf8) == true
          json.append(contentsOf: carries ? "true".utf8 : "false".utf8)
          json.append(contentsOf: #","context":"#.utf8)
          item.session.appendDocument(of: item.id, to: &json)
          json.append(UInt8(ascii: "}"))
        }
      }
    }
    let next = last.map { last in
      "\(request.base)/contexts?customerId=\(percentEncoded(customer))&limit=\(limit)"
        + "&after=\(percentEncoded(last.description))"
    }
    return .json(200, page.finish(next: next))
  }

  private static let erasedField = HTTPResponse.Field("Sessiond-Erased", "true")

  static func parse<Value>(_ body: () throws(RequestTarget.Problem) -> Value) throws(AuditProblem) -> Value {
    do throws(RequestTarget.Problem) {
      return try body()
    } catch {
      throw .request(error)
    }
  }

  func look<Value>(_ body: () throws(StoreError) -> Value) throws(AuditProblem) -> Value {
    do throws(StoreError) {
      return try body()
    } catch {
      throw .store(error)
    }
  }
}

extension APIRequest {
  /// The path of the tenant's resources.
  var base: String { "/session-context/\(target.tenant)" }
}

extension CustomerSession {
  /// The beginning of a session's entry that can't be read any more.
  fileprivate var stateText: String {
    switch session.status {
    case .ended: #"{"state":"ended","carries":"#
    case .erased: #"{"state":"erased","carries":"#
    case .active, .expired: #"{"state":"expired","carries":"#
    }
  }
}
