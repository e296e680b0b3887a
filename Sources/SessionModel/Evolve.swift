/// Folds one event into a session's state; nil stands for a session without events.
///
/// Total: every stored event folds, whatever state it meets. It is the only place that turns events into state: the
/// writer, catch-up, as-of queries, rebuild and verify all call it.
///
/// Takes the state over, so that a caller who gives away its only reference gets it changed in place.
public func evolve(_ state: consuming Session?, _ event: Event) -> Session {
  // Taken out, not copied: a state that two hold would be copied when it is changed.
  guard event.kind != .started, var next = state.take() else { return begin(event, after: state) }
  next.lastPosition = event.position
  next.activeAt = max(next.activeAt, event.recordedAt)
  guard event.kind.movesVersion else { return next }
  next.version = event.version
  next.modifiedAt = event.recordedAt
  next.lastRequest = event.request?.fingerprint
  event.changes.apply(to: &next.context)
  next.remember(event)
  switch event.kind {
  case .ended: next.close(as: .ended)
  case .expired: next.close(as: .expired)
  case .erased:
    // Nothing that a payload led to may stay: the fold must come to the same without the payloads.
    next.close(as: .erased)
    next.lastRequest = nil
    next.acceptedRequests = []
  default: break
  }
  return next
}

/// The first state of a life, which keeps the memory of the lives before it.
private func begin(_ event: Event, after earlier: Session?) -> Session {
  var context = SessionContext()
  event.changes.apply(to: &context)
  var state = Session(
    life: event.life, version: event.version, status: .active, context: context, createdAt: event.recordedAt,
    modifiedAt: event.recordedAt, activeAt: event.recordedAt, lastPosition: event.position,
    eventCount: earlier?.eventCount ?? 0, lastRequest: event.request?.fingerprint,
    acceptedRequests: earlier?.acceptedRequests ?? [])
  state.remember(event)
  return state
}

extension Session {
  /// Ends the life. What stays is a skeleton with life, version and last position, so that an old session costs little
  /// and its history is still found; what the session held stands in its events.
  fileprivate mutating func close(as status: Status) {
    self.status = status
    context = SessionContext()
  }

  /// Counts a version-moving event and keeps its key among those of the last ``rememberedEvents`` events.
  fileprivate mutating func remember(_ event: Event) {
    eventCount += 1
    let oldest = eventCount - min(eventCount, UInt64(Self.rememberedEvents))
    if let first = acceptedRequests.first, first.number <= oldest {
      acceptedRequests.removeAll { $0.number <= oldest }
    }
    guard let request = event.request, let key = request.key else { return }
    acceptedRequests.append(
      AcceptedRequest(number: eventCount, key: key, fingerprint: request.fingerprint, version: event.version))
  }
}
