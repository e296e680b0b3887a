internal import CMicrohttpd
internal import Glibc

/// libmicrohttpd's part of a server: its daemon with the worker threads.
@safe final class Library: @unchecked Sendable {
  // Sendable although it holds pointers: they never change, and the library's functions on a daemon that are called here
  // (MHD_add_connection, MHD_stop_daemon) lock for themselves; the owner calls `stop` last.
  private let daemon: OpaquePointer
  private let sink: UnsafeMutablePointer<cmhd_log_sink>
  private let core: ServerCore

  /// Starts the workers.
  init(core: ServerCore) throws(HTTPServerError) {
    self.core = core
    let context = unsafe Unmanaged.passUnretained(core).toOpaque()
    unsafe sink = .allocate(capacity: 1)
    unsafe sink.initialize(to: cmhd_log_sink(write: logged, context: context))
    let workers = core.configuration.workerThreads
    var start = unsafe cmhd_start(
      worker_threads: UInt32(workers),
      // The limit that counts is the connection table's. The library divides its own among the workers, and never reaches
      // it.
      connection_limit: UInt32((core.configuration.maximumConnections + 1) * workers),
      connection_memory: core.configuration.connectionMemoryBytes,
      log: sink, context: context, handle: handle, connection: notified, completed: completed, target: target,
      unescape: unescape)
    guard let daemon = unsafe cmhd_start_daemon(&start) else {
      unsafe sink.deallocate()
      throw .cannotStart(
        "libmicrohttpd refused to start its \(workers) worker threads; raise TasksMax, or the limit on files or memory")
    }
    unsafe self.daemon = daemon
  }

  /// Gives an accepted connection to a worker, chosen by the socket's number. The socket is the library's from then on,
  /// also when it's refused.
  func add(_ descriptor: Int32, from peer: UnsafePointer<sockaddr>, length: socklen_t) -> Bool {
    unsafe MHD_add_connection(daemon, descriptor, peer, length) == .YES
  }

  /// Ends all connections and the workers. Nothing may be suspended any more (microhttpd.h: "You must explicitly resume
  /// all connections before stopping the daemon"). Call it once.
  func stop() {
    unsafe MHD_stop_daemon(daemon)
    unsafe sink.deallocate()
  }
}

// The library's callbacks. Each gets the core, which the server keeps alive until the daemon is stopped, and finds its
// exchange in the connection's context, which holds a reference from STARTED to CLOSED.

private func core(_ context: UnsafeMutableRawPointer?) -> ServerCore? {
  guard let context = unsafe context else { return nil }
  return unsafe Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
}

private func exchange(_ context: UnsafeMutableRawPointer?) -> HTTPExchange? {
  guard let context = unsafe context else { return nil }
  return unsafe Unmanaged<HTTPExchange>.fromOpaque(context).takeUnretainedValue()
}

/// MHD_NotifyConnectionCallback: on the connection's worker, at its start and before its socket is closed.
private func notified(
  _ context: UnsafeMutableRawPointer?, _ handle: OpaquePointer?,
  _ slot: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _ event: MHD_ConnectionNotificationCode
) {
  guard let core = unsafe core(context), let handle = unsafe handle, let slot = unsafe slot else { return }
  if event == .CONNECTION_NOTIFY_STARTED {
    // `add` refuses what is no such address; the library copied it whole.
    let length = MemoryLayout<sockaddr_in6>.size
    guard let address = unsafe cmhd_client_address(handle) else { return }
    let isUNIX = unsafe address.pointee.sa_family == sa_family_t(AF_UNIX)
    guard let peer = unsafe isUNIX ? SocketAddress(path: "") : SocketAddress(address, length: length) else { return }
    let connection = unsafe Connection(core: core, handle: handle, descriptor: cmhd_socket(handle), peer: peer)
    let exchange = HTTPExchange(connection: connection)
    core.connections.insert(exchange, connection)
    unsafe slot.pointee = Unmanaged.passRetained(exchange).toOpaque()
  } else if let stored = unsafe slot.pointee {
    let exchange = unsafe Unmanaged<HTTPExchange>.fromOpaque(stored).takeRetainedValue()
    unsafe slot.pointee = nil
    exchange.connection?.close(exchange)
  }
}

/// The URI callback: the request line is there. What it returns becomes the request's context.
private func target(
  _: UnsafeMutableRawPointer?, _ uri: UnsafePointer<CChar>, _ handle: OpaquePointer
) -> UnsafeMutableRawPointer? {
  let context = unsafe cmhd_socket_context(handle)
  if let exchange = unsafe exchange(context) { unsafe exchange.connection?.begin(exchange, uri: uri) }
  return unsafe context
}

/// The unescape callback: leaves `text` as it is, since the target's parts are decoded only after they were separated.
private func unescape(_: UnsafeMutableRawPointer?, _: OpaquePointer, _ text: UnsafeMutablePointer<CChar>) -> Int {
  unsafe strlen(text)
}

/// MHD_AccessHandlerCallback.
private func handle(
  _: UnsafeMutableRawPointer?, _: OpaquePointer?, _: UnsafePointer<CChar>?, _ method: UnsafePointer<CChar>?,
  _ version: UnsafePointer<CChar>?, _ data: UnsafePointer<CChar>?, _ size: UnsafeMutablePointer<Int>?,
  _ request: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
  guard let exchange = unsafe exchange(request?.pointee), let connection = exchange.connection,
    let method = unsafe method, let version = unsafe version, let size = unsafe size
  else { return .NO }
  let goesOn = unsafe connection.proceed(exchange, method: method, version: version, data: data, size: size)
  return goesOn ? .YES : .NO
}

/// MHD_RequestCompletedCallback.
private func completed(
  _: UnsafeMutableRawPointer?, _: OpaquePointer?, _ request: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _: MHD_RequestTerminationCode
) {
  guard let exchange = unsafe exchange(request?.pointee) else { return }
  exchange.connection?.complete(exchange)
}

/// A line of the library's log.
private func logged(_ context: UnsafeMutableRawPointer?, _ message: UnsafePointer<CChar>) {
  guard let core = unsafe core(context) else { return }
  let text = unsafe String(cString: message)
  core.logLibrary(text)
}
