internal import EventLog
internal import Platform
internal import SessionModel
internal import SessionStore

/// `sessionctl replay`: prints events in order.
struct ReplayCommand: ControlCommand {
  static let name = "replay"
  static let summary = "prints events in order, all or selected ones, to a pipe or file"
  static let help = """
    sessionctl replay: prints events in order: tenant by tenant, each tenant's by position

    usage: sessionctl [--data-dir DIR] replay [OPTION…] [--format table|ndjson|csv] [--json]

    \(EventSelection.help)
      --from N, --to N      at these positions of a tenant's log, both included
      --since TIME          recorded then or later
      --until TIME          recorded then or earlier
      --format FORMAT       table: columns for people (default); ndjson: CloudEvents, as the API has them; csv: with a
                            header, by RFC 4180
      --json                the same as --format ndjson

    Ends quietly when nobody reads its pipe any more. Damaged records are named on standard error and left out.

    examples:
      sessionctl replay --tenant acme --session 6f1c2d
      sessionctl replay --tenant acme --since 2026-03-01T00:00:00Z --type ended --json | jq .subject
      sessionctl replay --format csv > events.csv

    exit status: 1 when records are damaged, or there is no such tenant

    """

  let selection: EventSelection
  let format: EventFormat

  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    selection = try EventSelection(&arguments)
    format = try EventFormat(&arguments)
  }

  func run(in directory: DataDirectory) throws -> ExitStatus {
    let reader = try StoreReader(directory: directory)
    // A log whose end can't be read is there all the same, and the walk tells what is wrong with it.
    if let tenant = selection.tenant, (try? reader.log.lastPosition(of: tenant)) == 0 {
      throw CommandFailure.finding("there is no tenant \(tenant)")
    }
    var walk = try EventWalk(reader, selection)
    let showsProgress = Process.isErrorTerminal && Process.isOutputFile
    var bar = ProgressBar(
      "replay", total: showsProgress ? try walk.count() : 0, unit: .events, isShown: showsProgress)
    var printer = EventPrinter(format)
    try walk.run(
      progress: { bar.advance($0) }, { (tenant, item) throws(SystemError) in try printer.take(item, of: tenant) })
    bar.finish()
    try printer.output.flush()
    return printer.hasDamage ? .finding : .fine
  }
}

/// Prints the items of a walk: events to standard output, damage to standard error.
struct EventPrinter: ~Copyable {
  var output = Output.standard()
  private(set) var hasDamage = false
  private let format: EventFormat

  init(_ format: EventFormat) {
    self.format = format
    format.appendHead(to: &output.bytes)
  }

  mutating func take(_ item: EventWalk.Item, of tenant: TenantID) throws(SystemError) {
    switch item {
    case .event(let event):
      format.append(event, of: tenant, to: &output.bytes)
      try output.flushWhenLarge()
    case .damage(let positions, let reason):
      hasDamage = true
      complain("tenant \(tenant), \(text(positions)): \(reason)")
    }
  }
}

/// Says that records can't be read which may be newer events of the session that is shown.
func complainOfUnread(_ positions: ClosedRange<UInt64>, of tenant: TenantID) {
  complain("tenant \(tenant), \(text(positions)): can't be read; what is shown may lack it")
}

private func text(_ positions: ClosedRange<UInt64>) -> String {
  positions.count == 1
    ? "position \(positions.lowerBound)" : "positions \(positions.lowerBound) to \(positions.upperBound)"
}
