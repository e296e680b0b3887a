internal import Platform
internal import SessionModel

/// Gives the writer's batches their times, and closes the past: once a time is settled, no event is recorded at it or
/// before it any more. Without that an answer about the past could be another one when it is asked for again: because a
/// batch of that time was still being committed, or because somebody has set the clock back since.
final class RecordingClock: Sendable {
  private struct State {
    /// The time of the batch that is being written, nil between batches.
    var batch: Instant?
    /// The earliest time that a batch may begin at.
    var earliest = Instant(microseconds: .min)
    /// To be called when that batch has ended.
    var waiting: [@Sendable () -> Void] = []
  }
  private let state = Monitor(State())

  init() {}

  /// Begins a batch, or begins it once more. Returns its time: `now`, or later when that is settled.
  func beginBatch(_ now: Instant) -> Instant {
    state.withLock { state in
      let time = max(now, state.earliest)
      state.batch = time
      return time
    }
  }

  /// Ends the batch that `write` begins and writes, when all of its events can be read or none is there.
  func endBatch<Result, Failure: Error>(after write: () throws(Failure) -> Result) throws(Failure) -> Result {
    defer {
      let waiting = state.withLock { state in
        state.batch = nil
        defer { state.waiting = [] }
        return state.waiting
      }
      for body in waiting { body() }
    }
    return try write()
  }

  /// Closes the past up to `time`, which must have come. Returns whether it is written: not while a batch is that began then
  /// or before.
  func settle(_ time: Instant) -> Bool {
    state.withLock { state in
      state.earliest = max(state.earliest, Instant(microseconds: time.microseconds + 1))
      return state.batch.map { $0 > time } ?? true
    }
  }

  /// Calls `body` when all up to the settled `time` is written: at once, or on the writer's thread after its batch. It must
  /// not block.
  func whenWritten(_ time: Instant, _ body: @escaping @Sendable () -> Void) {
    let isWritten = state.withLock { state in
      guard let batch = state.batch, batch <= time else { return true }
      state.waiting.append(body)
      return false
    }
    if isWritten { body() }
  }
}
