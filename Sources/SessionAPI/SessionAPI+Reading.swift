internal import HTTPServer
internal import SessionModel
internal import SessionStore

extension SessionAPI {
  /// Answers with the session's document, or with 304 when the caller has it already.
  func read(_ request: APIRequest) {
    var known: Precondition.Versions?
    if let value = request.exchange.header(.ifNoneMatch) {
      guard let versions = parseEntityTags(value, weak: true) else {
        let detail = "If-None-Match: must be * or a list of entity tags such as \"4\""
        return request.responder.respond(AnswerFactory.answer(RequestTarget.Problem.invalid(detail)))
      }
      known = versions
    }
    do throws(StoreError) {
      let document = try store.document(request.session, of: request.caller.tenant) { version in
        known?.contains(version) ?? false
      }
      guard let document else {
        if request.operation.isOwn && configuration.beginsOwnSessions { return begin(request) }
        return request.responder.respond(AnswerFactory.notFound(request.session))
      }
      let tag = HTTPResponse.Field(.etag, entityTag(document.version))
      if document.json.isEmpty { return request.responder.respond(.empty(304, fields: [tag])) }
      request.responder.respond(.json(200, document.json, fields: [tag]))
    } catch {
      request.responder.respond(answer(error))
    }
  }

  /// Begins an own session that doesn't exist, then answers with its document.
  private func begin(_ request: APIRequest) {
    let command = beginning(request)
    request.exchange.suspend()
    store.submit(command, for: request.caller.tenant) { outcome in
      switch outcome {
      case .accepted, .alreadyApplied:
        respondWithDocument(request)
      default:
        request.responder.respond(answer(outcome, of: command, to: request))
      }
    }
  }

  private func respondWithDocument(_ request: APIRequest) {
    do throws(StoreError) {
      guard let document = try store.document(request.session, of: request.caller.tenant) else {
        return request.responder.respond(AnswerFactory.notFound(request.session))
      }
      let tag = HTTPResponse.Field(.etag, entityTag(document.version))
      request.responder.respond(.json(200, document.json, fields: [tag]))
    } catch {
      request.responder.respond(answer(error))
    }
  }
}
