internal import FoundationEssentials
internal import HTTPServer
internal import LMDB
internal import Platform
internal import SessionAPI
internal import SessionCodec
internal import SessionModel
internal import SessionStore
internal import Tokens

extension Settings {
  /// Reads the settings in the file at `path`, in JSON5, over these. Throws one line that names the file and the key or
  /// place.
  mutating func read(file path: String) throws(SettingsError) {
    let content: [UInt8]
    do throws(SystemError) {
      content = try Files.read(path, maximumBytes: 1 << 20)
    } catch {
      throw SettingsError("\(error)")
    }
    do throws(SettingsError) {
      try read(json5: content)
      source = content
    } catch {
      throw SettingsError("\(path): \(error)")
    }
  }

  /// Reads settings in JSON5 over these.
  mutating func read(json5: [UInt8]) throws(SettingsError) {
    do throws(JSON5Syntax.Problem) {
      try JSON5Syntax.check(json5)
    } catch {
      throw SettingsError("line \(error.line): \(error.message)")
    }
    let decoder = JSONDecoder()
    decoder.allowsJSON5 = true
    do {
      let root = try decoder.decode(SettingsRoot.self, from: Data(json5))
      try read(root.reader)
      try root.reader.finish()
    } catch let error as SettingsError {
      throw error
    } catch DecodingError.dataCorrupted(let context) {
      throw SettingsError("is not JSON5: \(context.underlyingError.map { "\($0)" } ?? context.debugDescription)")
    } catch {
      throw SettingsError("can't be read: \(error)")
    }
  }

  private mutating func read(_ root: SettingsReader) throws {
    if let addresses = try root.texts("listen") { listen = addresses }
    if let addresses = try root.texts("adminListen") { adminListen = addresses }
    if let path = try root.text("dataDirectory") { dataDirectory = path }
    if let name = try root.text("auth") {
      guard let value = Authentication(rawValue: name) else { throw root.error("auth", "must be none or tokens") }
      authentication = value
    }
    if let name = try root.text("logLevel") {
      guard let level = Log.Priority(name: name) else {
        throw root.error("logLevel", "must be error, warning, notice, info or debug")
      }
      logLevel = level
    }
    try root.flag("accessLog", into: &writesAccessLog)
    try root.sections("issuers") { section in issuers.append(try issuer(section)) }
    try root.flag("requireSaasToken", into: &requiresCustomerToken)
    var conflictStatus = api.conflictStatus.rawValue
    try root.number("conflictStatus", Int.min...Int.max, into: &conflictStatus)
    guard let status = ConflictStatus(rawValue: conflictStatus) else {
      throw root.error("conflictStatus", "must be 409 or 404")
    }
    api.conflictStatus = status
    try root.flag("autoCreate", into: &api.beginsOwnSessions)
    if let origins = try root.texts("corsOrigins") {
      if let wrong = origins.first(where: { !CORSPolicy.isOrigin($0) }) {
        throw root.error("corsOrigins", "\(wrong) is no origin; one looks like https://shop.example, and * is for any")
      }
      api.cors = CORSPolicy(origins: origins)
    }
    try readLifetimes(root)
    try root.section("limits") { limits in try readLimits(limits) }
    try root.section("timeouts") { timeouts in try readTimeouts(timeouts) }
    try root.section("storage") { storage in try readStorage(storage) }
  }

  private mutating func readLifetimes(_ root: SettingsReader) throws {
    let tenYears = 0...315_360_000
    try root.number("anonymousTTLSeconds", tenYears, into: &store.rules.timeToLive.anonymousSeconds)
    try root.number("customerTTLSeconds", tenYears, into: &store.rules.timeToLive.customerSeconds)
    try root.number("tombstoneSeconds", tenYears, into: &store.rules.tombstoneSeconds)
    var retentionDays = store.retentionSeconds / 86400
    try root.number("retentionDays", 0...36500, into: &retentionDays)
    store.retentionSeconds = retentionDays * 86400
  }

  private mutating func readLimits(_ limits: SettingsReader) throws {
    try limits.number("bodyBytes", 256...(1 << 20), into: &server.maximumBodyBytes)
    try limits.number("headerBytes", 2048...(1 << 20), into: &server.maximumHeaderBytes)
    try limits.number("attributes", 1...1000, into: &api.bodyLimits.maximumAttributes)
    store.rules.maximumAttributes = api.bodyLimits.maximumAttributes
    try limits.number("attributeBytes", 16...(1 << 20), into: &api.bodyLimits.maximumAttributeBytes)
    try limits.number("textBytes", 16...200, into: &api.bodyLimits.maximumTextBytes)
    try limits.number("connections", 1...1_000_000, into: &server.maximumConnections)
    try limits.number("connectionsPerAddress", 0...1_000_000, into: &server.maximumConnectionsPerAddress)
    try limits.number("feeds", 0...1_000_000, into: &api.maximumFeeds)
    try limits.number("sessionsPerTenant", 0...Int.max, into: &store.rules.maximumSessions)
    try limits.number("writesPerSecondPerTenant", 0...1_000_000, into: &api.writesPerSecondPerTenant)
    try limits.number("queuedCommands", 1...1_000_000, into: &store.queueCapacity)
    try limits.number("overlayBytes", (1 << 20)...(1 << 36), into: &store.overlayBytes)
  }

