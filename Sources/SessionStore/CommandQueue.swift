internal import Platform

/// The bounded queue between the HTTP workers and the writer. A full one refuses; nothing is dropped silently.
final class CommandQueue: Sendable {
  private struct State {
    var waiting: [PendingCommand] = []
    var isClosed = false
  }

  private let state = Monitor(State())
  private let capacity: Int

  init(capacity: Int) {
    self.capacity = capacity
  }

  /// Adds a command; false when the queue is full or closed.
  func offer(_ command: PendingCommand) -> Bool {
    state.signal { state in
      guard !state.isClosed, state.waiting.count < capacity else { return false }
      state.waiting.append(command)
      return true
    }
  }

  /// Waits for commands and takes all of them: what queued up while the last batch was committed is the next batch.
  /// Empty when `milliseconds` pass without one; nil when the queue is closed and empty.
  func takeAll(waitingMilliseconds milliseconds: Int) -> [PendingCommand]? {
    let taken = state.wait(milliseconds: milliseconds) { state -> [PendingCommand]?? in
      if !state.waiting.isEmpty {
        // About as many wait the next time.
        var taken: [PendingCommand] = []
        taken.reserveCapacity(state.waiting.count)
        swap(&taken, &state.waiting)
        return .some(taken)
      }
      return state.isClosed ? .some(nil) : nil
    }
    return taken ?? []
  }

  /// Refuses further commands, and hands over those that wait, which nobody else takes then.
  func closeAndTakeAll() -> [PendingCommand] {
    state.signal { state in
      state.isClosed = true
      defer { state.waiting = [] }
      return state.waiting
    }
  }

  /// Refuses further commands; those that wait are still taken.
  func close() {
    state.signal { $0.isClosed = true }
  }

  /// How many commands wait.
  var depth: Int { state.withLock { $0.waiting.count } }
}
