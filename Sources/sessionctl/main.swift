internal import Platform
internal import SessionModel
internal import SessionStore

let help = """
  sessionctl: looks at a sessiond data directory, beside a running daemon or without one

  usage: sessionctl [--data-dir DIR] verify [--tenant TENANT] [--json]

    verify   proves that log, chain and projections agree: each payload by its digest, each record by the
             chain, each snapshot by folding its events; names each damaged position

    --data-dir DIR   the daemon's data directory; default ./sessiond-data
    --json           print JSON instead of text

  examples:
    sessionctl --data-dir /var/lib/sessiond verify
    sessionctl --data-dir /var/lib/sessiond verify --tenant acme --json

  exit status: 0 all is fine, 1 something was found, 2 wrong use, 3 could not do it

  """

func run() throws -> ExitStatus {
  var arguments = try Arguments(Array(CommandLine.arguments.dropFirst()))
  if arguments.takeFlag("--help") {
    Process.write(help)
    return .fine
  }
  let directory = DataDirectory(arguments.take("--data-dir") ?? "./sessiond-data")
  switch arguments.takeWord() {
  case "verify":
    let name = arguments.take("--tenant")
    let isJSON = arguments.takeFlag("--json")
    try arguments.finish()
    let tenant = name.flatMap { TenantID($0) }
    if let name, tenant == nil { throw Arguments.Problem(text: "\(name) is no tenant's name") }
    return try VerifyCommand(directory: directory, tenant: tenant, isJSON: isJSON).run()
  case let command?:
    throw Arguments.Problem(text: "there is no command \(command)")
  case nil:
    throw Arguments.Problem(text: "a command is missing")
  }
}

do {
  Process.exit(try run().rawValue)
} catch let problem as Arguments.Problem {
  Process.write("sessionctl: \(problem.text); see sessionctl --help\n", toStandardError: true)
  Process.exit(ExitStatus.wrongUse.rawValue)
} catch {
  Process.write("sessionctl: \(error)\n", toStandardError: true)
  Process.exit(ExitStatus.failed.rawValue)
}
