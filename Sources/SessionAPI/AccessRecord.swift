public import SessionModel

/// What became of one request, for the access log: never a token, never a value of a context.
public struct AccessRecord: Sendable {
  /// The method as it was sent.
  public let method: String
  /// What was asked for; nil when the request was none of the API's.
  public let operation: Operation?
  /// The status of the answer.
  public let status: Int
  /// Whose data it was about, as far as that was understood.
  public let tenant: TenantID?
  /// The session that it was about.
  public let session: SessionID?
  /// The position of the event that it led to.
  public let position: UInt64?
  /// The request's id.
  public let requestID: String?
  /// The time from the whole request to its answer, in microseconds.
  public let durationMicroseconds: UInt64
  /// The client's address.
  public let client: String
}
