internal import HTTPServer
internal import Platform
internal import SessionAPI
internal import SessionStore
internal import Systemd
internal import Tokens

/// The running service: its parts, put together, and its life from start to stop.
struct Daemon {
  /// Why it ended, as its exit status.
  enum ExitStatus: Int32 {
    case stopped = 0
    case failed = 1
    case wrongUse = 2
    case couldNotStart = 3
  }

  /// What the main thread waits for.
  private enum Event: Sendable {
    case signal(Process.Signal)
    case storeFailed(StoreError)
  }

  private let settings: Settings
  private let log: Log
  private let readAgain: () throws(SettingsError) -> Settings
  private let health = Health()
  private let events = Monitor<[Event]>([])

  /// A service of those settings; `readAgain` reads them again on SIGHUP.
  init(settings: Settings, log: Log, readAgain: @escaping () throws(SettingsError) -> Settings) {
    self.settings = settings
    self.log = log
    self.readAgain = readAgain
    log.level = settings.logLevel
  }

  /// Serves until a signal or a failure ends it.
  func run() -> ExitStatus {
    Process.holdSignals()
    Process.raiseFileLimit()
    // What has been started is stopped in the opposite order, however far the start came.
    var started: [() -> Void] = []
    let status = serve(&started)
    for stop in started.reversed() { stop() }
    // The last commits and flushes may fail, too.
    guard status == .stopped, let error = failure else { return status }
    log(.error, "the store has failed while it stopped; the next start recovers it: \(error)")
    return .failed
  }

  /// How the store has failed since that was last looked for.
  private var failure: StoreError? {
    events.withLock { events in
      for case .storeFailed(let error) in events { return error }
      return nil
    }
  }

  private func serve(_ started: inout [() -> Void]) -> ExitStatus {
    do {
      ServiceManager.notify(.status("starting"))
      let authorizer = try makeAuthorizer()
      let inherited = try Inheritance()
      let listeners = try settings.listeners(besides: inherited)
      let parts = Parts()
      if let verifier = authorizer.verifier { parts.verifier.set(verifier) }
      listenForSignals()
      // The probes answer while the log is replayed.
      if let admin = try makeAdmin(listeners.admin, inherited: inherited.admin, parts: parts) {
        started.append { admin.drainAndStop() }
      }
      let store = try openStore()
      started.append { store.close() }
      parts.store.set(store)
      let api = SessionAPI(
        store: store, configuration: settings.api, authorizer: authorizer.authorizer,
        logsAccess: settings.writesAccessLog,
        accessLog: { [log] in log($0) }, log: { [log] in log(.error, $0) })
      parts.api.set(api)
      let server = try makeServer(listeners.main, inherited: inherited.main, handler: api)
      started.append { [log] in
        let report = server.drainAndStop(beforeAbandoning: store.refuseWaiting)
        guard report != HTTPServer.DrainReport() else { return }
        log(
          .notice,
          "requests that the stop didn't wait for: \(report.abandonedRequests) answered 503, \(report.cutRequests) cut off"
        )
      }
      parts.server.set(server)
      health.reach(.ready)
      for address in server.boundAddresses { log(.info, "listening on \(address)") }
      ServiceManager.notify(.ready, .status(servingStatus))
      defer {
        health.reach(.stopping)
        let microseconds = UInt64((settings.server.drainTimeoutSeconds + Self.flushSeconds) * 1e6)
        ServiceManager.notify(
          .stopping, .status("finishing the requests under way"), .extendTimeout(microseconds: microseconds))
      }
      return wait(Reload(log: log, store: store, api: api, verifier: authorizer.verifier))
    } catch {
      log(.error, "sessiond can't start: \(error)")
      // Settings don't get better by starting again.
      return error is TokensError || error is SettingsError ? .wrongUse : .couldNotStart
    }
  }

  private var servingStatus: String { "serving version \(version)" }

  /// What the last flush of the projections may take beyond the drain, in seconds.
  private static let flushSeconds = 20.0

  /// The parts that the figures are collected from, each once it is there.
  private struct Parts {
    let store = Late<SessionStore>()
    let api = Late<SessionAPI>()
    let server = Late<HTTPServer>()
    let verifier = Late<TokenVerifier>()

