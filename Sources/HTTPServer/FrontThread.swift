internal import CMicrohttpd
internal import Glibc
internal import Platform
internal import Synchronization

/// The thread that accepts connections for the workers, and ends those past a deadline.
///
/// libmicrohttpd could accept by itself, but its way to stop accepting (MHD_quiesce_daemon) races with its workers: one
/// that removes the listening socket from its epoll set at the same moment makes the other's removal fail, which the
/// library answers by aborting the process. And limits over several listeners need one place that counts.
final class FrontThread: Sendable {
  private let core: ServerCore
  private let library: Library
  private let listeners: [ListenSocket]
  /// An eventfd that ends the waiting.
  private let wake: Int32
  private let isListening = Monitor(true)
  private let isStopping = Atomic(false)
  private let thread = Monitor<Thread?>(nil)

  /// Between two looks at the deadlines, in milliseconds.
  private static let roundMilliseconds: Int32 = 250
  /// The same while the server drains.
  private static let drainingRoundMilliseconds: Int32 = 10
  /// Connections accepted from one listener before the next one's turn.
  private static let acceptsPerTurn = 64
  /// Milliseconds without accepting after the system ran out of descriptors or memory.
  private static let pauseMilliseconds: UInt64 = 100

  init(core: ServerCore, library: Library, listeners: [ListenSocket]) throws(HTTPServerError) {
    wake = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard wake >= 0 else { throw .cannotStart("no descriptor for an event: \(text(of: errno))") }
    self.core = core
    self.library = library
    self.listeners = listeners
    thread.withLock { $0 = Thread(name: "http-front") { [self] in run() } }
  }

  /// Closes the listeners, since the core drains, and waits until that is done: then no connection comes any more.
  func stopListening() {
    nudge()
    isListening.wait { $0 ? nil : () }
  }

  /// Ends the thread. Call it once, after `stopListening`.
  func stop() {
    isStopping.store(true, ordering: .releasing)
    nudge()
    thread.withLock { $0.take() }?.join()
    close(wake)
  }

  /// Ends the waiting, so that a change of the flags is seen.
  private func nudge() {
    _ = eventfd_write(wake, 1)
  }

  private func run() {
    var listens = true
    var pausedUntil: UInt64 = 0
    var nextRound: UInt64 = 0
    var nextLookAtClients: UInt64 = 0
    while !isStopping.load(ordering: .acquiring) {
      let isDraining = core.isDraining.load(ordering: .acquiring)
      if listens, isDraining {
        // Who waits in the queue of a socket of ours would be refused without a word; an inherited one's is left to
        // whoever has the socket next.
        acceptAll(from: listeners.filter { !$0.isInherited })
        for listener in listeners { listener.close() }
        listens = false
        isListening.signal { $0 = false }
      }
      let now = monotonicNanoseconds()
      if now >= nextRound {
        let expired = core.connections.expire(now: now, drainingIdle: isDraining)
        if expired > 0 { core.counters.expiredConnections.add(expired, ordering: .relaxed) }
        if now >= nextLookAtClients {
          core.streams.lookAtClients(now: now, timeoutSeconds: core.configuration.sendTimeoutSeconds)
          nextLookAtClients = now + 1_000_000_000
        }
        nextRound = now + UInt64(isDraining ? Self.drainingRoundMilliseconds : Self.roundMilliseconds) * 1_000_000
      }
      let accepts = listens && now >= pausedUntil
      wait(milliseconds: isDraining ? Self.drainingRoundMilliseconds : Self.roundMilliseconds, accepts: accepts)
      if accepts, !core.isDraining.load(ordering: .acquiring), !acceptAll(from: listeners) {
        pausedUntil = monotonicNanoseconds() + Self.pauseMilliseconds * 1_000_000
      }
    }
  }

  /// Waits for connections, a nudge or the time.
  private func wait(milliseconds: Int32, accepts: Bool) {
    unsafe withUnsafeTemporaryAllocation(of: pollfd.self, capacity: listeners.count + 1) { events in
      unsafe events.initializeElement(at: 0, to: pollfd(fd: wake, events: Int16(POLLIN), revents: 0))
      for (index, listener) in listeners.enumerated() {
        // poll(2) passes over negative descriptors.
        let descriptor = accepts ? listener.descriptor : -1
        unsafe events.initializeElement(at: index + 1, to: pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
      }
      guard unsafe poll(events.baseAddress, nfds_t(events.count), milliseconds) > 0 else { return }
      var count: eventfd_t = 0
      if unsafe events[0].revents != 0 { _ = unsafe eventfd_read(wake, &count) }
    }
  }

  /// Accepts what waits; false when the system is out of descriptors or memory.
  @discardableResult
  private func acceptAll(from listeners: [ListenSocket]) -> Bool {
    for listener in listeners {
      for _ in 0..<Self.acceptsPerTurn {
        switch accept(listener) {
        case 0: continue
        case EAGAIN: break
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
          core.log(
            "\(listener.address): no connection can be accepted: \(text(of: errno)); raise the limit on open files")
          return false
        // accept(2): errors of the connection itself, which is gone.
        default: continue
        }
        break
      }
    }
    return true
  }

  /// Accepts one connection; 0 or the error.
  private func accept(_ listener: ListenSocket) -> Int32 {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        let flags = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = unsafe accept4(listener.descriptor, address, &length, flags)
        guard descriptor >= 0 else { return errno }
        guard let peer = unsafe SocketAddress(address, length: Int(length)) else {
          close(descriptor)
          return 0
        }
        guard core.connections.reserve(for: peer) else {
          refuse(descriptor)
          return 0
        }
        core.counters.acceptedConnections.add(1, ordering: .relaxed)
        core.counters.openConnections.add(1, ordering: .acquiringAndReleasing)
        if unsafe !library.add(descriptor, from: address, length: length) {
          core.counters.openConnections.subtract(1, ordering: .acquiringAndReleasing)
          core.connections.release(peer)
        }
        return 0
      }
    }
  }

  /// Answers a connection beyond a limit, and closes it.
  private func refuse(_ descriptor: Int32) {
    core.counters.refusedConnections.add(1, ordering: .relaxed)
    RawAnswer.send(.error(503, "too many connections; try again", fields: [.init(.retryAfter, "1")]), to: descriptor)
    shutdown(descriptor, Int32(SHUT_WR))
    RawAnswer.discardUnread(descriptor)
    close(descriptor)
  }
}
