internal import EventLog
internal import Platform
internal import Projections
internal import SessionCodec
internal import SessionModel

/// The writer's work on one batch of commands, as a plain function: no thread, no clock and no disk of its own.
struct WriterCycle {
  private let log: any CommitLog
  private let overlay: Overlay
  private let snapshots: SnapshotReader
  private let now: @Sendable () -> Instant
  /// The positions of a session's payloads in the log, from one of its events backwards, newest first.
  private let erasablePositions: (SessionID, TenantID, UInt64) throws(EventLogError) -> [UInt64]
  /// Folds in what somebody else appended to a tenant's log, from there on; returns how far it goes.
  private let catchUp: (TenantID, Checkpoint) throws(StoreError) -> Checkpoint
  /// The end of each tenant's log, and what has been counted up to there.
  private var checkpoints: [TenantID: Checkpoint]

  init(
    log: any CommitLog, overlay: Overlay, snapshots: SnapshotReader, checkpoints: [TenantID: Checkpoint],
    now: @escaping @Sendable () -> Instant,
    erasablePositions: @escaping (SessionID, TenantID, UInt64) throws(EventLogError) -> [UInt64],
    catchUp: @escaping (TenantID, Checkpoint) throws(StoreError) -> Checkpoint
  ) {
    self.log = log
    self.overlay = overlay
    self.snapshots = snapshots
    self.checkpoints = checkpoints
    self.now = now
    self.erasablePositions = erasablePositions
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
      // 1. Decide each command in the state that the ones before it lead to; encode the events of accepted ones.
      var draft = Draft(self, of: batch.count, at: now(), by: rules)
      for pending in batch { draft.take(pending) }
      guard !draft.records.isEmpty else { return draft.outcomes }
      // 2. Make the events durable, and the erasures with them: all or none.
      let outcome: AppendOutcome
      do throws(EventLogError) {
        outcome = try log.append(draft.records, erasing: draft.erased, expecting: draft.expected)
      } catch {
        throw .log(error)
      }
      switch outcome {
      case .committed:
        // 3. Show them to readers. Only then may anybody be told.
        let (fold, outcomes) = (consume draft).results
        checkpoints.merge(fold.checkpoints) { _, new in new }
        overlay.publish(fold.finish())
        return outcomes
      case .tailMoved(let tenant):
        // Somebody else wrote first: take that in and decide again.
        let before = checkpoints[tenant] ?? .start
        let after = try catchUp(tenant, before)
        guard after.tail.position > before.tail.position else {
          throw .log(
            .damaged(
              tenant: tenant, position: before.tail.position + 1,
              reason: "the log doesn't end where it was last written, and nothing was written behind that"))
        }
        checkpoints[tenant] = after
      }
    }
  }

  /// A batch while it is decided.
  private struct Draft {
    private let cycle: WriterCycle
    private let rules: DecisionRules
    private let time: Instant
    var fold: Fold
    var expected: [TenantID: UInt64] = [:]
    var records: [LogRecord] = []
    var erased: [LogPlace] = []
    var outcomes: [CommandOutcome] = []

    init(_ cycle: WriterCycle, of count: Int, at time: Instant, by rules: DecisionRules) {
      self.cycle = cycle
      self.rules = rules
      self.time = time
      fold = Fold(over: cycle.snapshots.session, expecting: count)
      records.reserveCapacity(count)
      outcomes.reserveCapacity(count)
    }

    /// What is left of a draft that is done with. It holds the cycle's checkpoints, which would be copied when they
    /// change while it is there.
    var results: (Fold, [CommandOutcome]) { (fold, outcomes) }

    mutating func take(_ pending: PendingCommand) {
      do {
        switch pending.task {
        case .change(let command): outcomes.append(try change(command, pending))
        case .erase(let subject, let origin): outcomes.append(try erase(subject, origin, pending))
        }
      } catch {
        // A damaged snapshot or record is no reason to refuse other sessions their changes.
        outcomes.append(.failed(StoreError(error)))
      }
    }

    private func checkpoint(_ tenant: TenantID) -> Checkpoint {
      fold.checkpoints[tenant] ?? cycle.checkpoints[tenant] ?? .start
    }

    private mutating func change(_ command: Command, _ pending: PendingCommand) throws -> CommandOutcome {
      var decided = try decide(command, of: pending.tenant)
      var salt = pending.salt
      if case .expireFirst = decided.decision {
        let expiry = Command(sessionID: command.sessionID, action: .expire, request: nil, origin: .expiry)
        append(try decide(expiry, of: pending.tenant), salt: Self.salt(0, from: pending.salt))
        decided = try decide(command, of: pending.tenant)
        salt = Self.salt(1, from: pending.salt)
      }
      switch decided.decision {
      case .alreadyApplied(let version): return .alreadyApplied(version: version)
      case .reject(let rejection): return .rejected(rejection)
      case .append(_, _, let version, _):
        return .accepted(version: version, position: append(decided, salt: salt))
      case .expireFirst: preconditionFailure("the expiry has been recorded")
      }
    }

    /// A command with what it comes to.
    private struct Decided {
      let tenant: TenantID
      let command: Command
      let slot: Fold.Slot
      let decision: Decision
      /// The places that it takes the payload from, newest first.
      var erasable: [UInt64] = []
    }

    private mutating func decide(_ command: Command, of tenant: TenantID) throws -> Decided {
      let slot = try fold.slot(of: command.sessionID, in: tenant)
      let checkpoint = checkpoint(tenant)
      let decision = SessionModel.decide(
        command, on: slot.state, at: recordedAt(checkpoint), by: rules, openSessions: checkpoint.openSessions)
      var decided = Decided(tenant: tenant, command: command, slot: slot, decision: decision)
      if case .append(.erased, _, _, _) = decision, let last = slot.state?.lastPosition {
        decided.erasable = try erasablePositions(command.sessionID, of: tenant, from: last)
      }
      return decided
    }

    /// A clock that is set back doesn't make the log's times go back.
    private func recordedAt(_ checkpoint: Checkpoint) -> Instant { max(time, checkpoint.tail.recordedAt) }

    /// Adds the event of an accepted command to the batch; returns its position.
    @discardableResult
    private mutating func append(_ decided: Decided, salt: [UInt8]) -> UInt64 {
      guard case .append(let kind, let life, let version, let changes) = decided.decision else {
        preconditionFailure("only an accepted command leads to an event")
      }
      let (tenant, command) = (decided.tenant, decided.command)
      let checkpoint = checkpoint(tenant)
      let tail = checkpoint.tail
      let event = Event(
        position: tail.position + 1, previousPosition: decided.slot.state?.lastPosition ?? 0, life: life,
        version: version,
        recordedAt: recordedAt(checkpoint), sessionID: command.sessionID, kind: kind, changes: changes,
        origin: command.origin, request: command.request)
      let frame = Frame.encode(event, tenant: tenant, salt: salt.span, previousChain: tail.chain)
      let newTail = LogTail(position: event.position, chain: frame.chain, recordedAt: event.recordedAt)
      records.append(LogRecord(tenant: tenant, position: event.position, frame: frame.bytes))
      erased += decided.erasable.map { LogPlace(tenant: tenant, position: $0) }
      if fold.checkpoints[tenant] == nil { expected[tenant] = tail.position }
      fold.advance(tenant, to: fold.fold(event, of: tenant, into: decided.slot, tail: newTail, after: checkpoint))
      return event.position
    }

    /// Decides on all sessions first, so that one that can't be erased leaves the others alone, too.
    private mutating func erase(
      _ subject: ErasureSubject, _ origin: Origin, _ pending: PendingCommand
    ) throws -> CommandOutcome {
      let tenant = pending.tenant
      let ids: [SessionID]
      switch subject {
      case .session(let id): ids = [id]
      case .customer(let customer):
        ids = try cycle.snapshots.sessions(of: customer, in: tenant) { fold.update(&$0) }
      }
      var accepted: [Decided] = []
      for id in ids {
        let command = Command(sessionID: id, action: .erase(closedBy: nil), request: nil, origin: origin)
        let decided = try decide(command, of: tenant)
        switch decided.decision {
        case .append: accepted.append(decided)
        case .alreadyApplied: break
        case .expireFirst: preconditionFailure("an erasure begins no life")
        case .reject(let rejection):
          // Only who names a session wants to hear that there is none.
          if case .session = subject { return .rejected(rejection) }
        }
      }
      let sessions = accepted.enumerated().map { index, decided in
        ErasureReceipt.ErasedSession(
          id: decided.command.sessionID, erasedPositions: decided.erasable.reversed(),
          position: append(decided, salt: Self.salt(index, from: pending.salt)))
      }
      let tail = checkpoint(tenant).tail
      return .erased(
        ErasureReceipt(
          erasedAt: sessions.isEmpty ? time : tail.recordedAt, sessions: sessions, position: tail.position,
          chainHead: tail.chain))
    }

    /// The salt of one of the events that share a task's unpredictable bytes, which themselves are stored nowhere.
    private static func salt(_ index: Int, from secret: [UInt8]) -> [UInt8] {
      var bytes = secret
      bytes.appendLittleEndian(UInt64(index))
      var salt: [UInt8] = []
      sha256(bytes.span).append(to: &salt)
      return Array(salt.prefix(Frame.saltByteCount))
    }

    /// The places of the session's payloads, of which some may be in this very batch.
    private func erasablePositions(
      _ session: SessionID, of tenant: TenantID, from last: UInt64
    ) throws -> [UInt64] {
      var positions: [UInt64] = []
      var next = last
      for record in records.reversed() where record.tenant == tenant && record.position == next {
        let key = LogSchema.key(tenant, next)
        do throws(DamagedRecord) {
          let frame = try FrameView(record.frame.span, key: key.span)
          if frame.kind == Event.Kind.erased.rawValue { return positions }
          positions.append(next)
          next = frame.previousPosition
        } catch {
          throw EventLogError.damaged(tenant: tenant, position: next, reason: error.reason)
        }
      }
      return positions + (try cycle.erasablePositions(session, tenant, next))
    }
  }
}
