/// What the decider has to know besides the command and the state.
public struct DecisionRules: Equatable, Sendable {
  /// How long sessions live without activity.
  public var timeToLive: TimeToLive
  /// How long an ended session holds off new ones of its id, in seconds.
  public var tombstoneSeconds: Int64
  /// How many attributes a session may have.
  public var maximumAttributes: Int
  /// How many sessions of one tenant may be open at once; 0: any number.
  public var maximumSessions: UInt64

  /// Rules with the defaults of the API contract.
  public init(
    timeToLive: TimeToLive = TimeToLive(), tombstoneSeconds: Int64 = 86400, maximumAttributes: Int = 100,
    maximumSessions: UInt64 = 0
  ) {
    self.timeToLive = timeToLive
    self.tombstoneSeconds = tombstoneSeconds
    self.maximumAttributes = maximumAttributes
    self.maximumSessions = maximumSessions
  }
}

/// What a command comes to.
public enum Decision: Equatable, Sendable {
  /// One event is to be appended.
  case append(kind: Event.Kind, life: UInt32, version: UInt32, changes: ContextChanges)
  /// The session's life has run out, and a new one would begin: ``Command/Action/expire`` is to be decided on first, and
  /// then this command once more.
  case expireFirst
  /// The command was carried out before, with this version as its outcome: answer as then, append nothing.
  case alreadyApplied(version: UInt32)
  /// It is refused.
  case reject(Rejection)
}

/// Decides on a command in a session's state; nil stands for a session without events. Pure: no I/O, no clock.
///
/// `openSessions` is the number of the tenant's sessions that are open, for the limit on them.
///
/// The order of the checks is part of the contract: an answer that was given before is repeated first, then comes
/// whether there is a session, then whether the caller may, then what it believes.
public func decide(
  _ command: Command, on state: Session?, at now: Instant, by rules: DecisionRules, openSessions: UInt64 = 0
) -> Decision {
  // 1. An idempotency key that this session knows: the first answer again.
  if let request = command.request, let key = request.key,
    let accepted = state?.acceptedRequests.last(where: { $0.key == key })
  {
    return accepted.fingerprint == request.fingerprint
      ? .alreadyApplied(version: accepted.version) : .reject(.idempotencyKeyReused)
  }
  // 2. What is done to sessions whether they live or not.
  switch command.action {
  case .expire: return expire(state, at: now, by: rules)
  case .erase(let closedBy): return erase(state, closedBy: closedBy)
  default: break
  }
  // 3. Without a live session only an upsert goes on, and it begins one.
  guard let session = state, session.isLive(at: now, timeToLive: rules.timeToLive) else {
    return begin(command, after: state, at: now, by: rules, openSessions: openSessions)
  }
  // 4. Whoever changes a customer's context has to be that customer.
  if let rejection = command.checkCustomer(of: session.context) { return .reject(rejection) }
  // 5. The same request again, whose answer may have been lost.
  if command.repeatsLastRequest(of: session) { return .alreadyApplied(version: session.version) }
  // 6. What the caller believes must hold.
  if let rejection = command.checkPrecondition(on: session) { return .reject(rejection) }
  // 7. The change itself.
  guard session.version < UInt32.max else { return .reject(.versionsExhausted) }
  return change(session, as: command.action, at: now, by: rules)
}

/// Records an expiry that still holds. After activity since it was noticed, or once it is recorded, there is nothing to do.
private func expire(_ state: Session?, at now: Instant, by rules: DecisionRules) -> Decision {
  guard let state else { return .reject(.sessionNotFound) }
  guard state.status == .active, !state.isLive(at: now, timeToLive: rules.timeToLive) else {
    return .alreadyApplied(version: state.version)
  }
  return state.closing(.expired)
}

/// Erases a session that holds something; `closedBy` is the condition that retention makes.
private func erase(_ state: Session?, closedBy: Instant?) -> Decision {
  guard let state else { return .reject(.sessionNotFound) }
  guard state.status != .erased else { return .alreadyApplied(version: state.version) }
  if let closedBy {
    guard state.status != .active, state.modifiedAt <= closedBy else { return .alreadyApplied(version: state.version) }
  }
  return state.closing(.erased)
}

extension Session {
  /// The event that ends the current life, or is added to one that has ended. Want of a version number is no reason to
  /// keep what has to go.
  fileprivate func closing(_ kind: Event.Kind) -> Decision {
    .append(kind: kind, life: life, version: version == .max ? .max : version + 1, changes: ContextChanges())
  }
}

