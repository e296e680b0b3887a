public import Platform
public import SessionModel

/// What is to be erased.
public enum ErasureSubject: Equatable, Sendable {
  /// All lives of one session.
  case session(SessionID)
  /// All lives of every session that carries or ever carried this customer's id.
  case customer(String)
}

/// What an erasure came to.
public struct ErasureReceipt: Equatable, Sendable {
  /// A session that was erased.
  public struct ErasedSession: Equatable, Sendable {
    /// The session.
    public let id: SessionID
    /// The positions of the events that lost their payload, in order.
    public let erasedPositions: [UInt64]
    /// The position of the event that records the erasure.
    public let position: UInt64
  }

  /// When it was recorded.
  public let erasedAt: Instant
  /// The sessions that held something, in the order of their ids; those that were erased before are not named again.
  public let sessions: [ErasedSession]
  /// The end of the tenant's log.
  public let position: UInt64
  /// The chain there, which stands for the whole log with this erasure in it.
  public let chainHead: Digest
}

extension SessionStore {
  /// Erases what a session, or all sessions of a customer, ever held: in one commit, with an event for each session.
  ///
  /// `completion` is called exactly once, as that of ``submit(_:for:completion:)``; with ``CommandOutcome/erased(_:)``
  /// when it is done. The same erasure again erases what has come since. A session that never was is
  /// ``Rejection/sessionNotFound``; a customer that never was leaves an empty receipt.
  public func erase(
    _ subject: ErasureSubject, of tenant: AuthorizedTenant, origin: Origin,
    completion: @escaping @Sendable (CommandOutcome) -> Void
  ) {
    submit(.erase(subject, origin), of: tenant.id) { [statistics, observer] outcome in
      if case .erased(let receipt) = outcome, !receipt.sessions.isEmpty {
        statistics.countErased(receipt.sessions.count)
        observer.notice(receipt.notice(of: tenant.id))
      }
      completion(outcome)
    }
  }
}

extension ErasureReceipt {
  /// What an operator reads of it: never a customer's id.
  fileprivate func notice(of tenant: TenantID) -> String {
    let events = sessions.reduce(0) { $0 + $1.erasedPositions.count }
    let first = sessions[0].position
    let last = sessions[sessions.count - 1].position
    let place = first == last ? "position \(first)" : "positions \(first) to \(last)"
    return "tenant \(tenant): \(sessions.count) sessions with \(events) events were erased, recorded at \(place)"
  }
}