  private mutating func readTimeouts(_ timeouts: SettingsReader) throws {
    let range = 0.1...3600.0
    try timeouts.seconds("headerSeconds", range, into: &server.headerTimeoutSeconds)
    try timeouts.seconds("bodySeconds", range, into: &server.bodyTimeoutSeconds)
    try timeouts.seconds("idleSeconds", range, into: &server.idleTimeoutSeconds)
    try timeouts.seconds("sendSeconds", range, into: &server.sendTimeoutSeconds)
    try timeouts.seconds("drainSeconds", range, into: &server.drainTimeoutSeconds)
  }

  private mutating func readStorage(_ storage: SettingsReader) throws {
    try storage.number("mapSizeBytes", (1 << 24)...(1 << 45), into: &store.environment.mapSizeBytes)
    try storage.number("maximumReaders", 16...65_536, into: &store.environment.maximumReaders)
    try storage.number("flushIntervalMilliseconds", 1...60_000, into: &store.flushIntervalMilliseconds)
    try storage.number("diskReserveBytes", 0...(1 << 46), into: &store.diskReserveBytes)
    try storage.number("httpThreads", 1...256, into: &server.workerThreads)
  }

  /// What a key file's path begins with when systemd passes the file (systemd.exec(5), LoadCredential=).
  static let credentialPrefix = "credential:"

  private func issuer(_ section: SettingsReader) throws -> IssuerConfiguration {
    guard let issuer = try section.text("issuer") else { throw section.error("issuer", "is missing") }
    guard var keyFile = try section.text("keyFile") else { throw section.error("keyFile", "is missing") }
    if keyFile.hasPrefix(Self.credentialPrefix) {
      if let directory = ServiceEnvironment.credentialsDirectory {
        keyFile = "\(directory)/\(keyFile.dropFirst(Self.credentialPrefix.count))"
      } else if needsCredentials {
        throw section.error("keyFile", "\(keyFile) is a credential, and systemd has passed none to this process")
      }
    }
    let audiences = try section.texts("audiences")
    let tenants = try section.texts("tenants")
    if let wrong = tenants?.first(where: { $0 != "*" && TenantID($0) == nil }) {
      throw section.error(
        "tenants", "\(wrong) is not a tenant's name: 3 to 16 lower-case letters and digits, a letter first")
    }
    for (name, texts) in [("audiences", audiences), ("tenants", tenants)] {
      guard let texts else { continue }
      if texts.isEmpty { throw section.error(name, "is empty; [\"*\"] is for any") }
      if texts.count > 1, texts.contains("*") { throw section.error(name, "has * beside others; * alone is for any") }
    }
    guard let audiences else { throw section.error("audiences", "is missing; [\"*\"] accepts every audience") }
    guard let tenants else { throw section.error("tenants", "is missing; [\"*\"] allows every tenant") }
    var configuration = IssuerConfiguration(
      issuer: issuer, keyFile: keyFile, audiences: audiences == ["*"] ? .unchecked : .anyOf(audiences),
      tenants: tenants == ["*"] ? .any : .only(tenants))
    try section.section("claims") { claims in
      try readName("tenant", of: claims, into: &configuration.claims.tenant)
      try readName("sessionId", of: claims, into: &configuration.claims.sessionID)
      try readName("customerId", of: claims, into: &configuration.claims.customerID)
      try readName("scope", of: claims, into: &configuration.claims.scope)
    }
    try section.number("leewaySeconds", 0...60, into: &configuration.leewaySeconds)
    return configuration
  }

  /// Sets `target` to a claim's name when the key is there. Answers quote it, in the `error_description` of RFC 6750.
  private func readName(_ key: String, of claims: SettingsReader, into target: inout String) throws {
    guard let name = try claims.text(key) else { return }
    guard name.utf8.allSatisfy({ (0x20...0x7e).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") })
    else { throw claims.error(key, "must be printable ASCII without quotes and backslashes") }
    target = name
  }
}

/// The outermost object of a configuration file, for the decoder to hand over.
private struct SettingsRoot: Decodable {
  let reader: SettingsReader

  init(from decoder: any Decoder) throws {
    reader = try SettingsReader(decoder)
  }
}
