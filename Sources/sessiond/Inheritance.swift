internal import HTTPServer
internal import Systemd

/// The listeners that the service manager has passed on: those of the socket unit whose `FileDescriptorName=` is
/// `admin` serve the probes, all others the API.
struct Inheritance {
  let main: [Int32]
  let admin: [Int32]

  init(_ sockets: [ServiceManager.InheritedSocket] = ServiceManager.inheritedSockets()) {
    main = sockets.filter { $0.name != "admin" }.map(\.descriptor)
    admin = sockets.filter { $0.name == "admin" }.map(\.descriptor)
  }

  /// Their addresses. Throws when one of them can't be served.
  func addresses() throws(HTTPServerError) -> [ListenAddress] {
    try (main + admin).map { descriptor throws(HTTPServerError) in try ListenAddress(ofInherited: descriptor) }
  }
}
