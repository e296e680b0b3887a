internal import Archive
internal import EventLog
internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

/// `sessionctl verify --archive`: proves an archive, by itself or against the log.
struct ArchiveProof {
  let path: String
  let tenant: TenantID?

  /// Proves the archive, showing progress on a terminal; with `directory`, that it is of the log there, too.
  func run(comparing directory: DataDirectory?, isJSON: Bool) throws -> ExitStatus {
    let started = monotonicNanoseconds()
    let verification = try ArchiveVerification(path, tenant: tenant)
    let log = try directory.map { try StoreReader(directory: $0).log }
    let report = try Self.report(verification, comparing: log)
    let seconds = Double(monotonicNanoseconds() - started) / 1e9
    try printAll { output in
      if isJSON {
        Self.appendJSON(report, path, isCompared: log != nil, to: &output)
      } else {
        output.append(contentsOf: Self.text(report, seconds: seconds, isCompared: log != nil).utf8)
      }
    }
    return report.findings.isEmpty ? .fine : .finding
  }

  static func report(
    _ verification: ArchiveVerification, comparing log: EventLog?
  ) throws(ArchiveError) -> ArchiveVerification.Report {
    var bar = ProgressBar("verify", total: verification.byteCount, unit: .bytes)
    defer { bar.finish() }
    return try verification.run(comparing: log) { bar.advance($0) }
  }

  static func text(_ report: ArchiveVerification.Report, seconds: Double, isCompared: Bool) -> String {
    var text = proofHead(report.findings)
    text += "\(counted(report.tails.count, "tenant")), \(counted(report.segments, "segment")), "
    text += counted(report.events, "event")
    if report.erasedEvents > 0 { text += " (\(report.erasedEvents) erased)" }
    text += ", "
    text += proofEnd(report.findings, events: report.events, seconds: seconds)
    return text + (isCompared ? "\n" : "; not compared with a log\n")
  }

  private static func appendJSON(
    _ report: ArchiveVerification.Report, _ path: String, isCompared: Bool, to json: inout [UInt8]
  ) {
    json.appendObject { json in
      json.appendMember("archive", path)
      json.appendMember("segments", report.segments)
      json.appendMember("events", report.events)
      json.appendMember("erasedEvents", report.erasedEvents)
      json.appendMember("logCompared", isCompared)
      json.appendChains(report.tails)
      json.appendList("findings") { json in
        for finding in report.findings {
          json.appendObject { json in
            json.appendMember("tenant", finding.tenant.description)
            json.appendMember("segment", finding.segment)
            json.appendMember("position", finding.position)
            json.appendMember("problem", finding.problem)
          }
        }
      }
    }
    json.append(UInt8(ascii: "\n"))
  }
}
