internal import Synchronization

extension ServerCore {
  /// Beginnings of the library's messages about what clients do: they'd let any client fill the log.
  private static let causedByClients = [
    "Connection was closed by remote side", "Connection socket is closed", "Socket has been disconnected",
    "Application reported internal error", "Failed to send", "Not enough memory in pool", "Failed to parse",
    "Too large value", "Too late", "Closing connection",
  ]

  /// Beginnings of its messages about options of TCP that it sets on every socket: each answer through a UNIX socket would
  /// make three of them.
  private static let causedByUNIXSockets = ["Setting TCP_NODELAY", "Setting TCP_CORK", "Failed to push the data"]

  private static let expected = causedByClients + causedByUNIXSockets

  /// Passes on a line of libmicrohttpd's log, unless a client or a UNIX socket caused it.
  func logLibrary(_ line: String) {
    let message = line.utf8.last == 0x0a ? String(line.dropLast()) : line
    if message.utf8.starts(with: "Error processing request".utf8) {
      counters.refusedRequests.add(1, ordering: .relaxed)
      return
    }
    if Self.expected.contains(where: { message.utf8.starts(with: $0.utf8) }) { return }
    log("libmicrohttpd: \(message)")
  }
}
