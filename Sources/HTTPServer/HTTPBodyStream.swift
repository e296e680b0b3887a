internal import CMicrohttpd
internal import Glibc
internal import Synchronization

/// A body that is made while it is sent, and may wait for what doesn't exist yet.
///
/// A client is sent as much as it reads, at its own speed. One that takes nothing for `sendTimeoutSeconds` while there is
/// something for it is cut off; a stream that waits has no deadline. While it waits the library doesn't listen to the
/// connection; `lookAtClient` does, now and then.
@safe public final class HTTPBodyStream: @unchecked Sendable {
  // Sendable although it has mutable parts: all but atomics and the front thread's are touched on the connection's worker
  // only, once `attach` was called there. The handle is used elsewhere by whoever changed `state` from `parked`, see
  // `wake`.

  private enum State: UInt8, AtomicRepresentable {
    /// The worker asks the source by itself.
    case running
    /// The same, and `wake` was called since it asked last.
    case woken
    /// The connection is out of its worker's loop until `wake`.
    case parked
    /// The answer is over.
    case ended
  }

  private let state = Atomic(State.running)
  /// Nil once the answer is over: who still means to wake the stream need not keep it.
  private var source: (any HTTPBodySource)?
  private var buffer: [UInt8] = []
  /// How much of the buffer the library has taken.
  private var taken = 0
  private var step = HTTPBodyStep.more
  private var carrier: Carrier?
  /// What the source could know of the server's stopping when it was asked last.
  private var toldStopping = false

  /// The socket while it's the stream's; -1 before and after.
  private let descriptor = Atomic<Int32>(-1)
  /// Whether the connection is known to be broken.
  private let isBroken = Atomic(false)
  /// Whether the client has closed its side, which it may do and still listen.
  private let hasHungUp = Atomic(false)
  /// What the kernel held for the client, and when it was last seen to take some. The front thread's.
  private var unsentBytes: Int32 = 0
  private var takenNanoseconds: UInt64 = .max
  /// Whether the source has been told of that.
  private var hasDoubted = false

  /// What carries the body to the client.
  private struct Carrier {
    let connection: Connection
    let exchange: HTTPExchange
  }

  /// Bytes that are handed to the library at a time, at most; progress of a client is counted in these.
  static let partBytes = 16 * 1024
  /// What the kernel may hold for a client that reads slowly, in bytes; by itself it would take several MiB.
  private static let socketBytes = 128 * 1024
  /// A buffer of at most that size is kept while the stream waits.
  private static let keptBytes = 4096

  /// A stream of what `source` makes.
  public init(_ source: sending any HTTPBodySource) {
    self.source = source
  }

  /// Has the source asked again, when the stream waits or as soon as it does. From any thread; does nothing when the
  /// answer is over.
  public func wake() {
    while true {
      switch state.load(ordering: .sequentiallyConsistent) {
      case .woken, .ended:
        return
      case .running:
        if change(from: .running, to: .woken) { return }
      case .parked:
        guard change(from: .parked, to: .running) else { continue }
        // The library ends no suspended connection, so it's there until it's resumed.
        carrier?.connection.resumeStream()
        return
      }
    }
  }

  /// Whether the server is about to stop: a source without an end of its own should end now. Asked by the source.
  public var isStopping: Bool { toldStopping }

  /// Whether the source should say something now, if only to find out whether the client still listens. Once.
  public private(set) var isClientInDoubt = false

  /// Looks whether the client is still there, and wakes the stream when it seems to be gone: closed, or without a word
  /// and taking nothing for `timeoutNanoseconds` of what was sent. On the front thread.
  func lookAtClient(now: UInt64, timeoutNanoseconds: UInt64) {
    guard state.load(ordering: .sequentiallyConsistent) == .parked else {
      takenNanoseconds = now
      return
    }
    let unsent = cmhd_unsent_bytes(descriptor.load(ordering: .relaxed))
    if unsent <= 0 || unsent < unsentBytes { takenNanoseconds = now }
    unsentBytes = unsent
    if now - min(now, takenNanoseconds) > timeoutNanoseconds {
      isBroken.store(true, ordering: .relaxed)
      return wake()
    }
    var place = pollfd(fd: descriptor.load(ordering: .relaxed), events: cmhd_poll_hangup, revents: 0)
    // poll(2): with a time of 0 it doesn't wait. The socket can only be another's when this stream is over already.
    guard place.fd >= 0, unsafe poll(&place, 1, 0) == 1 else { return }
    if Int32(place.revents) & (POLLERR | POLLHUP) != 0 {
      isBroken.store(true, ordering: .relaxed)
      wake()
    } else if !hasHungUp.exchange(true, ordering: .relaxed) {
      wake()
    }
  }

