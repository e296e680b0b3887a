/// Where a streamed body comes from. Its functions are called by one thread at a time, the connection's worker.
public protocol HTTPBodySource {
  /// Appends the next part of the body to `buffer`, which is empty, and tells what comes after it.
  ///
  /// Called when all that came before has been handed to the client's socket, so a slow client is asked for less often.
  /// While it runs the worker's other connections wait, so it must not block, and should append a few ten thousand bytes
  /// at most. `stream` is the one to wake when there is more after `waiting`.
  mutating func next(into buffer: inout [UInt8], for stream: HTTPBodyStream) -> HTTPBodyStep

  /// The answer is over: sent, failed, or never begun. Called exactly once, after which nothing else is.
  mutating func end()
}

/// What comes after a part of a streamed body.
public enum HTTPBodyStep: Sendable {
  /// More; without a part, the worker looks after its other connections first.
  case more
  /// Nothing until someone calls `HTTPBodyStream.wake`. A call since `next` began counts, too.
  case waiting
  /// The body is complete.
  case finished
  /// The body can't be completed: the connection is cut, so that the client doesn't take it for whole.
  case failed
}
