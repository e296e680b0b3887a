internal import HTTPServer
internal import Systemd

/// The listeners that the service manager has passed on: those of the socket unit whose `FileDescriptorName=` is
/// `admin` serve the probes, all others the API.
struct Inheritance {
  let main: [Int32]
  let admin: [Int32]

  /// Takes over those that were passed on. Throws when they can't be.
  init() throws(SettingsError) {
    guard let sockets = ServiceManager.inheritedSockets() else {
      throw SettingsError("LISTEN_FDS: the sockets that it tells of aren't there; look at the socket unit")
    }
    main = sockets.filter { $0.name != "admin" }.map(\.descriptor)
    admin = sockets.filter { $0.name == "admin" }.map(\.descriptor)
  }

  /// Their addresses. Throws when one of them can't be served.
  func addresses() throws(HTTPServerError) -> [ListenAddress] {
    try (main + admin).map { descriptor throws(HTTPServerError) in try ListenAddress(ofInherited: descriptor) }
  }
}
