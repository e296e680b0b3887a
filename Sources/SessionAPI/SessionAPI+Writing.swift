internal import HTTPServer
internal import SessionCodec
internal import SessionModel
internal import SessionStore

extension SessionAPI {
  /// Makes a command of the request and answers when the writer has come to an outcome.
  func write(_ request: APIRequest, customerProof: CustomerProof) {
    // 1. Everything that can be refused is refused here, on the worker.
    let command: Command
    switch makeCommand(request, customerProof: customerProof) {
    case .success(let made): command = made
    case .failure(let refusal):
      guard request.operation.isOwn else { return request.responder.respond(refusal.response) }
      return submit(touching(request), request) { _ in request.responder.respond(refusal.response) }
    }
    // 2. The writer answers after the commit.
    submit(command, request) { [self] outcome in
      switch outcome {
      case .rejected(.sessionNotFound) where request.operation.mayBegin && configuration.beginsOwnSessions:
        return submitAfterBeginning(command, request)
      case .rejected where request.operation.isOwn, .alreadyApplied:
        // That nothing changed doesn't make the session less active: each request of its owner counts, and each change that
        // gets a 2xx, one that is repeated, too.
        return store.submit(touching(request), for: request.caller.tenant) { [self] _ in
          request.responder.respond(answer(outcome, of: command, to: request))
        }
      default:
        request.responder.respond(answer(outcome, of: command, to: request), position: outcome.position)
      }
    }
  }

  /// The command that notes that a session's owner is active.
  func touching(_ request: APIRequest) -> Command {
    Command(sessionID: request.session, action: .touch, request: nil, origin: request.origin)
  }

  /// Has the request leave its worker and hands the command to the writer, which calls `completion` to answer it.
  func submit(_ command: Command, _ request: APIRequest, completion: @escaping @Sendable (CommandOutcome) -> Void) {
    guard request.exchange.suspend() else { return request.responder.respond(AnswerFactory.restarting) }
    store.submit(command, for: request.caller.tenant, completion: completion)
  }

  /// Begins the own session that `command` is for, then carries it out.
  private func submitAfterBeginning(_ command: Command, _ request: APIRequest) {
    store.submit(beginning(request), for: request.caller.tenant) { [self] outcome in
      switch outcome {
      case .accepted, .alreadyApplied:
        store.submit(command, for: request.caller.tenant) { [self] outcome in
          request.responder.respond(answer(outcome, of: command, to: request), position: outcome.position)
        }
      case .rejected, .overloaded, .failed, .erased:
        request.responder.respond(answer(outcome, of: command, to: request))
      }
    }
  }

  /// The command that begins the caller's own session. A customer's session is the customer's from the start.
  func beginning(_ request: APIRequest) -> Command {
    var context = SessionContext()
    context.customerID = request.caller.customerID
    // Without a mark: that belongs to the change that the caller asks for, and this is none.
    return Command(sessionID: request.session, action: .begin(context), request: nil, origin: request.origin)
  }

  /// The answer to what came of `command`.
  func answer(_ outcome: CommandOutcome, of command: Command, to request: APIRequest) -> HTTPResponse {
    switch outcome {
    case .accepted(let version, _), .alreadyApplied(let version):
      let tag = HTTPResponse.Field(.etag, entityTag(version))
      guard request.operation == .setOwnAttribute, case .setAttribute(let attribute) = command.action else {
        return .empty(204, fields: [tag])
      }
      // This one operation answers 201, with the attribute's name as a JSON string.
      var json: [UInt8] = []
      json.appendJSONString(attribute.name)
      return .json(201, json, fields: [tag])
    case .erased:
      preconditionFailure("a change erases nothing")
    case .rejected(let rejection):
      return answers.answer(rejection, session: request.session)
    case .overloaded:
      return AnswerFactory.overloaded
    case .failed(let error):
      return answer(error)
    }
  }
}

extension CommandOutcome {
  /// The position of the event that it led to.
  fileprivate var position: UInt64? {
    if case .accepted(_, let position) = self { position } else { nil }
  }
}

/// An answer that is known before the writer is asked.
struct Refusal: Error {
  let response: HTTPResponse
}

extension SessionAPI {
  private func makeCommand(_ request: APIRequest, customerProof: CustomerProof) -> Result<Command, Refusal> {
    let exchange = request.exchange
    if request.operation.hasBody, let refusal = refusalOfType(exchange) {
      return .failure(Refusal(response: refusal))
    }
    let headers: RequestHeaders
    let isUpsert: Bool
    do throws(RequestTarget.Problem) {
      headers = try RequestHeaders(exchange)
      isUpsert = try request.target.query.isUpsert()
    } catch {
      return .failure(Refusal(response: AnswerFactory.answer(error)))
    }
    var precondition = Precondition(ifMatch: headers.conditions.ifMatch, ifNoneMatch: headers.conditions.ifNoneMatch)
    return makeAction(request, isUpsert: isUpsert, &precondition).map { action in
      Command(
        sessionID: request.session, action: action, precondition: precondition, customerProof: customerProof,
        request: headers.mark(exchange, actor: request.caller.actor, sessionID: request.session),
        origin: request.origin)
    }
  }

  /// What the request asks for; `precondition` takes in the version that the body names.
  private func makeAction(
    _ request: APIRequest, isUpsert: Bool, _ precondition: inout Precondition
  ) -> Result<Command.Action, Refusal> {
    let session = request.session
    let body = request.exchange.body
    switch request.operation {
    case .getContext, .getOwnContext, .getPastContext, .listContextEvents, .compareContext, .listContexts, .listEvents,
      .erase:
      preconditionFailure("this is no change of one session")
    case .endContext, .endOwnContext:
      return .success(.end)
    case .removeAttribute, .removeOwnAttribute:
      guard let name = request.target.route.attributeName else { preconditionFailure("the path names an attribute") }
      return .success(.removeAttribute(name))
    case .setAttribute, .setOwnAttribute:
      return readAttributeBody(body.span, limits: configuration.bodyLimits)
        .map { .setAttribute($0) }
        .mapError { Refusal(response: AnswerFactory.answer($0, session: session)) }
    case .replaceContext, .patchContext, .patchOwnContext:
      switch readContextBody(body.span, limits: configuration.bodyLimits) {
      case .failure(let problem):
        return .failure(Refusal(response: AnswerFactory.answer(problem, session: session)))
      case .success(let sentBody):
        // An own session is the one of the token: what the body says of it is ignored like all that isn't the owner's.
        if !request.operation.isOwn, let sent = sentBody.sessionID, SessionID(sent) != session {
          let details = ["sessionId: is another one than the request is for"]
          return .failure(
            Refusal(
              response: AnswerFactory.error(400, "The request is not valid", session: session, details: details)))
        }
        precondition.expectedVersion = sentBody.version
        return .success(makeAction(sentBody.changes, request, isUpsert: isUpsert))
      }
    }
  }

  private func makeAction(_ changes: ContextChanges, _ request: APIRequest, isUpsert: Bool) -> Command.Action {
    var changes = changes
    switch request.operation {
    case .replaceContext:
      var context = SessionContext()
      changes.apply(to: &context)
      return .replace(context, upsert: isUpsert)
    case .patchOwnContext:
      // The session's owner can't hand it to a customer or swap its cart.
      changes.fields.removeAll { $0.field == .customerID || $0.field == .cartID }
      return .patch(changes)
    default:
      return .patch(changes)
    }
  }
}
