internal import EventLog
internal import Platform
internal import Projections
internal import SessionModel

/// The writer's cycle without its threads, for a store that nobody else writes to.
struct OfflineWriter: ~Copyable {
  private var cycle: WriterCycle
  private let projector: Projector
  private let notice: (String) -> Void
  private var random = RandomBytes()

  /// A writer to `log`, whose events are all folded into `projections` first. `notice` is told what an operator should read.
  init(_ log: EventLog, _ projections: Projections, notice: @escaping (String) -> Void) throws(StoreError) {
    self.notice = notice
    let overlay = Overlay(maximumBytes: 64 << 20)
    let recovery = Recovery(log: log, overlay: overlay, projections: projections)
    let checkpoints = try recovery.run { _ in }.checkpoints
    projector = Projector(overlay: overlay, projections: projections)
    cycle = WriterCycle(
      log: log, overlay: overlay, snapshots: SnapshotReader(overlay: overlay, projections: projections),
      checkpoints: checkpoints, now: { Instant(microseconds: currentMicroseconds()) },
      erasablePositions: { session, tenant, last throws(EventLogError) in
        try log.erasablePositions(session, of: tenant, from: last)
      },
      catchUp: { tenant, checkpoint throws(StoreError) in try recovery.fold(tenant, after: checkpoint) })
  }

  /// Carries the tasks out with one commit, and flushes the projections. Returns the outcomes in the tasks' order: what is
  /// committed is done, whether it could be flushed or not.
  mutating func run(_ tasks: [(tenant: TenantID, task: WriterTask)]) throws(StoreError) -> [CommandOutcome] {
    var batch: [PendingCommand] = []
    for (tenant, task) in tasks {
      batch.append(
        PendingCommand(tenant: tenant, task: task, salt: random.next(Frame.saltByteCount), completion: { _ in }))
    }
    let outcomes = try cycle.run(batch, rules: DecisionRules())
    do throws(ProjectionsError) {
      try projector.flush()
    } catch {
      notice("\(error); the projections are without the last changes, which the next start folds in")
    }
    return outcomes
  }
}
