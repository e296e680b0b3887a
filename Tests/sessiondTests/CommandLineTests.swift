import Glibc
import HTTPServer
import Platform
import Testing
import TestSupport

@testable import sessiond

@Suite("the command line and its precedence") struct CommandLineTests {
  private func options(_ arguments: String...) throws(SettingsError) -> CommandLineOptions {
    try CommandLineOptions(arguments: arguments)
  }

  private func problem(_ arguments: String...) -> String? {
    do throws(SettingsError) {
      _ = try CommandLineOptions(arguments: arguments)
      return nil
    } catch {
      return error.description
    }
  }

  @Test("options take their values behind them or behind an equals sign; listeners add up")
  func values() throws {
    let read = try options(
      "--config", "f.json5", "--listen", "127.0.0.1:1", "--listen=[::1]:2", "--admin-listen", "unix:/a=b",
      "--data-dir=/d", "--auth", "none")
    var expected = CommandLineOptions()
    expected.configurationFile = "f.json5"
    expected.listen = ["127.0.0.1:1", "[::1]:2"]
    expected.adminListen = ["unix:/a=b"]
    expected.dataDirectory = "/d"
    expected.authentication = "none"
    #expect(read == expected)
    #expect(try options() == CommandLineOptions())
  }

  @Test(
    "there are four things to do",
    arguments: [
      ("--check-config", CommandLineOptions.Mode.checkConfiguration), ("--version", .version), ("--help", .help),
      ("-h", .help),
    ])
  func modes(_ argument: String, _ mode: CommandLineOptions.Mode) throws {
    #expect(try options(argument).mode == mode)
  }

  @Test("what can't be meant is refused by its name")
  func refused() {
    #expect(problem("--port", "1") == "--port: there is no such option; see sessiond --help")
    #expect(problem("serve") == "serve: there is no such option; see sessiond --help")
    #expect(problem("--version=1") == "--version=1: there is no such option; see sessiond --help")
    #expect(problem("--listen") == "--listen needs a value; see sessiond --help")
    #expect(problem("--listen=") == "--listen needs a value; see sessiond --help")
    #expect(problem("--data-dir", "") == "--data-dir needs a value; see sessiond --help")
  }

  @Test("the help names every option")
  func help() {
    for option in ["--config", "--listen", "--admin-listen", "--data-dir", "--auth", "--check-config", "--version"] {
      #expect(CommandLineOptions.help.contains(option))
    }
  }

  @Test("an option overrides a variable, which overrides the file, which overrides the default")
  func precedence() throws {
    let folder = try TemporaryFolder()
    folder.write(
      Array("{ listen: ['127.0.0.1:1'], adminListen: ['127.0.0.1:2'], dataDirectory: '/file', auth: 'none' }".utf8),
      to: "s.json5")
    var variables = CommandLineOptions()
    variables.configurationFile = folder("s.json5")
    variables.listen = ["127.0.0.1:3"]
    variables.dataDirectory = "/variable"
    let settings = try options("--listen", "127.0.0.1:4").completed(by: variables).settings()
    #expect(settings.listen == ["127.0.0.1:4"])
    #expect(settings.adminListen == ["127.0.0.1:2"])
    #expect(settings.dataDirectory == "/variable")
    #expect(settings.server.maximumConnections == 4096)
    // An option's file takes the place of a variable's.
    folder.write(Array("{ dataDirectory: '/other' }".utf8), to: "t.json5")
    variables.dataDirectory = nil
    let other = try options("--config", folder("t.json5")).completed(by: variables).settings()
    #expect(other.dataDirectory == "/other")
    #expect(other.adminListen == [])
  }

  private func check(_ arguments: String..., json5: String = "{}") -> String? {
    do {
      let folder = try TemporaryFolder()
      folder.write(Array(json5.utf8), to: "s.json5")
      var variables = CommandLineOptions()
      variables.configurationFile = folder("s.json5")
      _ = try CommandLineOptions(arguments: arguments).completed(by: variables).settings()
      return nil
    } catch {
      return "\(error)"
    }
  }

  private static let issuer = "issuers: [{ issuer: 'a', keyFile: 'k', audiences: ['*'], tenants: ['*'] }]"

