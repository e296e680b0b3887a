internal import Platform
internal import SessionModel
internal import SessionStore

/// `sessionctl tenant`: lists tenants, exports one, removes one.
struct TenantCommand: ControlCommand {
  static let name = "tenant"
  static let summary = "lists tenants, exports one's log, removes one with the daemon stopped"
  static let help = """
    sessionctl tenant: lists tenants, exports one, removes one

    usage: sessionctl [--data-dir DIR] tenant list [--json]
           sessionctl [--data-dir DIR] tenant export TENANT FOLDER [--json]
           sessionctl [--data-dir DIR] tenant remove TENANT --confirm TENANT [--json]

    list shows each tenant's events, the sessions that have a snapshot, ended and expired ones too, and the bytes of its
    records. Looks at each key of the log.

    export writes the tenant's whole log to FOLDER as an archive (see archive --help), and proves it. Run again
    with the same FOLDER, it adds what is new. list and export work beside a running daemon.

    remove removes the tenant with all its data, with the daemon stopped: log, snapshots, indexes. It can't be undone. When
    it is stopped in between, the next start of the daemon completes it, and so does running it again. Afterwards the name
    can be used anew, with a log that begins with position 1.

      --confirm TENANT   the name once more

    The pages that are freed keep the old bytes until they are used again. To be rid of those, too, copy the log compactly:
    backup, then restore into a new directory. Backups and archives made before keep the tenant's data.

    examples:
      sessionctl --data-dir /var/lib/sessiond tenant list
      sessionctl --data-dir /var/lib/sessiond tenant export acme /export/acme
      sessionctl --data-dir /var/lib/sessiond tenant remove acme --confirm acme

    exit status: 1 when there is no such tenant, or its log is damaged and could not be exported

    """

  /// What is to be done.
  private enum Action {
    case list
    case export(TenantID, folder: String)
    case remove(TenantID)
  }

  private let action: Action
  private let isJSON: Bool

  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    isJSON = arguments.takeFlag("--json")
    switch arguments.takeWord() {
    case "list":
      action = .list
    case "export":
      let tenant = try Self.tenant(&arguments)
      guard let folder = arguments.takeWord() else {
        throw Arguments.Problem(text: "the folder for the export is missing")
      }
      action = .export(tenant, folder: folder)
    case "remove":
      let tenant = try Self.tenant(&arguments)
      guard arguments.take("--confirm") == tenant.description else {
        throw Arguments.Problem(
          text: "tenant \(tenant) would be removed with all its data; to do so, say --confirm \(tenant)")
      }
      action = .remove(tenant)
    case let word?:
      throw Arguments.Problem(text: "\(printable(word)) is nothing to do with a tenant; list, export and remove are")
    case nil:
      throw Arguments.Problem(text: "what to do is missing: list, export or remove")
    }
  }

  private static func tenant(_ arguments: inout Arguments) throws(Arguments.Problem) -> TenantID {
    guard let name = arguments.takeWord() else { throw Arguments.Problem(text: "the tenant is missing") }
    return try Arguments.tenant(name)
  }

  func run(in directory: DataDirectory) throws -> ExitStatus {
    switch action {
    case .list: try Self.list(directory, isJSON: isJSON)
    case .export(let tenant, let folder): try Self.export(tenant, to: folder, directory, isJSON: isJSON)
    case .remove(let tenant): try Self.remove(tenant, directory, isJSON: isJSON)
    }
  }
}
