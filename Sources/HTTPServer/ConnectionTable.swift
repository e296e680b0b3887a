internal import CMicrohttpd
internal import Glibc
internal import Platform
internal import Synchronization

/// The open connections: who they come from, and which of them are past a deadline.
///
/// libmicrohttpd's own timeout counts inactivity only, which one byte at a time defeats. Here each phase of a connection
/// has a deadline; past it the socket is shut down, and the worker ends the connection. The library closes a socket only
/// after its CLOSED notification (MHD_cleanup_connections), which calls `remove`: so a socket in the table is never
/// another's, as long as it's used under the lock.
final class ConnectionTable: Sendable {
  private struct Entry {
    let exchange: HTTPExchange
    let connection: Connection
    /// The phase's word when it was last looked at, and since when it has been the same; in nanoseconds.
    var word: UInt32
    var since: UInt64
    /// Bytes that had been received when the connection was first seen idle; nil where the kernel doesn't count them.
    var receivedWhenIdle: UInt64?
    /// When bytes of a later request were first seen.
    var laterRequestSince: UInt64?
    /// The bytes of a stream that the kernel held for the client when it was last looked at.
    var unsentBytes: Int32?
    /// Whether the socket was shut down already.
    var isShutDown = false
  }

  private struct Table {
    var entries: [Entry?] = []
    var free: [Int] = []
    var reserved = 0
    var byOrigin: [SocketAddress.Origin: Int] = [:]
  }

  /// Seconds that a client has to send its first request although the server drains: it connected in order to send one,
  /// and may take a moment. A later request is answered only when it is there, since its client knows that a connection
  /// that was used before can end at any time.
  private static let firstRequestSeconds = 1.0

  private let table = Monitor(Table())
  private let configuration: HTTPServerConfiguration

  init(configuration: HTTPServerConfiguration) {
    self.configuration = configuration
  }

  /// Takes a place for a connection from `peer`; false when a limit is reached. Given back by `release` or `remove`.
  func reserve(for peer: SocketAddress) -> Bool {
    table.withLock { table in
      guard table.reserved < configuration.maximumConnections else { return false }
      if configuration.maximumConnectionsPerAddress > 0, let origin = peer.origin {
        guard table.byOrigin[origin, default: 0] < configuration.maximumConnectionsPerAddress else { return false }
        table.byOrigin[origin, default: 0] += 1
      }
      table.reserved += 1
      return true
    }
  }

  /// Gives back a place that no connection came to use.
  func release(_ peer: SocketAddress) {
    table.signal { Self.release(peer, in: &$0) }
  }

  /// Enters a connection that starts, with its place reserved.
  func insert(_ exchange: HTTPExchange, _ connection: Connection) {
    let entry = Entry(
      exchange: exchange, connection: connection, word: exchange.phase.load(ordering: .relaxed),
      since: monotonicNanoseconds())
    connection.slot = table.withLock { table in
      if let slot = table.free.popLast() {
        table.entries[slot] = entry
        return slot
      }
      table.entries.append(entry)
      return table.entries.count - 1
    }
  }

  /// Removes a connection whose socket is about to be closed.
  func remove(_ connection: Connection) {
    guard let slot = connection.slot else { return }
    table.signal { table in
      table.entries[slot] = nil
      table.free.append(slot)
      Self.release(connection.peer, in: &table)
    }
  }

  /// Waits until no connection is open, and until `condition`, which is only looked at when a connection ends and when
  /// the time is over; false when it takes longer.
  func waitUntilEmpty(milliseconds: Int, and condition: () -> Bool = { true }) -> Bool {
    table.wait(milliseconds: milliseconds) { $0.reserved == 0 && condition() ? true : nil } ?? false
  }

  /// The exchanges of all connections.
  func exchanges() -> [HTTPExchange] {
    table.withLock { $0.entries.compactMap { $0?.exchange } }
  }