  @Test(
    "without tokens only loopback addresses and UNIX sockets may be listened on",
    arguments: [
      "0.0.0.0:80", "192.0.2.1:80", "[::]:80", "[2001:db8::1]:80", "128.0.0.1:80",
    ])
  func openOnPublicAddress(_ address: String) {
    let problem = check("--listen", address, "--auth", "none")
    #expect(problem?.hasPrefix("auth: none lets everybody in") == true)
    #expect(problem?.contains("\(address) is neither") == true)
    // Without issuers nobody has a token, so that is the same.
    #expect(check("--listen", address)?.hasPrefix("auth: none lets everybody in") == true)
    #expect(check("--listen", "127.0.0.1:1", "--admin-listen", address)?.hasPrefix("auth: none") == true)
    #expect(check("--listen", address, "--auth", "none", json5: "{ \(Self.issuer) }")?.hasPrefix("auth: none") == true)
    #expect(check("--listen", address, json5: "{ \(Self.issuer) }") == nil)
  }

  @Test(
    "without tokens loopback and UNIX sockets work",
    arguments: [
      "127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "unix:/run/s.sock",
    ])
  func openOnLoopback(_ address: String) {
    #expect(check("--listen", address, "--auth", "none") == nil)
  }

  @Test("settings that don't go together are refused")
  func together() {
    #expect(check("--auth", "tokens") == "auth: tokens needs at least one entry in issuers")
    #expect(check("--auth", "maybe") == "auth: must be none or tokens, not maybe")
    #expect(check(json5: "{ listen: [] }") == "listen: at least one address is needed")
    #expect(check("--listen", "localhost:80")?.hasPrefix("listen: localhost:80: ") == true)
    #expect(check("--admin-listen", "127.0.0.1")?.hasPrefix("adminListen: 127.0.0.1: ") == true)
  }

  @Test("the variables are read, lists with commas; an unknown one is refused")
  func variables() async {
    await #expect(processExitsWith: .success) {
      for (name, value) in [
        ("SESSIOND_CONFIG", "f"), ("SESSIOND_LISTEN", "127.0.0.1:1, [::1]:2"), ("SESSIOND_ADMIN_LISTEN", "unix:/a"),
        ("SESSIOND_DATA_DIR", "/d"), ("SESSIOND_AUTH", "none"),
      ] {
        unsafe setenv(name, value, 1)
      }
      var expected = CommandLineOptions()
      expected.configurationFile = "f"
      expected.listen = ["127.0.0.1:1", "[::1]:2"]
      expected.adminListen = ["unix:/a"]
      expected.dataDirectory = "/d"
      expected.authentication = "none"
      let options = try ServiceEnvironment.options()
      #expect(options == expected)
      unsafe setenv("SESSIOND_PORT", "tcp://10.0.0.1:8080", 1)
      unsafe setenv("SESSIOND_SERVICE_HOST", "10.0.0.1", 1)
      // Of a service beside it, sessiond-metrics.
      unsafe setenv("SESSIOND_METRICS_SERVICE_HOST", "10.0.0.2", 1)
      unsafe setenv("SESSIOND_METRICS_SERVICE_PORT", "8081", 1)
      unsafe setenv("SESSIOND_METRICS_SERVICE_PORT_HTTP", "8081", 1)
      unsafe setenv("SESSIOND_METRICS_PORT", "tcp://10.0.0.2:8081", 1)
      unsafe setenv("SESSIOND_METRICS_PORT_8081_TCP_ADDR", "10.0.0.2", 1)
      unsafe setenv("SESSIOND_DATA_DIR", "", 1)
      expected.dataDirectory = nil
      #expect(try ServiceEnvironment.options() == expected)
      unsafe setenv("SESSIOND_DATADIR", "/d", 1)
      let error = #expect(throws: SettingsError.self) { try ServiceEnvironment.options() }
      #expect(error?.description == "SESSIOND_DATADIR: there is no such variable; see sessiond --help")
    }
  }

  @Test("under systemd the data lies in the state directory, elsewhere beside the daemon")
  func stateDirectory() async {
    await #expect(processExitsWith: .success) {
      unsafe unsetenv("STATE_DIRECTORY")
      #expect(Settings().dataDirectory == "./sessiond-data")
      unsafe setenv("STATE_DIRECTORY", "/var/lib/sessiond:/var/lib/other", 1)
      #expect(Settings().dataDirectory == "/var/lib/sessiond")
    }
  }
}
