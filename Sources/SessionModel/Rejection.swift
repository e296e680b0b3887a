/// A command's expected refusal.
public enum Rejection: Equatable, Sendable {
  /// There is no live session of that id.
  case sessionNotFound
  /// The session was ended and its tombstone still stands.
  case sessionEnded
  /// The command changes an existing session and names no version.
  case versionRequired
  /// The version that was named isn't the current one.
  case versionConflict(sent: Int64, current: UInt32)
  /// `If-Match` or `If-None-Match` doesn't hold; nil: there is no current version.
  case preconditionFailed(current: UInt32?)
  /// There is no attribute of that name.
  case attributeNotFound(String)
  /// The session has as many attributes as it may.
  case tooManyAttributes(maximum: Int)
  /// The tenant has as many open sessions as it may; none is ended to make room.
  case tooManySessions(maximum: UInt64)
  /// The idempotency key belongs to another request of this session.
  case idempotencyKeyReused
  /// The context has a customer, and the caller sent no proof of being that customer.
  case customerProofMissing
  /// The context has a customer, and the caller has shown to be another one.
  case customerProofMismatch
  /// The session has had as many changes as a version can count.
  case versionsExhausted
}
