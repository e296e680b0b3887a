internal import Platform
internal import Synchronization

/// An HTTP/1.1 server: listeners, worker threads, limits, a strict gate.
///
/// Runs from `init` until `drainAndStop`, which must be called before the last reference goes.
public final class HTTPServer: Sendable {
  /// What a stop cut off.
  public struct DrainReport: Sendable, Equatable {
    /// Suspended requests that were answered 503, because the handler hadn't answered them in time.
    public var abandonedRequests = 0
    /// Requests whose connection was closed before their answer was fully sent.
    public var cutRequests = 0

    /// A report of these numbers.
    public init(abandonedRequests: Int = 0, cutRequests: Int = 0) {
      self.abandonedRequests = abandonedRequests
      self.cutRequests = cutRequests
    }
  }

  /// Where the server listens: its listeners in order, then the inherited ones, with the real port for port 0.
  public let boundAddresses: [ListenAddress]
  private let core: ServerCore
  private let library: Library
  private let front: FrontThread
  private let isStopped = Atomic(false)

  /// Binds the listeners and starts to serve.
  ///
  /// `descriptors` are sockets that listen already, as systemd passes them; the server owns them from then on.
  /// `log` gets one line at a time, from any thread.
  /// Throws when a setting can't work or a listener can't be opened; then nothing is left open but `descriptors`.
  public init(
    listeners: [ListenAddress], inherited descriptors: [Int32] = [],
    configuration: HTTPServerConfiguration = HTTPServerConfiguration(), handler: any HTTPHandler,
    log: @escaping @Sendable (String) -> Void
  ) throws(HTTPServerError) {
    if let problem = configuration.problem { throw .invalidConfiguration(problem) }
    guard !listeners.isEmpty || !descriptors.isEmpty else {
      throw .invalidConfiguration("the server has nothing to listen on; give a --listen")
    }
    var sockets: [ListenSocket] = []
    do throws(HTTPServerError) {
      for address in listeners { sockets.append(try ListenSocket(address, backlog: configuration.listenBacklog)) }
      let adopted = try descriptors.map { descriptor throws(HTTPServerError) in try ListenSocket(adopting: descriptor) }
      core = ServerCore(configuration: configuration, handler: handler, log: log)
      library = try Library(core: core)
      do throws(HTTPServerError) {
        front = try FrontThread(core: core, library: library, listeners: sockets + adopted)
      } catch {
        library.stop()
        throw error
      }
      boundAddresses = (sockets + adopted).map(\.address)
    } catch {
      for socket in sockets { socket.close() }
      throw error
    }
  }

  deinit {
    precondition(isStopped.load(ordering: .relaxed), "drainAndStop is called before the server goes")
  }

  /// What the server has done and does.
  public var statistics: HTTPServerStatistics { core.counters.snapshot }

  /// Stops accepting, answers what is in flight, and stops. Blocks; call it once, not from a handler.
  ///
  /// From now on each answer ends its connection, and connections between requests are closed. After
  /// `drainTimeoutSeconds` suspended requests are answered 503, and a `respond` that comes later has no effect.
  /// Streams are asked at once, so that those without an end of their own can end; the others have the same time.
  ///
  /// - Parameter beforeAbandoning: is called when that time is over and requests are still suspended: for the handler to
  ///   refuse what it hasn't begun, so that nothing is done later which a client was told is not.
  @discardableResult
  public func drainAndStop(beforeAbandoning: () -> Void = {}) -> DrainReport {
    precondition(!isStopped.exchange(true, ordering: .relaxed), "a server is stopped once")
    // 1. Each answer ends its connection, and the front thread ends the idle ones.
    core.isDraining.store(true, ordering: .sequentiallyConsistent)
    // 2. No further connections: from here on the table empties for good.
    front.stopListening()
    core.streams.wakeAll()
    if !core.connections.waitUntilEmpty(milliseconds: Int(core.configuration.drainTimeoutSeconds * 1000)) {
      beforeAbandoning()
    }
    // 3. Nothing is suspended any more, and nobody still resumes what was.
    abandonTheRest()
    front.stop()
    let report = DrainReport(
      abandonedRequests: core.counters.abandonedRequests.load(ordering: .acquiring),
      cutRequests: core.counters.requestsInFlight.load(ordering: .acquiring))
    // 4. Cuts what is left.
    library.stop()
    return report
  }

  /// Brings it about that nothing is suspended or can be; the answers that this makes get a moment to be sent.
  ///
  /// A thread may still be at resuming a connection that has already ended, so that no connection is no proof.
  private func abandonTheRest() {
    core.isAbandoning.store(true, ordering: .sequentiallyConsistent)
    for round in 1...Self.maximumRounds {
      core.abandonSuspended()
      let isOver = core.connections.waitUntilEmpty(milliseconds: Self.roundMilliseconds) { !core.isAnythingSuspended }
      if isOver || round >= Self.graceRounds && !core.isAnythingSuspended { return }
    }
    // The library would end the process all the same, with less to say.
    preconditionFailure("a connection stays suspended although the server has resumed all of them")
  }

  private static let roundMilliseconds = 10
  /// Rounds that answers may take to be sent.
  private static let graceRounds = 100
  /// Rounds that another thread may take to resume a connection whose answer it has begun.
  private static let maximumRounds = 1000
}
