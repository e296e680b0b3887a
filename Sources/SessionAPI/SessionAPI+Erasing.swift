internal import HTTPServer
internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

extension SessionAPI {
  /// `POST /erasures`: removes what a session, or all sessions of a customer, ever held; answers with a receipt.
  func erase(_ request: APIRequest) {
    // 1. Everything that can be refused is refused here, on the worker.
    if let refusal = refusalOfWrite(by: request.target.tenant) ?? refusalOfType(request.exchange) {
      return request.responder.respond(refusal)
    }
    let body = request.exchange.body
    let subject: ErasureSubject
    switch readErasureBody(body.span) {
    case .success(.session(let session)): subject = .session(session)
    case .success(.customer(let customer)): subject = .customer(customer)
    case .failure(let problem):
      return request.responder.respond(AnswerFactory.error(400, problem.message, details: problem.details))
    }
    // 2. The writer answers after the commit.
    guard request.exchange.suspend() else { return request.responder.respond(AnswerFactory.restarting) }
    store.erase(subject, of: request.caller.tenant, origin: request.origin) { [self] outcome in
      switch outcome {
      case .erased(let receipt):
        request.responder.respond(.json(200, receipt.json), position: receipt.sessions.last?.position)
      case .rejected(let rejection):
        guard case .session(let session) = subject else {
          preconditionFailure("a customer that never was is no refusal")
        }
        request.responder.respond(answers.answer(rejection, session: session))
      case .overloaded: request.responder.respond(AnswerFactory.overloaded)
      case .failed(let error): request.responder.respond(answer(error))
      case .accepted, .alreadyApplied: preconditionFailure("an erasure comes to a receipt")
      }
    }
  }
}
