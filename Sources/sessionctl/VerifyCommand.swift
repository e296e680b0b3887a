internal import EventLog
internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

/// `sessionctl verify`: proves that log, chain and projections agree.
struct VerifyCommand: ControlCommand {
  static let name = "verify"
  static let summary = "proves that log, chain and projections agree"
  static let help = """
    sessionctl verify: proves that log, chain and projections agree

    usage: sessionctl [--data-dir DIR] verify [--tenant TENANT [--head HEAD]] [--resume FILE] [--json]
           sessionctl [--data-dir DIR] verify --archive FOLDER [--tenant TENANT] [--json]

    Each payload is proved by its digest, each record by the chain, each snapshot by folding its session's events. Each
    damaged position is named. Takes about a kilobyte of memory for each session of the largest tenant.

      --tenant TENANT   this tenant alone
      --head HEAD       prove that the tenant's log came to this chain, POSITION:CHAIN: a receipt of an erasure names
                        one, as position and chainHead, and verify --json the last one of each tenant
      --resume FILE     keep in FILE how far each log has been proved, and go on from there the next time
      --archive FOLDER  prove the archive in FOLDER instead, by its files alone: that each is whole, each record behind
                        the one before, and each readable event what the record says; with --data-dir given, that the
                        log has the same chain at the end of each segment, too
      --json            print JSON instead of text

    What a run that goes on from FILE proves: the record at each mark is still the one that was there when the mark was
    made, so that nobody has rewritten the log or cut it off before it; and all records behind the mark are whole and
    follow from it. What it doesn't: that records before the mark are still whole on disk, and that the projections agree.
    For that verify without --resume from time to time. FILE is only moved on by a run without findings. Kept on another
    machine, it is evidence against whoever rewrites the log with all its chain.

    examples:
      sessionctl --data-dir /var/lib/sessiond verify
      sessionctl --data-dir /var/lib/sessiond verify --tenant acme --json
      sessionctl --data-dir /var/lib/sessiond verify --tenant acme --head 17:$(jq -r .chainHead receipt.json)
      sessionctl --data-dir /var/lib/sessiond verify --resume /var/lib/sessiond-audit/marks
      sessionctl verify --archive /archive/sessiond

    exit status: 1 when something isn't as it was written

    """

  let tenant: TenantID?
  let head: ChainHead?
  let resume: String?
  let archive: String?
  /// Whether the data directory was named, so that an archive is compared with it.
  let isDirectoryNamed: Bool
  let isJSON: Bool

  init(_ arguments: inout Arguments) throws(Arguments.Problem) {
    isJSON = arguments.takeFlag("--json")
    tenant = try arguments.takeTenant()
    head = try arguments.takeHead()
    resume = arguments.take("--resume")
    archive = arguments.take("--archive")
    isDirectoryNamed = arguments.has("--data-dir")
    guard archive == nil || resume == nil else {
      throw Arguments.Problem(text: "--archive and --resume can't both be meant")
    }
    guard head == nil || archive == nil && resume == nil else {
      throw Arguments.Problem(text: "--head can't be meant with --archive or --resume")
    }
    guard head == nil || tenant != nil else {
      throw Arguments.Problem(text: "--head is of one tenant's log: name it with --tenant")
    }
  }

  func run(in directory: DataDirectory) throws -> ExitStatus {
    if let archive {
      let proof = ArchiveProof(path: archive, tenant: tenant)
      return try proof.run(comparing: isDirectoryNamed ? directory : nil, isJSON: isJSON)
    }
    let started = monotonicNanoseconds()
    let old = try resume.flatMap { try MarksFile($0).read() }
    let report = try GuardedVerification(
      directory: directory, tenant: tenant, marks: old == nil ? nil : resume, head: head
    ).run()
    let seconds = Double(monotonicNanoseconds() - started) / 1e9
    if let resume, report.findings.isEmpty {
      var marks = old ?? report.marks
      marks.tails.merge(report.tails) { _, new in new }
      try MarksFile(resume).write(marks)
    }
    try printAll { output in
      if isJSON {
        Self.appendJSON(report, to: &output)
      } else {
        output.append(contentsOf: Self.text(report, seconds: seconds, isResumed: old != nil, head: head).utf8)
      }
    }
    return report.findings.isEmpty ? .fine : .finding
  }

  static func text(_ report: Verification.Report, seconds: Double, isResumed: Bool, head: ChainHead? = nil) -> String {
    var text = proofHead(report.findings)
    text += "\(counted(report.tenants, "tenant")), \(counted(report.events, "event"))"
    if report.erasedEvents > 0 { text += " (\(report.erasedEvents) erased)" }
    text += ", "
    text += "\(counted(report.snapshots, "snapshot")), "
    text += proofEnd(report.findings, events: report.events, seconds: seconds)
    if isResumed {
      text += "; gone on from the marks, without the projections"
    } else if !report.areProjectionsCompared {
      text += "; the projections were not compared"
    }
    if let head, report.findings.isEmpty {
      text += "; the chain came to the one that was named at position \(head.position)"
    }
    return text + "\n"
  }

  static func appendJSON(_ report: Verification.Report, to json: inout [UInt8]) {
    json.appendObject { json in
      json.appendMember("store", report.storeID)
      json.appendMember("tenants", report.tenants)
      json.appendMember("events", report.events)
      json.appendMember("erasedEvents", report.erasedEvents)
      json.appendMember("snapshots", report.snapshots)
      json.appendMember("projectionsCompared", report.areProjectionsCompared)
      json.appendChains(report.tails)
      json.appendList("findings") { json in
        for finding in report.findings {
          json.appendObject { json in
            json.appendMember("tenant", finding.tenant?.description)
            json.appendMember("position", finding.position)
            json.appendMember("problem", finding.problem)
          }
        }
      }
    }
    json.append(UInt8(ascii: "\n"))
  }
}
