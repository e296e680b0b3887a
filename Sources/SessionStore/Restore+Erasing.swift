internal import EventLog
internal import LMDB
internal import Platform
internal import Projections
public import SessionCodec
internal import SessionModel

extension Restore {
  /// What became of erasures that were recorded after a backup was made.
  public struct Erasures: Equatable, Sendable {
    /// How many the backup has itself.
    public internal(set) var known = 0
    /// How many are of sessions that the backup doesn't hold, or of which nothing is left to erase.
    public internal(set) var needless = 0
    /// How many sessions were erased again.
    public internal(set) var sessions = 0
    /// How many events lost their payload by that.
    public internal(set) var events = 0
  }

  private static let erasuresPerCommit = 256

  /// Erases in the copy what `ledger` says was erased after the end of the backup, which is at `marks`, and writes the copy
  /// once more, so that not even its free pages hold what is gone. Call it after ``build(_:progress:)``.
  ///
  /// `progress` is told how many events have been folded since the last time. Throws when the erasures are of another
  /// store.
  public func erase(
    _ ledger: [ErasedEvent], after marks: ChainMarks, progress: (UInt64) -> Void
  ) throws(StoreError) -> Erasures {
    do {
      let erasures = try apply(ledger, marks)
      guard erasures.sessions > 0 else { return erasures }
      try writeAnew(progress)
      return erasures
    } catch let error as SystemError {
      throw .directory("the erasures can't be applied: \(error)")
    } catch {
      throw StoreError(error)
    }
  }

  private func apply(_ ledger: [ErasedEvent], _ marks: ChainMarks) throws -> Erasures {
    let log = try EventLog(path: directory.restoredLog)
    var erasures = Erasures()
    var due: [(tenant: TenantID, task: WriterTask)] = []
    var seen: Set<SessionKey> = []
    let origin = Origin(actor: "sessionctl restore")
    for event in ledger {
      let tail = marks.tails[event.tenant] ?? .empty
      if event.position <= tail.position {
        let recorded = try log.event(event.tenant, event.position)
        guard recorded?.kind == .erased, recorded?.sessionID == event.sessionID else { throw Self.foreign(event) }
        erasures.known += 1
      } else {
        guard event.recordedAt >= tail.recordedAt else { throw Self.foreign(event) }
        guard seen.insert(SessionKey(event.tenant, event.sessionID)).inserted else { continue }
        due.append((event.tenant, .erase(.session(event.sessionID), origin)))
      }
    }
    guard !due.isEmpty else { return erasures }
    let projections = try Projections(path: directory.restoredProjections, storeID: log.storeID) { _ in }
    var writer = try OfflineWriter(log, projections) { _ in
      // The log is written anew afterwards, and folded from its beginning.
    }
    for start in stride(from: 0, to: due.count, by: Self.erasuresPerCommit) {
      for outcome in try writer.run(Array(due[start..<min(start + Self.erasuresPerCommit, due.count)])) {
        switch outcome {
        case .erased(let receipt) where !receipt.sessions.isEmpty:
          erasures.sessions += receipt.sessions.count
          erasures.events += receipt.sessions.reduce(0) { $0 + $1.erasedPositions.count }
        case .failed(let error): throw error
        default: erasures.needless += 1
        }
      }
    }
    return erasures
  }

  private static func foreign(_ event: ErasedEvent) -> StoreError {
    .directory(
      "the erasures are of another store, or of another time of this one: position \(event.position) of tenant "
        + "\(event.tenant) can't be the erasure that they name")
  }

  /// Puts a compact copy in place of the log, and folds it into new projections.
  private func writeAnew(_ progress: (UInt64) -> Void) throws {
    try Backup.copy(
      EventLog(path: directory.restoredLog, options: Environment.Options(isReadOnly: true)), to: directory.compactedLog)
    try Files.removeDirectory(directory.restoredLog)
    try Files.move(directory.compactedLog, to: directory.restoredLog)
    try Files.removeDirectory(directory.restoredProjections)
    let log = try EventLog(path: directory.restoredLog, options: Environment.Options(isReadOnly: true))
    _ = try ProjectionsBuilder(log: log, path: directory.restoredProjections).run(progress: progress)
  }
}
