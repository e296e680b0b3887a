internal import HTTPServer
internal import Platform
internal import SessionAPI
internal import SessionStore
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
  private let health = Health()
  private let events = Monitor<[Event]>([])

  init(settings: Settings, log: Log) {
    self.settings = settings
    self.log = log
  }

  /// Serves until a signal or a failure ends it.
  func run() -> ExitStatus {
    Process.holdSignals()
    Process.raiseFileLimit()
    // What has been started is stopped in the opposite order, however far the start came.
    var started: [() -> Void] = []
    defer { for stop in started.reversed() { stop() } }
    do {
      let authorizer = try makeAuthorizer()
      let listeners = try settings.listeners()
      let parts = Parts()
      // The probes answer while the log is replayed.
      if let admin = try makeAdmin(listeners.admin, parts: parts) { started.append { admin.drainAndStop() } }
      let store = try openStore()
      started.append { store.close() }
      parts.store.set(store)
      let api = SessionAPI(store: store, configuration: settings.api, authorizer: authorizer.authorizer) { [log] in
        log(.error, $0)
      }
      parts.api.set(api)
      let server = try makeServer(listeners.main, handler: api)
      started.append { server.drainAndStop() }
      parts.server.set(server)
      health.reach(.ready)
      for address in server.boundAddresses { log(.info, "listening on \(address)") }
      defer { health.reach(.stopping) }
      return wait(verifier: authorizer.verifier)
    } catch {
      log(.error, "sessiond can't start: \(error)")
      return .couldNotStart
    }
  }

  /// The parts that the figures are collected from, each once it is there.
  private struct Parts {
    let store = Late<SessionStore>()
    let api = Late<SessionAPI>()
    let server = Late<HTTPServer>()
  }

  private func makeAuthorizer() throws(TokensError) -> (authorizer: Authorizer, verifier: TokenVerifier?) {
    switch settings.effectiveAuthentication {
    case .none:
      log(.warning, "auth is none: everybody who reaches a listener is let in")
      return (.open, nil)
    case .tokens:
      let verifier = try TokenVerifier(issuers: settings.issuers)
      return (.tokens(verifier, requiresCustomerToken: settings.requiresCustomerToken), verifier)
    }
  }

  private func openStore() throws(StoreError) -> SessionStore {
    let observer = SessionStore.Observer(
      notice: { [log] in log(.notice, $0) },
      failed: { [health, events] error in
        health.reach(.failed)
        events.signal { $0.append(.storeFailed(error)) }
      })
    return try SessionStore(
      directory: DataDirectory(settings.dataDirectory), configuration: settings.store, observer: observer)
  }

  private func makeServer(_ addresses: [ListenAddress], handler: any HTTPHandler) throws(HTTPServerError) -> HTTPServer
  {
    try HTTPServer(listeners: addresses, configuration: settings.server, handler: handler) { [log] in log(.warning, $0)
    }
  }

  private func makeAdmin(_ addresses: [ListenAddress], parts: Parts) throws(HTTPServerError) -> HTTPServer? {
    guard !addresses.isEmpty else { return nil }
    var configuration = settings.server
    configuration.workerThreads = 1
    configuration.maximumConnections = 64
    let handler = AdminAPI(health: health) { [health] in
      Metrics.collect(health: health, store: parts.store.value, api: parts.api.value, server: parts.server.value)
    }
    let admin = try HTTPServer(listeners: addresses, configuration: configuration, handler: handler) { [log] in
      log(.warning, $0)
    }
    for address in admin.boundAddresses { log(.info, "admin listening on \(address)") }
    return admin
  }

  /// Waits for what ends the service, and tells how.
  private func wait(verifier: TokenVerifier?) -> ExitStatus {
    // It ends with the process.
    _ = Thread(name: "signals") { [events] in
      while true {
        let signal = Process.waitForSignal()
        events.signal { $0.append(.signal(signal)) }
      }
    }
    while true {
      switch events.wait({ $0.isEmpty ? nil : $0.removeFirst() }) {
      case .signal(.hangup):
        reload(verifier)
      case .signal(let signal):
        log(.info, "stopping on \(signal == .interrupt ? "SIGINT" : "SIGTERM")")
        return .stopped
      case .storeFailed(let error):
        log(.error, "the store has failed, and stops so that a restart recovers it: \(error)")
        return .failed
      }
    }
  }

  private func reload(_ verifier: TokenVerifier?) {
    guard let verifier else { return log(.notice, "SIGHUP: there are no token keys to read again") }
    for outcome in verifier.reload() {
      switch outcome.change {
      case .replaced: log(.notice, "SIGHUP: issuer \(outcome.issuer): \(outcome.keyCount) keys, changed")
      case .unchanged: log(.notice, "SIGHUP: issuer \(outcome.issuer): \(outcome.keyCount) keys, as before")
      case .kept(let error): log(.error, "SIGHUP: the old keys stay: \(error)")
      }
    }
  }
}
