import HTTPServer
import LMDB
import Platform
import SessionAPI
import SessionCodec
import SessionModel
import SessionStore
import Testing
import TestSupport
import Tokens

@testable import sessiond

@Suite("the configuration file") struct SettingsFileTests {
  private func read(_ json5: String) throws(SettingsError) -> Settings {
    var settings = Settings()
    try settings.read(json5: Array(json5.utf8))
    return settings
  }

  private func problem(_ json5: String) -> String? {
    do throws(SettingsError) {
      _ = try read(json5)
      return nil
    } catch {
      return error.description
    }
  }

  @Test("an empty object leaves the defaults of the contract")
  func defaults() throws {
    let settings = try read("{}")
    #expect(settings.adminListen == [])
    #expect(settings.effectiveAuthentication == .none)
    #expect(settings.requiresCustomerToken)
    #expect(settings.store.rules == DecisionRules())
    #expect(settings.store.rules.timeToLive == TimeToLive(anonymousSeconds: 3600, customerSeconds: 0))
    #expect(settings.store.rules.tombstoneSeconds == 86400)
    #expect(settings.store.retentionSeconds == 0)
    #expect(settings.api.conflictStatus == .conflict)
    #expect(!settings.api.beginsOwnSessions)
    #expect(settings.api.bodyLimits == BodyLimits())
    #expect(settings.server.maximumBodyBytes == 65536)
  }