  private func change(from old: State, to new: State) -> Bool {
    state.compareExchange(expected: old, desired: new, ordering: .sequentiallyConsistent).exchanged
  }

  // MARK: on the worker

  /// The library is about to send the answer.
  func attach(to connection: Connection, _ exchange: HTTPExchange) {
    carrier = Carrier(connection: connection, exchange: exchange)
    descriptor.store(connection.descriptor, ordering: .relaxed)
    connection.prepareForStream(bytes: Self.socketBytes)
    connection.core.streams.insert(self)
  }

  /// What the library's reader callback asks for: the number of bytes put at `target`, 0 after suspending the connection,
  /// or one of the library's ends.
  func read(into target: UnsafeMutablePointer<CChar>, maximum: Int) -> Int {
    guard let carrier, !isBroken.load(ordering: .relaxed) else { return cmhd_end_with_error }
    while taken == buffer.count {
      switch step {
      case .finished:
        // It may have waited until now; its last bytes have the client's time to take them.
        carrier.connection.enter(.sending, carrier.exchange)
        return cmhd_end_of_stream
      case .failed: return cmhd_end_with_error
      case .waiting where state.load(ordering: .sequentiallyConsistent) != .woken:
        return park(carrier) ? 0 : cmhd_end_with_error
      case .waiting, .more:
        guard !carrier.connection.core.isAbandoning.load(ordering: .sequentiallyConsistent) else {
          return cmhd_end_with_error
        }
        ask(carrier)
        if buffer.isEmpty, step == .more {
          state.store(.woken, ordering: .sequentiallyConsistent)
          return park(carrier) ? 0 : cmhd_end_with_error
        }
      }
    }
    let count = min(buffer.count - taken, maximum, Self.partBytes)
    unsafe buffer.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress else { return }
      unsafe memcpy(target, start + taken, count)
    }
    taken += count
    carrier.connection.enter(.streaming, carrier.exchange)
    return count
  }

  /// Has the source append to the empty buffer.
  private func ask(_ carrier: Carrier) {
    buffer.removeAll(keepingCapacity: true)
    taken = 0
    toldStopping = carrier.connection.core.isDraining.load(ordering: .sequentiallyConsistent)
    isClientInDoubt = !hasDoubted && hasHungUp.load(ordering: .relaxed)
    if isClientInDoubt { hasDoubted = true }
    // What woke the stream until now is answered by this call.
    state.store(.running, ordering: .sequentiallyConsistent)
    step = source?.next(into: &buffer, for: self) ?? .failed
  }

  /// Takes the connection out of its worker's loop until it's woken, which may have happened already; false when nothing
  /// may wait any more.
  private func park(_ carrier: Carrier) -> Bool {
    if buffer.capacity > Self.keptBytes { buffer = [] } else { buffer.removeAll(keepingCapacity: true) }
    taken = 0
    step = .more
    carrier.connection.enter(.waiting, carrier.exchange)
    // The connection is suspended before anybody can resume it: microhttpd.h, MHD_resume_connection: "Calling this
    // function on a connection that was not previously suspended will result in undefined behavior."
    guard carrier.connection.suspendStream() else { return false }
    if change(from: .running, to: .parked) {
      // Whoever stops the server sets its flag, then wakes every stream; this one parked, then looks at the flag.
      if carrier.connection.core.isDraining.load(ordering: .sequentiallyConsistent), !toldStopping { wake() }
    } else {
      state.store(.running, ordering: .sequentiallyConsistent)
      carrier.connection.resumeStream()
    }
    return true
  }

  /// What the source makes until it waits, ends or fails. Ends the stream; in place of everything else here.
  func readUntilItWaits() -> [UInt8] {
    var body: [UInt8] = []
    while step == .more {
      buffer.removeAll(keepingCapacity: true)
      step = source?.next(into: &buffer, for: self) ?? .failed
      body.append(contentsOf: buffer)
    }
    end()
    return body
  }

  /// The library has let go of the body.
  func end() {
    state.store(.ended, ordering: .sequentiallyConsistent)
    descriptor.store(-1, ordering: .relaxed)
    carrier?.connection.core.streams.remove(self)
    carrier = nil
    buffer = []
    source?.end()
    source = nil
  }
}
