public import SessionModel

/// What the body of a POST to `erasures` asks for: `{"sessionId":…}` or `{"customerId":…}`.
public enum ErasureBody: Equatable, Sendable {
  /// The erasure of one session.
  case session(SessionID)
  /// The erasure of all that a customer had.
  case customer(String)
}

/// Reads the body of a POST to `erasures` (API contract, section 4), or says everything that is wrong with it.
///
/// Stricter than other bodies: what is erased can't be brought back, so that nothing unknown is passed over.
public func readErasureBody(_ body: Span<UInt8>) -> Result<ErasureBody, BodyProblem> {
  // However short texts may be by configuration now, older ones must be found.
  let limits = BodyLimits()
  let document = JSONDocument(body, maximumDepth: limits.maximumDepth, expand: false)
  if let problem = BodyProblem(document, body: body, limits: limits) { return .failure(problem) }
  var reader = MemberReader(limits: limits)
  var session: String?
  var customer: String?
  var isSessionSent = false
  var isCustomerSent = false
  for index in 0..<document.count {
    let member = document[index]
    switch member.name {
    case "sessionId":
      isSessionSent = true
      session = reader.name(member, field: "sessionId")
    case "customerId":
      isCustomerSent = true
      customer = reader.name(member, field: "customerId")
    default:
      reader.refuse(abridged(member.nameString), "has no meaning here; name either sessionId or customerId")
    }
  }
  if isSessionSent == isCustomerSent {
    reader.refuse("sessionId, customerId", "exactly one of them must say what is erased")
  }
  if let problem = reader.problems.problem { return .failure(problem) }
  switch (session.flatMap { SessionID($0) }, customer) {
  case (let session?, nil): return .success(.session(session))
  case (nil, let customer?): return .success(.customer(customer))
  default: preconditionFailure("a part of the body is neither read nor refused")
  }
}
