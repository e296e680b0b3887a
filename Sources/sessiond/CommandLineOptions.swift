/// What the command line says, or the variables that stand in for it.
struct CommandLineOptions: Equatable {
  var configurationFile: String?
  var listen: [String] = []
  var adminListen: [String] = []
  var dataDirectory: String?
  var authentication: String?

  /// What to do besides serving.
  enum Mode: Equatable {
    case serve
    case checkConfiguration
    case version
    case help
  }
  var mode = Mode.serve

  init() {}

  /// Takes arguments apart, the program's name left out. Throws what is wrong with one.
  init(arguments: [String]) throws(SettingsError) {
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(parts[0])
      func value() throws(SettingsError) -> String {
        if parts.count == 2, !parts[1].isEmpty { return String(parts[1]) }
        guard parts.count == 1, let next = rest.popFirst(), !next.isEmpty else {
          throw SettingsError("\(name) needs a value; see sessiond --help")
        }
        return next
      }
      switch name {
      case "--config": configurationFile = try value()
      case "--listen": listen.append(try value())
      case "--admin-listen": adminListen.append(try value())
      case "--data-dir": dataDirectory = try value()
      case "--auth": authentication = try value()
      case "--check-config" where parts.count == 1: mode = .checkConfiguration
      case "--version" where parts.count == 1: mode = .version
      case "--help" where parts.count == 1, "-h" where parts.count == 1: mode = .help
      default: throw SettingsError("\(argument): there is no such option; see sessiond --help")
      }
    }
  }

  /// Fills in from `other` what isn't said here.
  func completed(by other: CommandLineOptions) -> CommandLineOptions {
    var options = self
    options.configurationFile = configurationFile ?? other.configurationFile
    if listen.isEmpty { options.listen = other.listen }
    if adminListen.isEmpty { options.adminListen = other.adminListen }
    options.dataDirectory = dataDirectory ?? other.dataDirectory
    options.authentication = authentication ?? other.authentication
    return options
  }

  /// The settings: the defaults, the file over them, and these options over the file.
  ///
  /// - Parameter isForCheck: whether they are only looked at, by a process that systemd has passed no credentials to.
  func settings(isForCheck: Bool = false) throws(SettingsError) -> Settings {
    var settings = Settings()
    settings.needsCredentials = !isForCheck
    if let configurationFile { try settings.read(file: configurationFile) }
    if !listen.isEmpty { settings.listen = listen }
    if !adminListen.isEmpty { settings.adminListen = adminListen }
    if let dataDirectory { settings.dataDirectory = dataDirectory }
    if let authentication {
      guard let value = Settings.Authentication(rawValue: authentication) else {
        throw SettingsError("auth: must be none or tokens, not \(authentication)")
      }
      settings.authentication = value
    }
    try settings.check()
    return settings
  }

  static let help = """
    sessiond: an event-sourced session context store

    usage: sessiond [--config FILE] [--listen ADDR]… [--admin-listen ADDR]… [--data-dir DIR] [--auth none|tokens]
           sessiond --check-config [the same]
           sessiond --version | --help

      --config FILE         settings in JSON5; without one the defaults count
      --listen ADDR         where to serve the API; may be repeated; default the sockets that systemd passes, or
                            127.0.0.1:8080
      --admin-listen ADDR   where to serve /livez, /readyz and /metrics; default: nowhere
      --data-dir DIR        where the data is kept; default the state directory of the service, or ./sessiond-data
      --auth none|tokens    who is let in; none works on loopback and UNIX sockets alone
      --check-config        read and check the settings, then stop
      --version             print the version
      --help                print this

    ADDR is 127.0.0.1:8080, [::1]:8080 or unix:/run/sessiond/sessiond.sock; port 0 picks a free one.
    Options override the variables SESSIOND_CONFIG, SESSIOND_LISTEN, SESSIOND_ADMIN_LISTEN (lists with commas),
    SESSIOND_DATA_DIR and SESSIOND_AUTH, which override the file.

    SIGTERM and SIGINT stop it after the requests under way are answered; SIGHUP reads the token keys again, and
    those settings that can change while it runs.

    exit status: 0  stopped as asked to
                 1  failed while running; the next start recovers what was acknowledged
                 2  wrong use: an option or a setting can't be meant
                 3  could not start: the data directory or a listener can't be used

    """
}
