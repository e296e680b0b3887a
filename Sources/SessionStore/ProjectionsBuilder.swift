internal import EventLog
internal import Projections
internal import SessionModel

/// Folds a whole log into new projections, through the same fold as the daemon, in large flushes.
struct ProjectionsBuilder {
  let log: EventLog
  /// The folder that the projections are made in; it must not be there yet.
  let path: String

  /// What is folded between two flushes, as the size of the records: bounds the memory of the fold.
  private static let bytesPerFlush = 192 << 20
  private static let sessionsPerFlush = 500_000
  private static let eventsPerTransaction = 4096

  /// Builds the projections and makes them durable; returns how far each log went. `progress` is told how many events
  /// have been folded since the last time. Throws when the log is damaged.
  func run(progress: (UInt64) -> Void) throws(StoreError) -> [TenantID: Checkpoint] {
    do {
      let projections = try Projections(path: path, storeID: log.storeID) { _ in }
      var checkpoints: [TenantID: Checkpoint] = [:]
      var round = Round()
      func flush() throws(ProjectionsError) {
        try projections.flush(round.fold.finish())
        let reader = SnapshotReader(overlay: Overlay(maximumBytes: 0), projections: projections)
        round = Round(over: reader.session)
      }
      for tenant in try log.tenants() {
        var checkpoint = Checkpoint.start
        while true {
          let before = checkpoint.tail.position
          let limit = Self.eventsPerTransaction
          round.byteCount += try round.fold.replay(log, of: tenant, after: &checkpoint, limit: limit)
          guard checkpoint.tail.position > before else { break }
          progress(checkpoint.tail.position - before)
          if round.byteCount >= Self.bytesPerFlush || round.fold.sessionCount >= Self.sessionsPerFlush { try flush() }
        }
        checkpoints[tenant] = checkpoint
      }
      try flush()
      return checkpoints
    } catch {
      throw StoreError(error)
    }
  }

  /// What is folded between two flushes.
  private struct Round {
    var fold: Fold
    var byteCount = 0

    init(over current: @escaping (SessionKey) throws(ProjectionsError) -> Session? = { _ in nil }) {
      fold = Fold(over: current)
    }
  }
}
