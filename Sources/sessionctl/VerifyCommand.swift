internal import EventLog
internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

/// `sessionctl verify`: proves that log, chain and projections agree.
struct VerifyCommand {
  let directory: DataDirectory
  let tenant: TenantID?
  let isJSON: Bool

  /// Prints what was found; 0: all is fine, 1: something isn't.
  func run() throws(StoreError) -> ExitStatus {
    let started = monotonicNanoseconds()
    let report = try Verification(directory: directory).run(tenants: tenant.map { [$0] })
    let seconds = Double(monotonicNanoseconds() - started) / 1e9
    if isJSON { printJSON(report) } else { printText(report, seconds: seconds) }
    return report.findings.isEmpty ? .fine : .finding
  }

  private func printText(_ report: Verification.Report, seconds: Double) {
    var text = ""
    for finding in report.findings { text += "\(finding)\n" }
    let rate = seconds > 0 ? Int(Double(report.events) / seconds) : 0
    text += "\(report.tenants) tenants, \(report.events) events, \(report.snapshots) snapshots, "
    text += "\(rate) events/s: "
    text += report.findings.isEmpty ? "all is as it was written\n" : "\(report.findings.count) findings\n"
    Process.write(text)
  }

  private func printJSON(_ report: Verification.Report) {
    var json: [UInt8] = []
    json.append(contentsOf: #"{"tenants":"#.utf8)
    json.appendDecimal(report.tenants)
    json.append(contentsOf: #","events":"#.utf8)
    json.appendDecimal(report.events)
    json.append(contentsOf: #","snapshots":"#.utf8)
    json.appendDecimal(report.snapshots)
    json.append(contentsOf: #","chains":{"#.utf8)
    for (index, (tenant, tail)) in report.tails.sorted(by: { $0.key < $1.key }).enumerated() {
      if index > 0 { json.append(UInt8(ascii: ",")) }
      json.appendJSONString(tenant.description)
      json.append(contentsOf: #":{"position":"#.utf8)
      json.appendDecimal(tail.position)
      json.append(contentsOf: #","chain":"#.utf8)
      json.appendJSONString(tail.chain.hexadecimal)
      json.append(UInt8(ascii: "}"))
    }
    json.append(contentsOf: #"},"findings":["#.utf8)
    for (index, finding) in report.findings.enumerated() {
      if index > 0 { json.append(UInt8(ascii: ",")) }
      json.append(contentsOf: #"{"tenant":"#.utf8)
      json.appendJSONString(finding.tenant.description)
      if let position = finding.position {
        json.append(contentsOf: #","position":"#.utf8)
        json.appendDecimal(position)
      }
      json.append(contentsOf: #","problem":"#.utf8)
      json.appendJSONString(finding.problem)
      json.append(UInt8(ascii: "}"))
    }
    json.append(contentsOf: "]}\n".utf8)
    Process.write(String(decoding: json, as: UTF8.self))
  }
}
