internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

/// `sessionctl erase`: removes what sessions held, for good.
struct EraseCommand: ControlCommand {
  static let name = "erase"
  static let summary = "removes what a session, or a customer, ever held, with the daemon stopped"
  static let help = """
    sessionctl erase: removes what a session, or a customer's sessions, ever held, with the daemon stopped

    usage: sessionctl [--data-dir DIR] erase TENANT (--session SESSION | --customer ID) [--json]

      --session SESSION   all lives of this session
      --customer ID       all lives of every session that carries or ever carried this customer's id
      --json              print the receipt as POST /erasures answers it

    Does what POST /erasures does while the daemon runs: the payloads of the sessions' events are removed for good, headers
    and digests stay, so that the chain still holds; for each session one event records it; all in one commit. It can't be
    undone. Older backups, archives, and copies that consumers of the feed made keep what they have.

    examples:
      sessionctl --data-dir /var/lib/sessiond erase acme --session 6f1c2d
      sessionctl --data-dir /var/lib/sessiond erase acme --customer 8871 --json

    exit status: 1 when there is no such tenant or session

    """

  let tenant: TenantID
  let subject: ErasureSubject
  let isJSON: Bool

  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    isJSON = arguments.takeFlag("--json")
    guard let name = arguments.takeWord() else { throw Arguments.Problem(text: "the tenant is missing") }
    tenant = try Arguments.tenant(name)
    switch (arguments.take("--session"), arguments.take("--customer")) {
    case (let session?, nil): subject = .session(try Arguments.session(session))
    case (nil, let customer?): subject = .customer(customer)
    default: throw Arguments.Problem(text: "name what to erase: --session SESSION or --customer ID")
    }
  }

  func run(in directory: DataDirectory) throws -> ExitStatus {
    var erasure = try OfflineErasure(directory, notice: complain)
    guard let receipt = try erasure.erase(subject, of: tenant, origin: Origin(actor: "sessionctl erase")) else {
      throw CommandFailure.finding("there is no such tenant or session")
    }
    try printAll { output in
      output += isJSON ? receipt.json + [UInt8(ascii: "\n")] : Array(Self.text(receipt).utf8)
    }
    return .fine
  }

  private static func text(_ receipt: ErasureReceipt) -> String {
    var text = ""
    if receipt.sessions.isEmpty {
      text = "nothing was left to erase\n"
    } else {
      var table = TextTable([("SESSION", .left), ("EVENTS", .right), ("RECORDED AT POSITION", .right)])
      for session in receipt.sessions {
        table.add([printable(session.id.description), "\(session.erasedPositions.count)", "\(session.position)"])
      }
      text = table.text
    }
    return text + "the log ends with position \(receipt.position), chain \(receipt.chainHead.hexadecimal)\n"
  }
}
