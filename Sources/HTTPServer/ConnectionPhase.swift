internal import Synchronization

/// What a connection is doing, for the deadlines. Written by its worker, read by the front thread.
///
/// The worker takes no time: it stores a word that differs from the last, and the front thread notes when it first sees
/// a word. So a deadline passes late by at most one round of the front thread, and a request costs no reading of a clock.
enum ConnectionPhase: UInt32 {
  /// The header of the connection's first request is awaited.
  case firstHeader
  /// Between two requests, or receiving the header of a later one.
  case idle
  /// The request's body is awaited.
  case body
  /// The handler has the request. Has no deadline.
  case handling
  /// The answer is being sent.
  case sending
  /// A part of a streamed body is being sent; each part is a new word.
  case streaming
  /// A streamed body waits for its source. Has no deadline.
  case waiting

  /// A word for this phase that differs from `word`.
  func word(after word: UInt32) -> UInt32 {
    (word & ~7) &+ 8 | rawValue
  }

  /// The phase that `word` stands for.
  init(word: UInt32) {
    self = ConnectionPhase(rawValue: word & 7) ?? .handling
  }
}
