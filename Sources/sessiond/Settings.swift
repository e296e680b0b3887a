internal import HTTPServer
internal import SessionAPI
internal import SessionStore
internal import Tokens

/// Everything that can be set, with its defaults. `config/sessiond.json5` documents each key.
struct Settings {
  /// Who is let in.
  enum Authentication: String {
    /// Everybody: only while every listener is local.
    case none
    /// Who has a token of one of the issuers.
    case tokens
  }

  /// Where the API is served; nil when nothing is said.
  var listen: [String]?
  var adminListen: [String] = []
  var dataDirectory = Settings.defaultDataDirectory
  var authentication: Authentication?
  var issuers: [IssuerConfiguration] = []
  var requiresCustomerToken = true
  var logLevel = Log.Priority.info
  var writesAccessLog = false
  var store = SessionStore.Configuration()
  var api = SessionAPI.Configuration()
  var server = HTTPServerConfiguration()
  /// Whether key files that are credentials must be there, which they only are for the service itself.
  var needsCredentials = true
  /// The text of the configuration file; empty without one.
  var source: [UInt8] = []

  /// `./sessiond-data`, or the state directory that systemd gives a service.
  private static var defaultDataDirectory: String {
    ServiceEnvironment.stateDirectory ?? "./sessiond-data"
  }

  /// Who is let in: by tokens when issuers are configured, unless something else is said.
  var effectiveAuthentication: Authentication { authentication ?? (issuers.isEmpty ? .none : .tokens) }
}

/// Settings that can't be meant: what is wrong, and where, in one line whatever it quotes.
struct SettingsError: Error, Equatable, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description.unicodeScalars
      .map { $0.properties.generalCategory == .control ? $0.escaped(asASCII: true) : String($0) }
      .joined()
  }
}

extension Settings {
  /// Reads the issuers' key files as a start would, but for those that only systemd can pass. Throws what is wrong.
  func checkIssuers() throws(SettingsError) {
    guard effectiveAuthentication == .tokens else { return }
    do throws(TokensError) {
      _ = try TokenVerifier(issuers: issuers.filter { !$0.keyFile.hasPrefix(Self.credentialPrefix) })
    } catch {
      throw SettingsError("\(error)")
    }
  }

  /// The listeners to open, taken apart. Where nothing is said, the ones that the service manager passes are enough.
  func listeners(
    besides inherited: Inheritance
  ) throws(SettingsError) -> (main: [ListenAddress], admin: [ListenAddress]) {
    let main = listen ?? (inherited.main.isEmpty ? ["127.0.0.1:8080"] : [])
    let addresses = try Self.parse(main, key: "listen")
    return (addresses, try Self.parse(adminListen, key: "adminListen", besides: addresses))
  }

  private static func parse(
    _ texts: [String], key: String, besides others: [ListenAddress] = []
  ) throws(SettingsError) -> [ListenAddress] {
    var addresses: [ListenAddress] = []
    for text in texts {
      do throws(HTTPServerError) {
        addresses.append(try ListenAddress.parse(text))
      } catch {
        throw SettingsError("\(key): \(error)")
      }
    }
    for (index, address) in addresses.enumerated() where !address.picksPort {
      if others.contains(address) || addresses[..<index].contains(address) {
        throw SettingsError("\(key): \(address) is given twice")
      }
    }
    return addresses
  }

  /// Checks what single settings can't: that they go together.
  func check() throws(SettingsError) {
    let inherited = try Inheritance()
    let listeners = try listeners(besides: inherited)
    guard !listeners.main.isEmpty || !inherited.main.isEmpty else {
      throw SettingsError("listen: at least one address is needed")
    }
    let passed: [ListenAddress]
    do throws(HTTPServerError) {
      passed = try inherited.addresses()
    } catch {
      throw SettingsError("a socket that systemd has passed: \(error)")
    }
    switch effectiveAuthentication {
    case .none:
      guard let open = (listeners.main + listeners.admin + passed).first(where: { !$0.isLoopback }) else {
        return
      }
      throw SettingsError(
        "auth: none lets everybody in, so it works only while every listener is loopback or a UNIX socket; "
          + "\(open) is neither: configure issuers, or listen on 127.0.0.1 or unix:PATH")
    case .tokens:
      guard issuers.isEmpty else { return }
      throw SettingsError("auth: tokens needs at least one entry in issuers")
    }
  }
}
