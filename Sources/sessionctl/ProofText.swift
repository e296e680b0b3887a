internal import EventLog
internal import Platform
internal import SessionCodec
internal import SessionModel

// What is printed of a proof, be it of a store or of an archive.

/// The findings, a line each.
func proofHead(_ findings: [some CustomStringConvertible]) -> String {
  findings.map { printable($0.description) + "\n" }.joined()
}

/// How fast it went and what it came to, without the line's end.
func proofEnd(_ findings: [some CustomStringConvertible], events: UInt64, seconds: Double) -> String {
  let rate = seconds > 0 ? Int(Double(events) / seconds) : 0
  return "\(rate) events/s: "
    + (findings.isEmpty ? "all is as it was written" : counted(findings.count, "finding"))
}

extension [UInt8] {
  /// Appends a member with the end of each tenant's chain.
  mutating func appendChains(_ tails: [TenantID: LogTail]) {
    appendObject("chains") { json in
      for (tenant, tail) in tails.sorted(by: { $0.key < $1.key }) {
        json.appendObject(tenant.description) { json in
          json.appendMember("position", tail.position)
          json.appendMember("chain", tail.chain.hexadecimal)
        }
      }
    }
  }
}
