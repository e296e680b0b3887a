internal import EventLog
internal import LMDB
internal import Platform
public import SessionModel

/// Erases while the daemon is stopped, as ``SessionStore/erase(_:of:origin:completion:)`` does while it runs. Holds the
/// data directory like a daemon, so that none runs meanwhile.
public struct OfflineErasure: ~Copyable {
  private let lock: FolderLock
  private let log: EventLog
  private var writer: OfflineWriter

  /// Claims the data directory and folds in what the projections lack. Throws when there is no store, or a daemon runs.
  /// `notice` is told what an operator should read.
  public init(
    _ directory: DataDirectory, notice: @escaping (String) -> Void
  ) throws(StoreError) {
    let claim = try directory.claimStore()
    let log: EventLog
    let writer: OfflineWriter
    do {
      log = try EventLog(path: directory.log)
      try TenantRemoval.refuseInterrupted(log)
      let projections = try SessionStore.openProjections(directory, log, Environment.Options(), notice: notice)
      writer = try OfflineWriter(log, projections, notice: notice)
    } catch {
      throw StoreError(error)
    }
    lock = claim
    self.log = log
    self.writer = writer
  }

  /// Erases; when it returns, that is durable. Nil when there is no such tenant or session.
  public mutating func erase(
    _ subject: ErasureSubject, of tenant: TenantID, origin: Origin
  ) throws(StoreError) -> ErasureReceipt? {
    do throws(EventLogError) {
      guard try log.lastPosition(of: tenant) > 0 else { return nil }
    } catch {
      throw .log(error)
    }
    switch try writer.run([(tenant, .erase(subject, origin))]).first {
    case .erased(let receipt)?: return receipt
    case .rejected?: return nil
    case .failed(let error)?: throw error
    case .accepted?, .alreadyApplied?, .overloaded?, nil: preconditionFailure("an erasure comes to a receipt")
    }
  }
}