  /// Shuts down the connections that are past a deadline and returns how many; with `drainingIdle` also those without a
  /// request, which isn't counted.
  func expire(now: UInt64, drainingIdle: Bool) -> Int {
    var expired = 0
    var start = 0
    // In slices, so that no worker waits long for the lock.
    while table.withLock({ table in
      let slice = start..<min(start + 64, table.entries.count)
      for slot in slice where examine(&table.entries[slot], now: now, drainingIdle: drainingIdle) { expired += 1 }
      start = slice.upperBound
      return start < table.entries.count
    }) {}
    return expired
  }

  private func examine(_ slot: inout Entry?, now: UInt64, drainingIdle: Bool) -> Bool {
    guard var entry = slot, !entry.isShutDown else { return false }
    defer { slot = entry }
    let word = entry.exchange.phase.load(ordering: .relaxed)
    let phase = ConnectionPhase(word: word)
    if word != entry.word {
      entry.word = word
      entry.since = now
      entry.laterRequestSince = nil
      entry.unsentBytes = nil
      entry.receivedWhenIdle = phase == .idle ? receivedBytes(entry.connection.descriptor) : nil
    }
    let elapsed = now < entry.since ? 0 : Double(now - entry.since) / 1e9
    let isPast: Bool
    switch phase {
    case .firstHeader: isPast = elapsed > configuration.headerTimeoutSeconds
    case .body: isPast = elapsed > configuration.bodyTimeoutSeconds
    case .sending: isPast = elapsed > configuration.sendTimeoutSeconds
    case .streaming: isPast = isStuck(&entry, elapsed: elapsed, now: now)
    case .handling, .waiting: isPast = false
    case .idle:
      if entry.laterRequestSince == nil, let before = entry.receivedWhenIdle,
        let received = receivedBytes(entry.connection.descriptor), received != before
      {
        entry.laterRequestSince = now
      }
      let header = entry.laterRequestSince.map { Double(now - $0) / 1e9 } ?? 0
      isPast = elapsed > configuration.idleTimeoutSeconds || header > configuration.headerTimeoutSeconds
    }
    if isPast {
      entry.isShutDown = true
      shutdown(entry.connection.descriptor, Int32(SHUT_RDWR))
    } else if drainingIdle, phase == .idle || phase == .firstHeader && elapsed > Self.firstRequestSeconds {
      // What the client has sent already is still read, and answered when it's a whole request.
      entry.isShutDown = true
      shutdown(entry.connection.descriptor, Int32(SHUT_RD))
    }
    return isPast
  }

  /// Whether a client has taken nothing of a stream for as long as sending may take.
  ///
  /// The library takes the next part only when the kernel has room for it, which a slow reader makes in big steps. So what
  /// counts is whether what the kernel holds has changed: less when the client took some, more when there was room for
  /// more.
  private func isStuck(_ entry: inout Entry, elapsed: Double, now: UInt64) -> Bool {
    let unsent = cmhd_unsent_bytes(entry.connection.descriptor)
    guard unsent == entry.unsentBytes else {
      entry.unsentBytes = unsent
      entry.since = now
      return false
    }
    return elapsed > configuration.sendTimeoutSeconds
  }

  private static func release(_ peer: SocketAddress, in table: inout Table) {
    table.reserved -= 1
    guard let origin = peer.origin, let count = table.byOrigin[origin] else { return }
    table.byOrigin[origin] = count > 1 ? count - 1 : nil
  }
}

/// The bytes that a TCP connection has received so far; nil on a UNIX socket, whose later requests are bounded by the
/// idle timeout alone.
private func receivedBytes(_ descriptor: Int32) -> UInt64? {
  // tcpi_bytes_received of the kernel's struct tcp_info (linux/tcp.h), which glibc's structure is too short for.
  let offset = 128
  return unsafe withUnsafeTemporaryAllocation(byteCount: offset + 8, alignment: 8) { info in
    var length = socklen_t(info.count)
    guard unsafe getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, info.baseAddress, &length) == 0,
      Int(length) == info.count
    else { return nil }
    return unsafe info.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
  }
}
