internal import Platform
internal import Projections
internal import SessionModel

/// Finds sessions whose time has come to expire or to be erased, in the index of activity, and has the writer do it.
///
/// An entry stays where it is while its session is active, so that what the index says is only a reason to look: at the
/// snapshot, which may have the entry moved, and at what isn't flushed yet. The writer decides on each command as on any
/// other, in the newest state.
final class Sweeper {
  private unowned let store: SessionStore
  /// Waits for so many milliseconds; returns false at once when the store is stopping.
  private let pause: (_ milliseconds: Int) -> Bool
  private let submit: Submission
  /// How far each class has been gone through in a sweep that isn't done; what is behind it comes first, since what is
  /// before it may have been recorded, but not flushed.
  private var places: [ActivityPlace.Class: ActivityKey] = [:]
  private var lastProblem: String?
  /// The damage that was told: each is told once, however often a sweep meets it.
  private var toldDamage: Set<String> = []
  /// How many sessions this round has erased for their age.
  private var retained = 0
  private var rounds = 0

  /// How many commands are given to the writer at once.
  private let stepSize: Int
  /// With so many commands of others waiting, the writer gets no more of these.
  private let deepQueue: Int
  /// How far due sessions are counted.
  static let backlogLimit = 65_536

  /// Hands a task to the writer (``SessionStore/submit(_:of:completion:)``).
  typealias Submission = (
    _ task: WriterTask, _ tenant: TenantID, _ completion: @escaping @Sendable (CommandOutcome) -> Void
  ) -> Void

  /// A sweeper of `store`.
  ///
  /// - Parameter submit: how tasks get to the writer, for who drives the store; by default into its queue.
  init(_ store: SessionStore, pause: @escaping (_ milliseconds: Int) -> Bool, submit: Submission? = nil) {
    self.store = store
    self.pause = pause
    self.submit = submit ?? { [unowned store] in store.submit($0, of: $1, completion: $2) }
    let capacity = store.configuration.queueCapacity
    stepSize = min(256, max(1, capacity / 4))
    deepQueue = min(512, max(1, capacity / 4))
  }

  /// What is done to the due sessions of a class.
  private struct Sweep {
    let kind: ActivityPlace.Class
    /// The last time of activity that is due.
    let limit: Instant
    let action: Command.Action
    let origin: Origin
    let count: (Int) -> Void
  }

  private func sweeps(at now: Instant) -> [Sweep] {
    let timeToLive = store.configuration.rules.timeToLive
    let statistics = store.statistics
    func expiry(_ kind: ActivityPlace.Class, _ seconds: Int64) -> Sweep? {
      guard seconds > 0 else { return nil }
      return Sweep(
        kind: kind, limit: now.advanced(bySeconds: -seconds), action: .expire, origin: .expiry,
        count: { statistics.countExpired($0) })
    }
    return [
      expiry(.anonymous, timeToLive.anonymousSeconds), expiry(.customer, timeToLive.customerSeconds),
      retention(at: now),
    ].compactMap { $0 }
  }

  /// Erases what has been closed for long enough. Not before a tombstone may fall, since an erased session has none.
  private func retention(at now: Instant) -> Sweep? {
    let seconds = store.configuration.retentionSeconds
    guard seconds > 0 else { return nil }
    let limit = now.advanced(bySeconds: -max(seconds, store.configuration.rules.tombstoneSeconds))
    let statistics = store.statistics
    return Sweep(
      kind: .closed, limit: limit, action: .erase(closedBy: limit), origin: Origin(actor: "retention"),
      count: { [weak self] in
        statistics.countRetention($0)
        self?.retained += $0
      })
  }

  /// Sweeps until nothing is due, `milliseconds` have passed, or the store is stopping; returns whether nothing is left
  /// to do now.
  func run(milliseconds: Int) -> Bool {
    let deadline = monotonicNanoseconds() + UInt64(milliseconds) * 1_000_000
    let now = store.now()
    var isDone = true
    retained = 0
    do throws(ProjectionsError) {
      let sweeps = sweeps(at: now)
      // Another one first each time: where one always has more to do, the others have their turns.
      let first = sweeps.isEmpty ? 0 : rounds % sweeps.count
      rounds += 1
      for sweep in sweeps[first...] + sweeps[..<first] where isDone {
        isDone = try run(sweep, until: deadline)
      }
      var backlog = 0
      if !isDone { for sweep in sweeps { backlog += try count(sweep) } }
      store.statistics.countSweep(backlog: backlog)
      lastProblem = nil
    } catch {
      isDone = true
      if lastProblem != error.description { store.observer.notice("sessions that are due can't be found: \(error)") }
      lastProblem = error.description
    }
    if retained > 0 {
      store.observer.notice("retention: \(retained) sessions were erased that had been closed for long enough")
    }
    return isDone
  }

