internal import EventLog
internal import Platform
internal import SessionModel
internal import SessionStore
internal import TestSupport

/// Lets the store carry out commands, as fast as it takes them, until it holds so many events: each through decider,
/// log, overlay and projections as over HTTP. Goes on where an earlier filling with as many or fewer sessions ended.
func fillStore(_ options: inout Options) throws {
  let events = try options.take("--events")
  let traffic = Traffic(sessionCount: try options.take("--sessions"))
  try options.finish()
  let before = try end(of: DataDirectory(options.directory))
  // Nothing expires, and nobody but this adds events.
  let rules = DecisionRules(timeToLive: TimeToLive(anonymousSeconds: 0))
  let store = try SessionStore(
    directory: DataDirectory(options.directory),
    configuration: .init(rules: rules, sweepIntervalMilliseconds: 0))
  let started = monotonicNanoseconds()
  let filling = Filling()
  for number in before..<max(before, events) {
    try filling.begin()
    store.submit(traffic.command(number), for: Traffic.tenant.authorized) { outcome in filling.end(outcome) }
  }
  try filling.finish()
  store.close()
  let added = max(before, events) - before
  guard added == 0 || filling.lastPosition == UInt64(events) else {
    throw Failure("the log ends at \(filling.lastPosition)")
  }
  report([
    ("events", "\(before + added)"), ("added", "\(added)"), ("seconds", seconds(monotonicNanoseconds() - started)),
  ])
}

/// How many events the log holds. The reader is closed again at the end: LMDB must not have a file open twice.
private func end(of directory: DataDirectory) throws -> Int {
  guard try Files.exists(directory.log + "/data.mdb") else { return 0 }
  return try Int(StoreReader(directory: directory).log.tail(of: Traffic.tenant).position)
}

/// The commands under way: fewer than the store's queue holds.
private final class Filling: Sendable {
  private struct State {
    var underWay = 0
    var refusal: CommandOutcome?
    var lastPosition: UInt64 = 0
  }

  private static let maximum = 2048
  private let state = Monitor(State())

  /// Where the last accepted command's event is.
  var lastPosition: UInt64 { state.withLock { $0.lastPosition } }

  /// Waits until one more may be under way. Throws when one was not accepted.
  func begin() throws {
    try wait(below: Self.maximum)
    state.withLock { $0.underWay += 1 }
  }

  /// Waits until none is under way.
  func finish() throws { try wait(below: 1) }

  private func wait(below limit: Int) throws {
    let refusal = state.wait { state -> CommandOutcome?? in
      state.refusal != nil || state.underWay < limit ? .some(state.refusal) : nil
    }
    if let refusal { throw Failure("a command came to \(refusal)") }
  }

  func end(_ outcome: CommandOutcome) {
    state.signal { state in
      state.underWay -= 1
      guard case .accepted(_, let position) = outcome else {
        state.refusal = outcome
        return
      }
      state.lastPosition = position
    }
  }
}
