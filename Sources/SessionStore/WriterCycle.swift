internal import EventLog
internal import Platform
internal import Projections
internal import SessionModel

/// The writer's work on one batch of commands, as a plain function: no thread, no clock and no disk of its own.
struct WriterCycle {
  private let log: any CommitLog
  private let overlay: Overlay
  private let snapshots: SnapshotReader
  private let now: @Sendable () -> Instant
  /// Folds in what somebody else appended to a tenant's log, from there on; returns how far it goes.
  private let catchUp: (TenantID, Checkpoint) throws(StoreError) -> Checkpoint
  /// The end of each tenant's log, and what has been counted up to there.
  private var checkpoints: [TenantID: Checkpoint]

  init(
    log: any CommitLog, overlay: Overlay, snapshots: SnapshotReader, checkpoints: [TenantID: Checkpoint],
    now: @escaping @Sendable () -> Instant,
    catchUp: @escaping (TenantID, Checkpoint) throws(StoreError) -> Checkpoint
  ) {
    self.log = log
    self.overlay = overlay
    self.snapshots = snapshots
    self.checkpoints = checkpoints
    self.now = now
    self.catchUp = catchUp
  }

  /// What all logs hold.
  var census: Census { Census(checkpoints.values) }

  /// Decides on all commands of a batch, in order, and makes the events durable with one commit.
  ///
  /// Returns the outcomes in the commands' order. When it returns, every accepted event is on disk and in the overlay.
  /// Throws when it is unknown what is on disk: nothing of the batch may be answered as a success, and the process must
  /// end and recover.
  mutating func run(_ batch: [PendingCommand], rules: DecisionRules) throws(StoreError) -> [CommandOutcome] {
    while true {
      var draft = Draft(after: checkpoints, fold: Fold(over: snapshots.session))
      // 1. Decide each command in the state that the ones before it lead to; encode the events of accepted ones.
      let time = now()
      for pending in batch { draft.decide(pending, at: time, rules: rules) }
      guard !draft.records.isEmpty else { return draft.outcomes }
      // 2. Make the events durable, all or none.
      let outcome: AppendOutcome
      do throws(EventLogError) {
        outcome = try log.append(draft.records, expecting: draft.expected)
      } catch {
        throw .log(error)
      }
      switch outcome {
      case .committed:
        // 3. Show them to readers. Only then may anybody be told.
        checkpoints.merge(draft.checkpoints) { _, new in new }
        overlay.publish(draft.fold.finish())
        return draft.outcomes
      case .tailMoved(let tenant):
        // Somebody else wrote first: take that in and decide again.
        checkpoints[tenant] = try catchUp(tenant, checkpoints[tenant] ?? .start)
      }
    }
  }

  /// A batch while it is decided.
  private struct Draft {
    private let before: [TenantID: Checkpoint]
    /// How far the logs that grow will go.
    var checkpoints: [TenantID: Checkpoint] = [:]
    var fold: Fold
    var expected: [TenantID: UInt64] = [:]
    var records: [LogRecord] = []
    var outcomes: [CommandOutcome] = []

    init(after before: [TenantID: Checkpoint], fold: Fold) {
      self.before = before
      self.fold = fold
    }

    mutating func decide(_ pending: PendingCommand, at time: Instant, rules: DecisionRules) {
      let tenant = pending.tenant
      let command = pending.command
      let key = SessionKey(tenant, command.sessionID)
      let state: Session?
      do throws(ProjectionsError) {
        state = try fold.state(key)
      } catch {
        // A damaged snapshot is no reason to refuse other sessions their changes.
        outcomes.append(.failed(.projections(error)))
        return
      }
      var checkpoint = checkpoints[tenant] ?? before[tenant] ?? .start
      let tail = checkpoint.tail
      // A clock that is set back doesn't make the log's times go back.
      let recordedAt = max(time, tail.recordedAt)
      switch SessionModel.decide(
        command, on: state, at: recordedAt, by: rules, openSessions: checkpoint.openSessions)
      {
      case .alreadyApplied(let version):
        outcomes.append(.alreadyApplied(version: version))
      case .reject(let rejection):
        outcomes.append(.rejected(rejection))
      case .append(let kind, let life, let version, let changes):
        let event = Event(
          position: tail.position + 1, previousPosition: state?.lastPosition ?? 0, life: life, version: version,
          recordedAt: recordedAt, sessionID: command.sessionID, kind: kind, changes: changes, origin: command.origin,
          request: command.request)
        let frame = Frame.encode(event, tenant: tenant, salt: pending.salt.span, previousChain: tail.chain)
        let newTail = LogTail(position: event.position, chain: frame.chain, recordedAt: recordedAt)
        records.append(LogRecord(tenant: tenant, position: event.position, frame: frame.bytes))
        fold.apply(event, of: tenant, key: key, before: state, tail: newTail, checkpoint: &checkpoint)
        if checkpoints.updateValue(checkpoint, forKey: tenant) == nil { expected[tenant] = tail.position }
        outcomes.append(.accepted(version: version, position: event.position))
      }
    }
  }
}