  @Test("JSON5 with comments, bare names, single quotes and trailing commas is read")
  func json5() throws {
    let settings = try read(
      """
      // where
      {
        listen: ['[::1]:9000', "unix:/run/s.sock",], /* and */ adminListen: ["127.0.0.1:9001"],
        dataDirectory: '/data', auth: 'none', requireSaasToken: false, conflictStatus: 404, autoCreate: true,
        corsOrigins: ["https://shop.example"], anonymousTTLSeconds: 60, customerTTLSeconds: 0x10, tombstoneSeconds: 0,
        retentionDays: 30,
        limits: { bodyBytes: 1000, headerBytes: 4096, attributes: 7, attributeBytes: 99, textBytes: 50, connections: 5,
          feeds: 13,
          connectionsPerAddress: 3, sessionsPerTenant: 11, writesPerSecondPerTenant: 12, queuedCommands: 2,
          overlayBytes: 2097152 },
        timeouts: { headerSeconds: 1.5, bodySeconds: 2, idleSeconds: 3, sendSeconds: 4, drainSeconds: 5 },
        storage: { mapSizeBytes: 33554432, maximumReaders: 20, flushIntervalMilliseconds: 7, httpThreads: 3 },
      }
      """)
    #expect(settings.listen == ["[::1]:9000", "unix:/run/s.sock"])
    #expect(settings.adminListen == ["127.0.0.1:9001"])
    #expect(settings.dataDirectory == "/data")
    #expect(settings.authentication == Settings.Authentication.none)
    #expect(!settings.requiresCustomerToken)
    #expect(settings.api.conflictStatus == .notFound)
    #expect(settings.api.beginsOwnSessions)
    #expect(settings.api.cors == CORSPolicy(origins: ["https://shop.example"]))
    #expect(settings.api.writesPerSecondPerTenant == 12)
    #expect(settings.api.maximumFeeds == 13)
    #expect(
      settings.api.bodyLimits == BodyLimits(maximumAttributes: 7, maximumAttributeBytes: 99, maximumTextBytes: 50))
    #expect(settings.store.retentionSeconds == 30 * 86400)
    #expect(
      settings.store.rules
        == DecisionRules(
          timeToLive: TimeToLive(anonymousSeconds: 60, customerSeconds: 16), tombstoneSeconds: 0, maximumAttributes: 7,
          maximumSessions: 11))
    #expect(settings.store.queueCapacity == 2)
    #expect(settings.store.overlayBytes == 2_097_152)
    #expect(settings.store.flushIntervalMilliseconds == 7)
    #expect(settings.store.environment.mapSizeBytes == 33_554_432)
    #expect(settings.store.environment.maximumReaders == 20)
    #expect(settings.server.maximumBodyBytes == 1000)
    #expect(settings.server.maximumHeaderBytes == 4096)
    #expect(settings.server.maximumConnections == 5)
    #expect(settings.server.maximumConnectionsPerAddress == 3)
    #expect(settings.server.headerTimeoutSeconds == 1.5)
    #expect(settings.server.bodyTimeoutSeconds == 2)
    #expect(settings.server.idleTimeoutSeconds == 3)
    #expect(settings.server.sendTimeoutSeconds == 4)
    #expect(settings.server.drainTimeoutSeconds == 5)
    #expect(settings.server.workerThreads == 3)
  }

  @Test("the file that comes with the daemon says the defaults, and nothing that isn't read")
  func shippedFile() throws {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    let path = parts.dropLast(3).joined(separator: "/") + "/config/sessiond.json5"
    var settings = Settings()
    try settings.read(file: path)
    let defaults = Settings()
    #expect(settings.listen == defaults.listen)
    #expect(settings.store.rules == defaults.store.rules)
    #expect(settings.store.queueCapacity == defaults.store.queueCapacity)
    #expect(settings.store.overlayBytes == defaults.store.overlayBytes)
    #expect(settings.store.flushIntervalMilliseconds == defaults.store.flushIntervalMilliseconds)
    #expect(settings.store.environment.mapSizeBytes == defaults.store.environment.mapSizeBytes)
    #expect(settings.store.environment.maximumReaders == defaults.store.environment.maximumReaders)
    #expect(settings.api.bodyLimits == defaults.api.bodyLimits)
    #expect(settings.api.cors == defaults.api.cors)
    #expect(settings.api.conflictStatus == defaults.api.conflictStatus)
    #expect(settings.server.maximumBodyBytes == defaults.server.maximumBodyBytes)
    #expect(settings.server.maximumConnections == defaults.server.maximumConnections)
    #expect(settings.server.idleTimeoutSeconds == defaults.server.idleTimeoutSeconds)
    #expect(settings.server.workerThreads == defaults.server.workerThreads)
  }

  @Test("issuers are read with all that belongs to them")
  func issuers() throws {
    let settings = try read(
      """
      { issuers: [
        { issuer: "https://a", keyFile: "/a.json", audiences: ["x", "y"], tenants: ["acme"], leewaySeconds: 5,
          claims: { tenant: "t", sessionId: "s", customerId: "c", scope: "p" } },
        { issuer: "https://b", keyFile: "/b.json", audiences: ["*"], tenants: ["*"] },
      ] }
      """)
    #expect(
      settings.issuers == [
        IssuerConfiguration(
          issuer: "https://a", keyFile: "/a.json", audiences: .anyOf(["x", "y"]), tenants: .only(["acme"]),
          claims: ClaimNames(tenant: "t", sessionID: "s", customerID: "c", scope: "p"), leewaySeconds: 5),
        IssuerConfiguration(issuer: "https://b", keyFile: "/b.json", audiences: .unchecked, tenants: .any),
      ])
    #expect(settings.effectiveAuthentication == .tokens)
  }

  /// What is wrong, and the line that says so.
  static let problems: [(json5: String, problem: String)] = [
    ("{ lisen: [] }", "lisen: there is no such setting"),
    ("{ limits: { bodyByte: 1 } }", "limits.bodyByte: there is no such setting"),
    ("{ limits: { zz: 1, aa: 2 } }", "limits.aa: there is no such setting"),
    ("[]", "the file must hold one object"),
    ("7", "the file must hold one object"),
    ("{ listen: '127.0.0.1:1' }", "listen: must be a list of texts"),
    ("{ listen: [1] }", "listen: must be a list of texts"),
    ("{ listen: [''] }", "listen: holds an empty text"),
    ("{ dataDirectory: '' }", "dataDirectory: must not be empty"),
    ("{ dataDirectory: 1 }", "dataDirectory: must be a text"),
    ("{ dataDirectory: null }", "dataDirectory: must be a text"),
    ("{ listen: null }", "listen: must be a list of texts"),
    ("{ anonymousTTLSeconds: null }", "anonymousTTLSeconds: must be a whole number"),
    ("{ limits: null }", "limits: must be an object"),
    ("{ issuers: null }", "issuers: must be a list of objects"),
    ("{ auth: 'open' }", "auth: must be none or tokens"),
    ("{ autoCreate: 'yes' }", "autoCreate: must be true or false"),
    ("{ autoCreate: 1 }", "autoCreate: must be true or false"),
    ("{ conflictStatus: 405 }", "conflictStatus: must be 409 or 404"),
    ("{ conflictStatus: 500 }", "conflictStatus: must be 409 or 404"),
    ("{ conflictStatus: '409' }", "conflictStatus: must be a whole number"),
    ("{ anonymousTTLSeconds: -1 }", "anonymousTTLSeconds: must be from 0 to 315360000, not -1"),
    ("{ anonymousTTLSeconds: 315360001 }", "anonymousTTLSeconds: must be from 0 to 315360000, not 315360001"),
    ("{ anonymousTTLSeconds: '60' }", "anonymousTTLSeconds: must be a whole number"),
    ("{ anonymousTTLSeconds: 1.5 }", "anonymousTTLSeconds: must be a whole number"),
    ("{ anonymousTTLSeconds: 1e30 }", "anonymousTTLSeconds: must be a whole number"),
    ("{ limits: [] }", "limits: must be an object"),
    ("{ limits: { attributes: 0 } }", "limits.attributes: must be from 1 to 1000, not 0"),
    ("{ timeouts: { idleSeconds: 0.01 } }", "timeouts.idleSeconds: must be from 0.1 to 3600.0 seconds, not 0.01"),
    ("{ timeouts: { idleSeconds: 'x' } }", "timeouts.idleSeconds: must be a number of seconds"),
    ("{ issuers: {} }", "issuers: must be a list of objects"),
    ("{ issuers: [1] }", "issuers[0]: must be an object"),
    ("{ issuers: [{}] }", "issuers[0].issuer: is missing"),
    ("{ issuers: [{ issuer: 'a' }] }", "issuers[0].keyFile: is missing"),
    (
      "{ issuers: [{ issuer: 'a', keyFile: 'credential:k' }] }",
      "issuers[0].keyFile: credential:k is a credential, and systemd has passed none to this process"
    ),
    (
      "{ issuers: [{ issuer: 'a', keyFile: 'k', tenants: ['*'] }] }",
      #"issuers[0].audiences: is missing; ["*"] accepts every audience"#
    ),
    (
      "{ issuers: [{ issuer: 'a', keyFile: 'k', audiences: ['*'] }] }",
      #"issuers[0].tenants: is missing; ["*"] allows every tenant"#
    ),
    (
      "{ issuers: [{ issuer: 'a', keyFile: 'k', audiences: ['*'], tenants: ['ACME'] }] }",
      "issuers[0].tenants: ACME is not a tenant's name: 3 to 16 lower-case letters and digits, a letter first"
    ),
    (
      "{ issuers: [{ issuer: 'a', keyFile: 'k', audiences: ['*'], tenants: ['*'], leewaySeconds: 61 }] }",
      "issuers[0].leewaySeconds: must be from 0 to 60, not 61"
    ),
    (
      "{ issuers: [{ issuer: 'a', keyFile: 'k', audiences: ['*'], tenants: ['*'], claims: { tenants: 't' } }] }",
      "issuers[0].claims.tenants: there is no such setting"
    ),
    (
      #"{ issuers: [{ issuer: 'a', keyFile: 'k', audiences: ['*'], tenants: ['*'], claims: { scope: 'a"b' } }] }"#,
      "issuers[0].claims.scope: must be printable ASCII without quotes and backslashes"
    ),
    (
      "{ issuers: [{ issuer: 'a', keyFile: 'k', audiences: ['*'], tenants: ['*'], claims: { tenant: 'a\\nb' } }] }",
      "issuers[0].claims.tenant: must be printable ASCII without quotes and backslashes"
    ),
    (
      "{ issuers: [{ issuer: 'a', keyFile: 'k', audiences: ['*'], tenants: ['*'], claims: { customerId: '' } }] }",
      "issuers[0].claims.customerId: must not be empty"
    ),
    (
      "{ issuers: [{ issuer: 'a', keyFile: 'k', audiences: [], tenants: ['*'] }] }",
      #"issuers[0].audiences: is empty; ["*"] is for any"#
    ),
    (
      "{ issuers: [{ issuer: 'a', keyFile: 'k', audiences: ['*'], tenants: [''] }] }",
      "issuers[0].tenants: holds an empty text"
    ),
    (
      "{ issuers: [{ issuer: '', keyFile: 'k', audiences: ['*'], tenants: ['*'] }] }",
      "issuers[0].issuer: must not be empty"
    ),
    (
      "{ issuers: [{ issuer: 'a', keyFile: '', audiences: ['*'], tenants: ['*'] }] }",
      "issuers[0].keyFile: must not be empty"
    ),
    (
      "{ issuers: [{ issuer: 'a', keyFile: 'k', audiences: ['*'], tenants: ['*'], leewaySeconds: -1 }] }",
      "issuers[0].leewaySeconds: must be from 0 to 60, not -1"
    ),
    (
      "{ issuers: [{ issuer: 'a', keyFile: 'k', audiences: ['*'], tenants: ['*'], x: 1 }] }",
      "issuers[0].x: there is no such setting"
    ),
  ]

  @Test("what a message quotes leaves it one line")
  func quoting() {
    #expect(problem("{ 'a\\nb\\u0007': 1 }") == #"a\nb\u{07}: there is no such setting"#)
    #expect(problem("{ corsOrigins: ['x\\r\\ny'] }")?.hasPrefix(#"corsOrigins: x\r\ny is no origin"#) == true)
  }

  @Test("what can't be meant is refused in one line that names the key", arguments: problems.indices)
  func refused(_ index: Int) {
    #expect(problem(Self.problems[index].json5) == Self.problems[index].problem)
  }

  @Test(
    "text that isn't JSON5 is refused with the line that it is on",
    arguments: [
      ("{\n  listen: [\n  autoCreate: true\n}", "line 3: there is `a` where a value is expected"),
      ("{\n  autoCreate: treu,\n}", "line 2: there is `t` where a value is expected"),
      ("{", "line 1: the file ends where a name is expected"),
      ("{\n  auth: 'none\n}", "line 2: the text that begins here has no closing quote on its line"),
      ("{\n  /* why\n\n}", "line 2: the comment that begins here has no end"),
      ("{\n  autoCreate true }", "line 2: there is `t` where a colon after autoCreate is expected"),
      (
        "{ limits: { feeds: 1\n attributes: 2 } }",
        "line 2: there is `a` where a comma or the end of the object is expected"
      ),
      ("{}\n}", "line 2: there is `}` behind the end"),
      ("", "line 1: the file ends where a value is expected"),
      ("{ anonymousTTLSeconds: - }", "line 1: there is `-` where a value is expected"),
    ])
  func syntax(_ json5: String, _ message: String) {
    #expect(problem(json5) == message)
  }

  @Test("a key that is given twice is refused, with the line of the second")
  func twice() {
    #expect(problem("{ limits: { feeds: 1,\n 'feeds': 2 } }") == "line 2: feeds is given twice")
  }

  @Test("bytes that aren't UTF-8 are refused with their line, wherever they stand")
  func encoding() {
    for text in ["{is\u{1}: 1}", "{'\u{1}': 1}", "{auth: 'a\u{1}'}", "{} // \u{1}"] {
      let json5 = Array("\n\(text)".utf8).map { $0 == 1 ? 0xff : $0 }
      var settings = Settings()
      #expect(throws: SettingsError("line 2: there is byte 255 where UTF-8 is expected")) {
        try settings.read(json5: json5)
      }
    }
  }

  @Test("whatever JSON5 allows is let through to the decoder")
  func allowed() throws {
    let text =
      "\u{feff}// one\r\n{ limits: /* two */ { 'feeds': +0x10, \"attributes\": 1e1, } , auth: 'no\\u006ee',\n listen: [], }\n"
    let settings = try read(text)
    #expect(settings.api.maximumFeeds == 16)
    #expect(settings.api.bodyLimits.maximumAttributes == 10)
    #expect(settings.authentication == Settings.Authentication.none)
  }

  @Test("a problem names the file, and a missing file is one")
  func file() throws {
    let folder = try TemporaryFolder()
    folder.write(Array("{ x: 1 }".utf8), to: "s.json5")
    var settings = Settings()
    var error = #expect(throws: SettingsError.self) { try settings.read(file: folder("s.json5")) }
    #expect(error?.description == "\(folder("s.json5")): x: there is no such setting")
    error = #expect(throws: SettingsError.self) { try settings.read(file: folder("none")) }
    #expect(error?.description == "read \(folder("none")): No such file or directory")
  }
}
