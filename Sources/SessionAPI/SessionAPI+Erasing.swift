internal import HTTPServer
internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

extension SessionAPI {
  /// `POST /erasures`: removes what a session, or all sessions of a customer, ever held; answers with a receipt.
  func erase(_ responder: Responder, _ exchange: HTTPExchange, _ caller: Caller) {
    // 1. Everything that can be refused is refused here, on the worker.
    if let refusal = refusalOfWrite(by: caller.tenant.id) ?? refusalOfType(exchange) {
      return responder.respond(refusal)
    }
    let body = exchange.body
    let subject: ErasureSubject
    switch readErasureBody(body.span) {
    case .success(.session(let session)): subject = .session(session)
    case .success(.customer(let customer)): subject = .customer(customer)
    case .failure(let problem):
      return responder.respond(AnswerFactory.error(400, problem.message, details: problem.details))
    }
    let origin = Origin(
      actor: caller.actor, requestID: responder.trace.requestID ?? "", traceParent: responder.trace.traceParent)
    // 2. The writer answers after the commit.
    guard exchange.suspend() else { return responder.respond(AnswerFactory.restarting) }
    store.erase(subject, of: caller.tenant, origin: origin) { [self] outcome in
      switch outcome {
      case .erased(let receipt):
        responder.respond(.json(200, receipt.json), position: receipt.sessions.last?.position)
      case .rejected(let rejection):
        guard case .session(let session) = subject else {
          preconditionFailure("a customer that never was is no refusal")
        }
        responder.respond(answers.answer(rejection, session: session))
      case .overloaded: responder.respond(AnswerFactory.overloaded)
      case .failed(let error): responder.respond(answer(error))
      case .accepted, .alreadyApplied: preconditionFailure("an erasure comes to a receipt")
      }
    }
  }
}