private func begin(
  _ command: Command, after state: Session?, at now: Instant, by rules: DecisionRules, openSessions: UInt64
) -> Decision {
  if let state, state.status == .ended, now < state.activeAt.advanced(bySeconds: rules.tombstoneSeconds) {
    return .reject(.sessionEnded)
  }
  let context: SessionContext
  switch command.action {
  case .replace(let sent, upsert: true), .begin(let sent): context = sent
  default: return .reject(.sessionNotFound)
  }
  if let rejection = command.checkCustomer(of: SessionContext()) { return .reject(rejection) }
  // RFC 9110, 13.1.1: If-Match is false where there is no current representation.
  guard command.precondition.ifMatch == nil else { return .reject(.preconditionFailed(current: nil)) }
  // Each life that runs out is to have its event, and to be counted no more.
  if state?.status == .active { return .expireFirst }
  guard rules.maximumSessions == 0 || openSessions < rules.maximumSessions else {
    return .reject(.tooManySessions(maximum: rules.maximumSessions))
  }
  return .append(
    kind: .started, life: (state?.life ?? 0) + 1, version: 1,
    changes: ContextChanges(from: SessionContext(), to: context))
}

private func change(
  _ session: Session, as action: Command.Action, at now: Instant, by rules: DecisionRules
) -> Decision {
  func append(_ kind: Event.Kind, _ changes: ContextChanges = ContextChanges()) -> Decision {
    .append(kind: kind, life: session.life, version: session.version + 1, changes: changes)
  }
  switch action {
  case .begin:
    return .alreadyApplied(version: session.version)
  case .replace(let context, _):
    return append(.replaced, ContextChanges(from: session.context, to: context))
  case .patch(let changes):
    return append(.patched, changes.effective(on: session.context))
  case .setAttribute(let attribute):
    guard session.context.attributes.count < rules.maximumAttributes || session.context.has(attribute.name) else {
      return .reject(.tooManyAttributes(maximum: rules.maximumAttributes))
    }
    return append(.attributeSet, ContextChanges(attributes: .set(attribute)))
  case .removeAttribute(let name):
    guard session.context.has(name) else { return .reject(.attributeNotFound(name)) }
    return append(.attributeRemoved, ContextChanges(attributes: .removed(name)))
  case .touch:
    guard session.isTouchDue(at: now, timeToLive: rules.timeToLive) else {
      return .alreadyApplied(version: session.version)
    }
    return .append(kind: .touched, life: session.life, version: session.version, changes: ContextChanges())
  case .end:
    return append(.ended)
  case .expire, .erase:
    preconditionFailure("these are decided on before")
  }
}

extension Command {
  /// Refuses a caller that isn't the customer of the stored or of the sent context.
  fileprivate func checkCustomer(of stored: SessionContext) -> Rejection? {
    let sent: String?
    switch action {
    case .replace(let context, _): sent = context.customerID
    case .patch(let changes): sent = changes.fields.first { $0.field == .customerID }?.value
    case .begin, .setAttribute, .removeAttribute, .touch, .end, .expire, .erase: return nil
    }
    guard stored.customerID != nil || sent != nil else { return nil }
    switch customerProof {
    case .notRequired: return nil
    case .missing: return .customerProofMissing
    case .customer(let customer):
      let isBoth = [stored.customerID, sent].allSatisfy { ($0 ?? customer).isIdentical(to: customer) }
      return isBoth ? nil : .customerProofMismatch
    }
  }

  /// Whether this is the request that led to the current version, sent again. One with an idempotency key is told by that.
  fileprivate func repeatsLastRequest(of session: Session) -> Bool {
    guard let request, request.key == nil, session.lastRequest == request.fingerprint else { return false }
    switch action {
    case .replace(_, upsert: true) where session.version == 1:
      // It began this life: no version was checked then, so none can tell the two apart now.
      return true
    case .replace, .patch:
      return precondition.names(session.version - 1)
    case .begin, .setAttribute, .removeAttribute, .touch, .end, .expire, .erase:
      // Legitimate repetitions that only an idempotency key can tell from a retry.
      return false
    }
  }

  /// Refuses a command whose belief about the session doesn't hold.
  fileprivate func checkPrecondition(on session: Session) -> Rejection? {
    if let ifMatch = precondition.ifMatch, !ifMatch.contains(session.version) {
      return .preconditionFailed(current: session.version)
    }
    if let ifNoneMatch = precondition.ifNoneMatch, ifNoneMatch.contains(session.version) {
      return .preconditionFailed(current: session.version)
    }
    guard action.requiresVersion else { return nil }
    if let expected = precondition.expectedVersion {
      return expected == Int64(session.version)
        ? nil : .versionConflict(sent: expected, current: session.version)
    }
    return precondition.ifMatch == nil ? .versionRequired : nil
  }
}

extension ContextChanges {
  /// The part of these changes that makes a difference to `context`: an event holds only what changed.
  fileprivate func effective(on context: SessionContext) -> ContextChanges {
    var changes = self
    changes.fields.removeAll { context[$0.field].isIdentical(to: $0.value) }
    if case .replaced(let attributes) = changes.attributes, attributes == context.attributes {
      changes.attributes = .unchanged
    }
    return changes
  }
}

extension SessionContext {
  /// Whether there is an attribute of that name.
  fileprivate func has(_ name: String) -> Bool { attributeIndex(name) != nil }
}
