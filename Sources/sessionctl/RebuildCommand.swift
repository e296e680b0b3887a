internal import Platform
internal import SessionCodec
internal import SessionStore

/// `sessionctl rebuild`: builds the projections anew from the log.
struct RebuildCommand: ControlCommand {
  static let name = "rebuild"
  static let summary = "builds the projections anew from the log, with the daemon stopped"
  static let help = """
    sessionctl rebuild: builds the projections anew from the log, with the daemon stopped

    usage: sessionctl [--data-dir DIR] rebuild [--json]

    The new projections are built in projections.new/ and then put in the place of the old ones with one rename, so that
    whenever it is stopped the old ones or the new ones are there. Then the old ones, with the events that they lack
    folded over them, are compared with the new ones, and removed.

    examples:
      systemctl stop sessiond.socket sessiond-admin.socket sessiond
      sessionctl --data-dir /var/lib/sessiond rebuild; systemctl start sessiond

    exit status: 1 when the log is damaged, and nothing was changed; or the old projections differed or could not be
                 read, and new ones stand in their place

    """

  let isJSON: Bool

  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    isJSON = arguments.takeFlag("--json")
  }

  /// How the old projections compared with the new ones.
  struct Comparison {
    var differences: [String] = []
    /// Why they could not be compared.
    var problem: String?
    /// Whether that says nothing of them.
    var isInterrupted = false
  }

  func run(in directory: DataDirectory) throws -> ExitStatus {
    let started = monotonicNanoseconds()
    let rebuild = try Rebuild(directory)
    var bar = ProgressBar("rebuild", total: try rebuild.eventCount(), unit: .events)
    let outcome: Rebuild.Outcome
    do {
      outcome = try rebuild.build { bar.advance($0) }
    } catch {
      bar.finish()
      try rebuild.remove()
      throw error
    }
    bar.finish()
    let seconds = Double(monotonicNanoseconds() - started) / 1e9
    let hadOld = try rebuild.replace()
    let comparison = hadOld ? try Self.compare(directory, old: rebuild.besides) : Comparison()
    try rebuild.remove()
    try printAll { output in
      if isJSON {
        Self.appendJSON(outcome, hadOld ? comparison : nil, seconds: seconds, to: &output)
      } else {
        output.append(contentsOf: Self.text(outcome, hadOld ? comparison : nil, seconds: seconds).utf8)
      }
    }
    if comparison.isInterrupted { return .failed }
    return comparison.differences.isEmpty && comparison.problem == nil ? .fine : .finding
  }

  /// In another process, since damaged old projections, which may be what the rebuild is for, can end it.
  private static func compare(_ directory: DataDirectory, old: String) throws -> Comparison {
    var comparison = Comparison()
    let arguments = ["--data-dir=" + directory.path, ChildWork.compare.rawValue, "--", old, directory.projections]
    let ending = try ChildProcess.run(arguments) { line in
      let parts = line.split(separator: " ", maxSplits: 1)
      guard parts.count == 2 else { return }
      if parts[0] == "differs" {
        comparison.differences.append(String(parts[1]))
      } else {
        comparison.problem = String(parts[1])
      }
    }
    switch ending {
    case .exited(0): break
    case .exited(let status): comparison.problem = "the comparison ended with status \(status)"
    case .signalled(let signal) where ending.isMemoryFault:
      comparison.problem = "a page of them is damaged: reading it ended with signal \(signal)"
    case .signalled(let signal):
      comparison.problem = "the comparison was ended by signal \(signal)"
      comparison.isInterrupted = true
    }
    return comparison
  }

  private static func text(_ outcome: Rebuild.Outcome, _ comparison: Comparison?, seconds: Double) -> String {
    var text = ""
    for difference in comparison?.differences ?? [] { text += printable(difference) + "\n" }
    if let problem = comparison?.problem {
      text += "the old projections could not be compared: \(printable(problem))\n"
    }
    let rate = seconds > 0 ? Int(Double(outcome.events) / seconds) : 0
    text += "\(counted(outcome.tenants, "tenant")), \(counted(outcome.events, "event")), \(rate) events/s: "
    text += "the projections are built anew"
    guard let comparison else { return text + "; there were none\n" }
    if comparison.problem != nil { return text + "\n" }
    return text
      + (comparison.differences.isEmpty
        ? ", and equal to the old ones\n"
        : "; the old ones differed in \(counted(comparison.differences.count, "place"))\n")
  }

  private static func appendJSON(
    _ outcome: Rebuild.Outcome, _ comparison: Comparison?, seconds: Double, to json: inout [UInt8]
  ) {
    json.appendObject { json in
      json.appendMember("tenants", outcome.tenants)
      json.appendMember("events", outcome.events)
      json.appendMember("milliseconds", UInt64(seconds * 1000))
      json.appendMember("compared", comparison.map { $0.problem == nil } ?? false)
      json.appendMember("problem", comparison?.problem)
      json.appendList("differences") { json in
        for difference in comparison?.differences ?? [] {
          json.beginItem()
          json.appendJSONString(difference)
        }
      }
    }
    json.append(UInt8(ascii: "\n"))
  }
}
