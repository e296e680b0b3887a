/// Folds one event into a session's state, which changes in place; nil stands for a session without events.
///
/// Total: every stored event folds, whatever state it meets, and leaves one. It is the only place that turns events into
/// state: the writer, catch-up, as-of queries, rebuild and verify all call it.
public func evolve(_ state: inout Session?, _ event: Event) {
  if event.kind != .started, state?.goOn(with: event) != nil { return }
  state = begin(event, after: state)
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
  /// The state after a further event of the life.
  fileprivate mutating func goOn(with event: Event) {
    lastPosition = event.position
    activeAt = max(activeAt, event.recordedAt)
    guard event.kind.movesVersion else { return }
    version = event.version
    modifiedAt = event.recordedAt
    lastRequest = event.request?.fingerprint
    event.changes.apply(to: &context)
    remember(event)
    switch event.kind {
    case .ended: close(as: .ended)
    case .expired: close(as: .expired)
    case .erased:
      // Nothing that a payload led to may stay: the fold must come to the same without the payloads.
      close(as: .erased)
      lastRequest = nil
      acceptedRequests = []
    default: break
    }
  }

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
