internal import Platform
internal import SessionModel
internal import SessionStore

/// `sessionctl tail`: prints events as they come.
struct TailCommand: ControlCommand {
  static let name = "tail"
  static let summary = "prints events as they come"
  static let help = """
    sessionctl tail: prints events as they come, and goes on until it is interrupted

    usage: sessionctl [--data-dir DIR] tail [OPTION…] [--format table|ndjson|csv] [--json]

    \(EventSelection.help)
      --from N              from this position of each tenant's log on
      --since TIME          from this time on
      --format FORMAT       as for replay
      --json                the same as --format ndjson

    Begins with the next event unless --from or --since ask for earlier ones. Sees each event as soon as it is on disk.

    examples:
      sessionctl tail
      sessionctl tail --tenant acme --type ended --json
      sessionctl tail --tenant acme --from 1

    exit status: 0 when it is interrupted, or nobody reads its pipe any more; 1 when records were damaged;
    3 when the store was removed or replaced

    """

  private static let pollMilliseconds = 100

  let selection: EventSelection
  let format: EventFormat
  let startsAtEnd: Bool

  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    startsAtEnd = !arguments.has("--from") && !arguments.has("--since")
    selection = try EventSelection(&arguments)
    format = try EventFormat(&arguments)
    guard selection.positions.upperBound == .max, selection.until == nil else {
      throw Arguments.Problem(text: "tail has no end, so no --to and --until; replay has")
    }
  }

  func run(in directory: DataDirectory) throws -> ExitStatus {
    let interruption = Monitor(false)
    Process.holdSignals()
    // It ends with the process; a second signal ends that at once, should the output be stuck.
    _ = Thread(name: "signals") {
      _ = Process.waitForSignal()
      interruption.signal { $0 = true }
      _ = Process.waitForSignal()
      Process.exit(ExitStatus.fine.rawValue)
    }
    let reader = try StoreReader(directory: directory)
    var walk = try EventWalk(reader, selection, fromEnd: startsAtEnd)
    var printer = EventPrinter(format)
    var seen: UInt64?
    repeat {
      // Asked for before the walk, so that a commit meanwhile makes another round.
      let commit = reader.lastCommit
      if commit != seen {
        seen = commit
        try walk.run { (tenant, item) throws(SystemError) in try printer.take(item, of: tenant) }
        try printer.output.flush()
      }
      guard printer.output.hasReader else { break }
      guard !reader.isLost else {
        throw CommandFailure.failed("the store was removed or replaced; begin again")
      }
    } while interruption.wait(milliseconds: Self.pollMilliseconds, { $0 ? true : nil }) == nil
    return printer.hasDamage ? .finding : .fine
  }
}
