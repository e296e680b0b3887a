/// All commands, and the help about them.
enum Catalog {
  static var commands: [any ControlCommand.Type] {
    [
      StatusCommand.self, ShowCommand.self, HistoryCommand.self, DiffCommand.self, ReplayCommand.self, TailCommand.self,
      VerifyCommand.self, RebuildCommand.self, BackupCommand.self, RestoreCommand.self,
      ArchiveCommand.self, TenantCommand.self, EraseCommand.self,
    ]
  }

  /// The command of that name.
  static func command(_ name: String) -> (any ControlCommand.Type)? {
    commands.first { $0.name == name }
  }

  static var help: String {
    var table = TextTable([("", .left), ("", .left)])
    for command in commands { table.add(["  " + command.name, command.summary]) }
    return """
      sessionctl: looks into and takes care of a sessiond data directory

      usage: sessionctl [--data-dir DIR] COMMAND [ARGUMENT…] [--json]
             sessionctl COMMAND --help
             sessionctl --version

      \(table.text)
      All but rebuild, restore, tenant remove and erase work beside a running daemon, and without one.

        --data-dir DIR   the daemon's data directory; default the variable SESSIOND_DATA_DIR, else ./sessiond-data
        --json           print JSON instead of text
        --help           explain the command, with examples
        --               what follows are words, such as a session id that begins with --

      Times are read and shown by RFC 3339: 2026-03-01T12:00:00Z, 2026-03-01T13:00:00.5+01:00.

      exit status: 0  all is fine
                   1  something was found: damage, a difference, no such session
                   2  wrong use: the command line can't be meant
                   3  it could not be done

      """
  }
}
