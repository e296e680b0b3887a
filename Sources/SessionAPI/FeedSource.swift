internal import HTTPServer
internal import Platform
internal import SessionModel
internal import SessionStore

/// A tenant's events from a position on, as the body of an answer.
///
/// One place in the log serves the past and the present: each part is a short page read from where the last one ended, so
/// there is no handing over from one to the other, and nothing to miss or repeat.
struct FeedSource: HTTPBodySource {
  /// When a live feed says something although no event passes its filter.
  struct Timing: Sendable {
    /// After so many seconds of silence a comment shows that the connection lives.
    var heartbeatSeconds = 15.0
    /// At least so many seconds lie between two notes of the position that was reached.
    var checkpointSeconds = 1.0
  }

  /// Where a feed ends.
  enum End {
    /// After that position: a list of lines.
    case position(UInt64)
    /// When the token runs out, in seconds since 1970, or the server stops: a live feed. Nil: there is no token.
    case token(Int64?)
  }

  private let hub: FeedHub
  private let store: SessionStore
  private let tenant: AuthorizedTenant
  private let until: End
  private let heartbeatNanoseconds: UInt64
  private let checkpointNanoseconds: UInt64
  private let isRevoked: @Sendable () -> Bool
  private let failed: @Sendable (StoreError) -> Void
  private var filter: EventFilter
  /// All events up to there have been looked at.
  private var position: UInt64
  /// The position that the client knows of.
  private var toldPosition: UInt64
  private var spokeNanoseconds = monotonicNanoseconds()
  private var isCaughtUp = false

  /// Events that are looked at for one part, at most.
  private static let scanLimit = 1024
  /// A part ends with the event that makes it so long, in bytes.
  private static let partBytes = 30 * 1024

  /// A feed of the events after `position`. Takes over a place that was opened at `hub`. `isRevoked` says
  /// whether a live feed has to end although its token hasn't run out, `failed` is told why it breaks off.
  init(
    hub: FeedHub, store: SessionStore, tenant: AuthorizedTenant, after position: UInt64, until: End,
    filter: EventFilter, timing: Timing, isRevoked: @escaping @Sendable () -> Bool = { false },
    failed: @escaping @Sendable (StoreError) -> Void
  ) {
    self.hub = hub
    self.store = store
    self.tenant = tenant
    self.until = until
    self.filter = filter
    self.position = position
    toldPosition = position
    heartbeatNanoseconds = UInt64(timing.heartbeatSeconds * 1e9)
    checkpointNanoseconds = UInt64(min(timing.checkpointSeconds, timing.heartbeatSeconds) * 1e9)
    self.isRevoked = isRevoked
    self.failed = failed
  }

  mutating func next(into buffer: inout [UInt8], for stream: HTTPBodyStream) -> HTTPBodyStep {
    let now = monotonicNanoseconds()
    let seen = hub.waitingList.commits
    if isOver(stream) { return .finished }
    guard !hub.budget.isSpent(at: now) else { return wait(until: now, seen: seen, stream) }
    do throws(StoreError) {
      let before = position
      let reach = try read(into: &buffer)
      hub.budget.spend(from: now, to: monotonicNanoseconds())
      switch until {
      case .position(let last):
        // Events that were there are there for good; else the client must not take the list for whole.
        guard position > before else { return .failed }
        return position < last ? .more : .finished
      case .token: return goOn(reach, into: &buffer, now: now, seen: seen, stream)
      }
    } catch {
      failed(error)
      return .failed
    }
  }

  mutating func end() { hub.close() }

  private func isOver(_ stream: HTTPBodyStream) -> Bool {
    switch until {
    case .position(let last): position >= last
    case .token(let seconds):
      stream.isStopping || seconds.map { $0 <= currentMicroseconds() / 1_000_000 } == true || isRevoked()
    }
  }

  /// Appends a part, and moves on to its end.
  private mutating func read(into buffer: inout [UInt8]) throws(StoreError) -> SessionStore.Reach {
    var scanLimit = Self.scanLimit
    var isLive = true
    if case .position(let last) = until {
      scanLimit = Int(min(UInt64(scanLimit), last - position))
      isLive = false
    }
    let tenant = tenant.id
    let reach = try store.readEvents(of: self.tenant, after: position, scanLimit: scanLimit, filter: &filter) { event in
      if isLive {
        buffer.appendServerSentEvent(event, of: tenant)
        toldPosition = event.event.position
      } else {
        buffer.appendLine(event, of: tenant)
      }
      return buffer.count < Self.partBytes
    }
    position = reach.position
    return reach
  }

  /// What a live feed does after a part.
  private mutating func goOn(
    _ reach: SessionStore.Reach, into buffer: inout [UInt8], now: UInt64, seen: UInt64, _ stream: HTTPBodyStream
  ) -> HTTPBodyStep {
    let silence = now - min(now, spokeNanoseconds)
    if reach.isAtEnd, !isCaughtUp {
      isCaughtUp = true
      tell("caught-up", into: &buffer)
    } else if position > toldPosition, silence >= checkpointNanoseconds {
      // A client that resumes from there need not wait until all of that was looked at again.
      tell("checkpoint", into: &buffer)
    } else if buffer.isEmpty, silence >= heartbeatNanoseconds || stream.isClientInDoubt {
      buffer.appendHeartbeat()
    }
    if !buffer.isEmpty { spokeNanoseconds = now }
    guard reach.isAtEnd else { return .more }
    let pause = position > toldPosition ? checkpointNanoseconds : heartbeatNanoseconds
    return wait(until: spokeNanoseconds + pause, seen: seen, stream)
  }

  private mutating func tell(_ name: String, into buffer: inout [UInt8]) {
    buffer.appendServerSentMark(name, position: position)
    toldPosition = position
  }

  private func wait(until due: UInt64, seen: UInt64, _ stream: HTTPBodyStream) -> HTTPBodyStep {
    hub.waitingList.add(
      FeedWaitingList.Entry(stream: stream, tenant: tenant, position: position, dueNanoseconds: due), seen: seen)
    return .waiting
  }
}