    /// What keeps the running service from doing all of its work, in a few words.
    func obstacle(flushIntervalMilliseconds: Int) -> String? {
      guard let store = store.value else { return nil }
      if store.isDiskNearlyFull { return "the disk is nearly full" }
      if store.projectorLagSeconds > 30 + Double(flushIntervalMilliseconds) / 1000 { return "the projector is stuck" }
      return nil
    }
  }

  private func makeAuthorizer() throws(TokensError) -> (authorizer: Authorizer, verifier: TokenVerifier?) {
    switch settings.effectiveAuthentication {
    case .none:
      log(.warning, "auth is none: everybody who reaches a listener is let in")
      return (.open, nil)
    case .tokens:
      let verifier = try TokenVerifier(issuers: settings.issuers)
      for file in verifier.keyFiles { log.warnOfUnusedKeys(in: file) }
      return (.tokens(verifier, requiresCustomerToken: settings.requiresCustomerToken), verifier)
    }
  }

  private func openStore() throws(StoreError) -> SessionStore {
    let watchdog = Watchdog()
    let observer = SessionStore.Observer(
      notice: { [log] in log(.notice, $0) },
      replayed: { events in
        ServiceManager.notify(
          .status("replaying the log: \(events) events so far"),
          .extendTimeout(microseconds: Self.replayStepMicroseconds))
      },
      failed: { [health, events] error in
        health.reach(.failed)
        events.signal { $0.append(.storeFailed(error)) }
      },
      writerAlive: { watchdog.feed() })
    return try SessionStore(
      directory: DataDirectory(settings.dataDirectory), configuration: settings.store, observer: observer)
  }

  /// What each step of a replay, 4096 events, may take, in microseconds.
  private static let replayStepMicroseconds: UInt64 = 60_000_000

  private func makeServer(
    _ addresses: [ListenAddress], inherited: [Int32], handler: any HTTPHandler
  ) throws(HTTPServerError) -> HTTPServer {
    var configuration = settings.server
    configuration.singleFields = SessionAPI.singleFields
    return try HTTPServer(listeners: addresses, inherited: inherited, configuration: configuration, handler: handler) {
      [log] in log(.warning, $0)
    }
  }

  private func makeAdmin(
    _ addresses: [ListenAddress], inherited: [Int32], parts: Parts
  ) throws(HTTPServerError) -> HTTPServer? {
    guard !addresses.isEmpty || !inherited.isEmpty else { return nil }
    var configuration = settings.server
    configuration.workerThreads = 1
    configuration.maximumConnections = 64
    let flushInterval = settings.store.flushIntervalMilliseconds
    let obstacle: @Sendable () -> String? = { parts.obstacle(flushIntervalMilliseconds: flushInterval) }
    let handler = AdminAPI(health: health, obstacle: obstacle) { [health] in
      Metrics.collect(
        health: health, obstacle: obstacle(), store: parts.store.value, api: parts.api.value,
        server: parts.server.value,
        verifier: parts.verifier.value)
    }
    let admin = try HTTPServer(
      listeners: addresses, inherited: inherited, configuration: configuration, handler: handler
    ) { [log] in log(.warning, $0) }
    for address in admin.boundAddresses { log(.info, "admin listening on \(address)") }
    return admin
  }

  private func listenForSignals() {
    // It ends with the process.
    _ = Thread(name: "signals") { [events, health, log] in
      while true {
        let signal = Process.waitForSignal()
        if signal != .hangup, health.stage == .starting {
          // A replay may take long, and nothing is lost by not ending it: the next start begins it again.
          log(.info, "stopping before the start is done")
          Process.exit(ExitStatus.stopped.rawValue)
        }
        events.signal { $0.append(.signal(signal)) }
      }
    }
  }

  /// Waits for what ends the service, and tells how.
  private func wait(_ reload: Reload) -> ExitStatus {
    var current = settings
    while true {
      switch events.wait({ $0.isEmpty ? nil : $0.removeFirst() }) {
      case .signal(.hangup):
        ServiceManager.notify(.reloading, .status("reading the configuration again"))
        reload.keys()
        do throws(SettingsError) {
          current = reload.settings(try readAgain(), after: current)
        } catch {
          log(.error, "settings: the old ones stay: \(error)")
        }
        ServiceManager.notify(.ready, .status(servingStatus))
      case .signal(let signal):
        log(.info, "stopping on \(signal == .interrupt ? "SIGINT" : "SIGTERM")")
        return .stopped
      case .storeFailed(let error):
        log(.error, "the store has failed, and stops so that a restart recovers it: \(error)")
        return .failed
      }
    }
  }
}
