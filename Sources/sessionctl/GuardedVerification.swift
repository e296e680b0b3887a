internal import Platform
internal import SessionModel
internal import SessionStore

/// A verification in another process, which may crash on damaged pages: then that is a finding, and another process goes
/// on with the next tenant.
struct GuardedVerification {
  let directory: DataDirectory
  var tenant: TenantID?
  /// The file with the marks to go on from.
  var marks: String?
  /// A chain that the tenant must have come to.
  var head: ChainHead?

  /// Verifies, showing progress on a terminal.
  func run() throws -> Verification.Report {
    var state = State()
    while true {
      let ending = try ChildProcess.run(arguments(state)) { line in
        if let step = Verification.Step(line: line) { state.take(step) }
      }
      state.bar?.finish()
      switch ending {
      case .exited(0):
        return state.report
      case .exited(let status):
        // It has said why.
        throw CommandFailure(text: "", status: ExitStatus(rawValue: status) ?? .failed)
      case .signalled(let signal):
        guard ending.isMemoryFault else {
          throw CommandFailure.failed("the process that verifies was ended by signal \(signal)")
        }
        guard state.recover(signal) else { return state.report }
      }
    }
  }

  private func arguments(_ state: State) -> [String] {
    var arguments = ["--data-dir=" + directory.path, ChildWork.verify.rawValue]
    if let tenant { arguments += ["--tenant", tenant.description] }
    if let after = state.after { arguments += ["--after", after.description] }
    if let marks { arguments += ["--marks=" + marks] }
    if let head { arguments += ["--head", head.description] }
    if !state.withProjections { arguments += ["--projections", "no"] }
    return arguments
  }

  /// What has been told so far, and how to go on after a crash.
  struct State {
    var report = Verification.Report()
    var bar: ProgressBar?
    /// Go on after this tenant.
    private(set) var after: TenantID?
    private(set) var withProjections = true
    private var reading: (file: Verification.File, tenant: TenantID)?
    private var position: UInt64 = 0

    mutating func take(_ step: Verification.Step) {
      report.take(step)
      switch step {
      case .began(_, let events):
        if bar == nil { bar = ProgressBar("verify", total: events, unit: .events) }
      case .reading(let file, let tenant):
        reading = (file, tenant)
        position = 0
      case .reached(_, let position, let events):
        self.position = position
        bar?.advance(events)
      case .found:
        break
      case .proved(let tenant, _, _, _):
        after = tenant
        reading = nil
      }
    }

    /// Makes a crash a finding; returns whether there is something left to verify.
    mutating func recover(_ signal: Int32) -> Bool {
      defer { reading = nil }
      switch reading {
      case (.log, let tenant)?:
        add(
          tenant, position + 1, "log", signal,
          "neither this record nor those behind it could be proved; restore a backup")
        after = tenant
        return true
      case (.projections, _)?, nil:
        // Without a word it fell over a file's first pages; the projections are the ones that can be left out.
        guard withProjections else {
          add(nil, nil, "log", signal, "nothing could be proved; restore a backup")
          return false
        }
        add(reading?.tenant, nil, "projections", signal, "they were not compared; stop the daemon and rebuild them")
        withProjections = false
        return true
      }
    }

    private mutating func add(
      _ tenant: TenantID?, _ position: UInt64?, _ file: String, _ signal: Int32, _ advice: String
    ) {
      let problem = "a page of \(file)/data.mdb is damaged: reading it ended with signal \(signal); \(advice)"
      report.take(.found(Verification.Finding(tenant: tenant, position: position, problem: problem)))
    }
  }
}
