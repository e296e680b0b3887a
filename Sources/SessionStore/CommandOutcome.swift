public import SessionModel

/// What came of a command.
public enum CommandOutcome: Equatable, Sendable {
  /// It was carried out: its event is on disk, at this position of the tenant's log, and led to this version.
  case accepted(version: UInt32, position: UInt64)
  /// It was carried out before, with this version as its outcome; nothing was appended.
  case alreadyApplied(version: UInt32)
  /// It was refused.
  case rejected(Rejection)
  /// It failed in the store. Whether its event is on disk is unknown unless the error says so; the same command again
  /// applies once.
  case failed(StoreError)
  /// Too much is waiting to be written: nothing was done, try again.
  case overloaded
}

/// A command on its way to the writer.
struct PendingCommand: Sendable {
  let tenant: TenantID
  let command: Command
  /// Unpredictable bytes for the event's payload digest, made where there is time for it.
  let salt: [UInt8]
  let completion: @Sendable (CommandOutcome) -> Void
}
