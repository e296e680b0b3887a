public import SessionModel

/// What came of a command.
public enum CommandOutcome: Equatable, Sendable {
  /// It was carried out: its event is on disk, at this position of the tenant's log, and led to this version.
  case accepted(version: UInt32, position: UInt64)
  /// It was carried out before, with this version as its outcome; nothing was appended.
  case alreadyApplied(version: UInt32)
  /// It was an erasure, and was carried out: nothing of its sessions' earlier events is left but their headers.
  case erased(ErasureReceipt)
  /// It was refused.
  case rejected(Rejection)
  /// It failed in the store. Whether its event is on disk is unknown unless the error says so; the same command again
  /// applies once.
  case failed(StoreError)
  /// Too much is waiting to be written, or the store is about to close: nothing was done, try again.
  case overloaded
}

/// What is asked of the writer.
enum WriterTask: Sendable {
  /// A change of one session.
  case change(Command)
  /// The erasure of one session, or of all that a customer had.
  case erase(ErasureSubject, Origin)
}

/// A task on its way to the writer.
final class PendingCommand: Sendable {
  let tenant: TenantID
  let task: WriterTask
  /// Unpredictable bytes for the event's payload digest, made where there is time for it.
  let salt: [UInt8]
  let completion: @Sendable (CommandOutcome) -> Void

  init(
    tenant: TenantID, task: WriterTask, salt: [UInt8], completion: @escaping @Sendable (CommandOutcome) -> Void
  ) {
    self.tenant = tenant
    self.task = task
    self.salt = salt
    self.completion = completion
  }
}