  private func count(_ sweep: Sweep) throws(ProjectionsError) -> Int {
    try store.projections.view().dueCount(sweep.kind, upTo: sweep.limit, limit: Self.backlogLimit)
  }

  private func run(_ sweep: Sweep, until deadline: UInt64) throws(ProjectionsError) -> Bool {
    while true {
      guard !store.disk.isUsedUp else { return true }
      guard waitForCalm(until: deadline) else { return false }
      // 1. The next due entries, of which some may have been recorded or overtaken by activity that isn't flushed.
      let entries = try store.projections.view().due(
        sweep.kind, upTo: sweep.limit, after: places[sweep.kind], limit: stepSize
      ) { tell("the index of activity has an entry that no snapshot has") }
      move(entries.filter(\.isOvertaken))
      let due = entries.filter { !$0.isOvertaken && isStillDue($0, sweep) }
      // 2. Their commands. The next ones are only looked for when the answers to these are there.
      let started = monotonicNanoseconds()
      let others = store.statistics.commandCount
      guard submit(due, sweep) else {
        _ = pause(10)
        return false
      }
      guard entries.count == stepSize else {
        places[sweep.kind] = nil
        return true
      }
      places[sweep.kind] = entries.last?.entry
      // 3. While others write, they get three times as long as this took: nobody waits for what is recorded here.
      let milliseconds = Int((monotonicNanoseconds() - started) / 1_000_000)
      if store.statistics.commandCount - others > UInt64(due.count), !pause(max(1, 3 * milliseconds)) { return false }
    }
  }

  /// Whether what isn't flushed yet of a session leaves it due.
  private func isStillDue(_ session: DueSession, _ sweep: Sweep) -> Bool {
    let key = SessionKey(session.tenant, session.id)
    guard let snapshot = store.overlay.snapshot(key) else { return true }
    return ActivityPlace(snapshot: snapshot.span, of: key)?.isDue(sweep.kind, upTo: sweep.limit) ?? false
  }

  /// Has the projector move the entries of sessions that have been active since, with the next flush.
  private func move(_ overtaken: [DueSession]) {
    store.overlay.moveActivity(of: overtaken.map { SessionKey($0.tenant, $0.id) })
  }

  /// Hands the commands to the writer and waits for its answers. Returns false when it takes no more for now.
  private func submit(_ sessions: [DueSession], _ sweep: Sweep) -> Bool {
    guard !sessions.isEmpty else { return true }
    struct Answers {
      var missing: Int
      var accepted = 0
      var isRefused = false
      var damage: [String] = []
    }
    let answers = Monitor(Answers(missing: sessions.count))
    for session in sessions {
      let command = Command(
        sessionID: session.id, action: sweep.action, request: nil, origin: sweep.origin)
      submit(.change(command), session.tenant) { outcome in
        let isLast = answers.withLock { answers in
          answers.missing -= 1
          switch outcome {
          case .accepted: answers.accepted += 1
          // What can't be read of one session is no reason to leave the others.
          case .failed(let error) where error.isDamage:
            answers.damage.append("session \(session.id) of tenant \(session.tenant): \(error)")
          case .overloaded, .failed: answers.isRefused = true
          case .alreadyApplied, .rejected, .erased: break
          }
          return answers.missing == 0
        }
        if isLast { answers.signal { _ in } }
      }
    }
    let done = answers.wait { $0.missing == 0 ? $0 : nil }
    if done.accepted > 0 { sweep.count(done.accepted) }
    done.damage.forEach(tell)
    return !done.isRefused
  }

  /// Tells of damage that keeps a session from being swept.
  private func tell(_ damage: String) {
    guard toldDamage.count < 100, toldDamage.insert(damage).inserted else { return }
    store.observer.notice("a session that is due is left as it is: \(damage)")
  }

  /// Waits while the writer or the projector has much to do: what the sweeper adds must not keep changes waiting for
  /// room. Returns false when one still had at `deadline`.
  private func waitForCalm(until deadline: UInt64) -> Bool {
    while monotonicNanoseconds() < deadline {
      if store.queueDepth < deepQueue, !store.overlay.isHalfFull { return true }
      guard pause(5) else { return false }
    }
    return false
  }
}
