internal import Platform

/// What the environment says: `SESSIOND_*` variables, and what systemd tells a service.
enum ServiceEnvironment {
  /// The service's state directory (systemd.exec(5), StateDirectory=), the first when there are several.
  static var stateDirectory: String? {
    Process.environment(prefix: "STATE_DIRECTORY")["STATE_DIRECTORY"]
      .flatMap { $0.split(separator: ":").first.map(String.init) }
  }

  /// Where systemd has put the service's credentials (systemd.exec(5), LoadCredential=).
  static var credentialsDirectory: String? {
    Process.environment(prefix: "CREDENTIALS_DIRECTORY")["CREDENTIALS_DIRECTORY"]
  }

  /// The settings among the variables; an empty one counts as none. Throws when one of them isn't known.
  static func options() throws(SettingsError) -> CommandLineOptions {
    var options = CommandLineOptions()
    for (name, value) in Process.environment(prefix: "SESSIOND_").sorted(by: { $0.key < $1.key }) where !value.isEmpty {
      let list = value.split(separator: ",").map { $0.trimmingBlanks }
      switch name {
      case "SESSIOND_CONFIG": options.configurationFile = value
      case "SESSIOND_LISTEN": options.listen = list
      case "SESSIOND_ADMIN_LISTEN": options.adminListen = list
      case "SESSIOND_DATA_DIR": options.dataDirectory = value
      case "SESSIOND_AUTH": options.authentication = value
      // Kubernetes tells every container of the services beside it, by their names: of sessiond-metrics, say, with
      // SESSIOND_METRICS_SERVICE_HOST, SESSIOND_METRICS_SERVICE_PORT_HTTP, SESSIOND_METRICS_PORT and
      // SESSIOND_METRICS_PORT_8081_TCP.
      case _ where ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"].contains { name.hasSuffix($0) }: break
      case _ where ["_SERVICE_PORT_", "_PORT_"].contains { name.contains($0) }: break
      default: throw SettingsError("\(name): there is no such variable; see sessiond --help")
      }
    }
    return options
  }
}

extension Substring {
  fileprivate var trimmingBlanks: String {
    String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }
}
