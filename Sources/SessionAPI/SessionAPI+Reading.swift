internal import HTTPServer
internal import SessionModel
internal import SessionStore

extension SessionAPI {
  /// Answers with the session's document, with 304 when the caller has it already, or with 412 when it wants another.
  func read(_ request: APIRequest) {
    let conditions: Conditions
    do throws(RequestTarget.Problem) {
      conditions = try Conditions(request.exchange)
    } catch {
      let answer = AnswerFactory.answer(error)
      guard request.operation.isOwn else { return request.responder.respond(answer) }
      return touch(request, answer)
    }
    do throws(StoreError) {
      guard let document = try store.document(request.session, of: request.caller.tenant) else {
        let begins = request.operation.mayBegin && configuration.beginsOwnSessions && conditions.ifMatch == nil
        return begins ? begin(request) : request.responder.respond(AnswerFactory.notFound(request.session))
      }
      let answer: HTTPResponse
      if let wanted = conditions.ifMatch, !wanted.contains(document.version) {
        answer = answers.answer(.preconditionFailed(current: document.version), session: request.session)
      } else {
        let isKnown = conditions.ifNoneMatch?.contains(document.version) ?? false
        answer = Self.answer(document, to: request, isKnown: isKnown)
      }
      if request.operation.isOwn && document.isTouchDue { return touch(request, answer) }
      request.responder.respond(answer)
    } catch {
      request.responder.respond(answer(error))
    }
  }

  /// The answer with a document, or that the caller has it already.
  private static func answer(
    _ document: SessionStore.Document, to request: APIRequest, isKnown: Bool = false
  ) -> HTTPResponse {
    let tag = HTTPResponse.Field(.etag, entityTag(document.version))
    var answer = HTTPResponse(status: isKnown ? 304 : 200, fields: isKnown ? [tag] : [tag, .json], body: document.json)
    // One target stands for everybody's own session, and all of them have a version 1: what a cache has kept of one
    // must not be taken for another's.
    if request.operation.isOwn { answer.fields.append(HTTPResponse.Field(.cacheControl, "no-store")) }
    return answer
  }

  /// Notes that the session's owner is active, then answers: an answer given is activity that a crash can't undo. Where
  /// there is no room to note it, the answer is given all the same.
  private func touch(_ request: APIRequest, _ reply: HTTPResponse) {
    submit(touching(request), request) { [self] outcome in
      switch outcome {
      case .failed(let error) where error != .diskNearlyFull: request.responder.respond(answer(error))
      // Whatever else became of it, the answer was right when the session was read.
      default: request.responder.respond(reply)
      }
    }
  }

  /// Begins an own session that doesn't exist, then answers with its document. That is a change, of which a tenant may ask
  /// for only so many.
  private func begin(_ request: APIRequest) {
    if let refusal = refusalOfWrite(by: request.target.tenant) { return request.responder.respond(refusal) }
    let command = beginning(request)
    submit(command, request) { [self] outcome in
      switch outcome {
      case .accepted, .alreadyApplied:
        respondWithDocument(request)
      case .rejected(.sessionEnded):
        // To a reader an ended session is one that isn't there.
        request.responder.respond(AnswerFactory.notFound(request.session))
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
      request.responder.respond(Self.answer(document, to: request))
    } catch {
      request.responder.respond(answer(error))
    }
  }
}
