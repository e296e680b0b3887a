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

  var listen = ["127.0.0.1:8080"]
  var adminListen: [String] = []
  var dataDirectory = Settings.defaultDataDirectory
  var authentication: Authentication?
  var issuers: [IssuerConfiguration] = []
  var requiresCustomerToken = true
  var store = SessionStore.Configuration()
  var api = SessionAPI.Configuration()
  var server = HTTPServerConfiguration()

  /// `./sessiond-data`, or the state directory that systemd gives a service.
  private static var defaultDataDirectory: String {
    ServiceEnvironment.stateDirectory ?? "./sessiond-data"
  }

  /// Who is let in: by tokens when issuers are configured, unless something else is said.
  var effectiveAuthentication: Authentication { authentication ?? (issuers.isEmpty ? .none : .tokens) }
}

/// Settings that can't be meant: what is wrong, and where.
struct SettingsError: Error, Equatable, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

extension Settings {
  /// The listeners, taken apart.
  func listeners() throws(SettingsError) -> (main: [ListenAddress], admin: [ListenAddress]) {
    (try Self.parse(listen, key: "listen"), try Self.parse(adminListen, key: "adminListen"))
  }

  private static func parse(_ texts: [String], key: String) throws(SettingsError) -> [ListenAddress] {
    var addresses: [ListenAddress] = []
    for text in texts {
      do throws(HTTPServerError) {
        addresses.append(try ListenAddress.parse(text))
      } catch {
        throw SettingsError("\(key): \(error)")
      }
    }
    return addresses
  }

  /// Checks what single settings can't: that they go together.
  func check() throws(SettingsError) {
    let listeners = try listeners()
    guard !listeners.main.isEmpty else { throw SettingsError("listen: at least one address is needed") }
    switch effectiveAuthentication {
    case .none:
      guard let open = (listeners.main + listeners.admin).first(where: { !$0.isLoopback && !$0.isUNIX }) else { return }
      throw SettingsError(
        "auth: none lets everybody in, so it works only while every listener is loopback or a UNIX socket; "
          + "\(open) is neither: configure issuers, or listen on 127.0.0.1 or unix:PATH")
    case .tokens:
      guard issuers.isEmpty else { return }
      throw SettingsError("auth: tokens needs at least one entry in issuers")
    }
  }
}
