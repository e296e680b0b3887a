internal import Platform
internal import SessionAPI
internal import SessionModel
internal import SessionStore
internal import Tokens

/// Takes over from a configuration that was read again what can change while the service runs, and says what did.
struct Reload {
  let log: Log
  let store: SessionStore
  let api: SessionAPI
  let verifier: TokenVerifier?

  /// Reads the token keys again.
  func keys() {
    guard let verifier else { return log(.notice, "SIGHUP: there are no token keys to read again") }
    for outcome in verifier.reload() {
      log.warnOfUnusedKeys(in: outcome)
      switch outcome.change {
      case .replaced: log(.notice, "SIGHUP: issuer \(outcome.issuer): \(outcome.keyCount) keys, changed")
      case .unchanged: log(.notice, "SIGHUP: issuer \(outcome.issuer): \(outcome.keyCount) keys, as before")
      case .kept(let error): log(.error, "SIGHUP: the old keys stay: \(error)")
      }
    }
  }

  /// Puts `new` in place of `old` as far as it can be; returns what counts now.
  func settings(_ new: Settings, after old: Settings) -> Settings {
    var current = old
    var changes: [String] = []
    func take<Value: Equatable>(_ name: String, _ path: WritableKeyPath<Settings, Value>) {
      guard current[keyPath: path] != new[keyPath: path] else { return }
      changes.append("\(name) is now \(new[keyPath: path]), before \(current[keyPath: path])")
      current[keyPath: path] = new[keyPath: path]
    }
    take("logLevel", \.logLevel)
    take("accessLog", \.writesAccessLog)
    take("limits.sessionsPerTenant", \.store.rules.maximumSessions)
    take("limits.writesPerSecondPerTenant", \.api.writesPerSecondPerTenant)
    take("storage.diskReserveBytes", \.store.diskReserveBytes)
    apply(current)
    // What is said counts already; and it's said under the more talkative of both levels.
    log.level = max(old.logLevel, current.logLevel)
    for change in changes { log(.notice, "settings: \(change)") }
    log.level = current.logLevel
    if new.source != old.source {
      current.source = new.source
      log(.notice, "settings: the file has changed; what else it says counts from the next start on")
    } else if changes.isEmpty {
      log(.notice, "settings: as before")
    }
    return current
  }

  /// Makes those settings count that can change while the service runs.
  func apply(_ settings: Settings) {
    log.level = settings.logLevel
    store.adjust(
      maximumSessions: settings.store.rules.maximumSessions, diskReserveBytes: settings.store.diskReserveBytes)
    api.adjust(
      writesPerSecondPerTenant: settings.api.writesPerSecondPerTenant, logsAccess: settings.writesAccessLog)
  }
}
