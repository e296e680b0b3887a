import EventLog
import Platform
import SessionModel
import SessionStore
import TestSupport
import Testing

@testable import sessionctl

@Suite("verification in another process") struct GuardedVerificationTests {
  private let acme = TenantID(valid: "acme")
  private let beta = TenantID(valid: "beta")

  private func tail(_ position: UInt64) -> LogTail {
    LogTail(position: position, chain: sha256([1, 2, 3].span), recordedAt: Instant(microseconds: -7))
  }

  @Test("each step comes out of its line as it went in")
  func lines() {
    let steps: [Verification.Step] = [
      .began(storeID: "00ff", events: 12),
      .reading(.log, of: acme), .reading(.projections, of: beta),
      .reached(acme, position: .max, events: 3),
      .found(Verification.Finding(tenant: acme, position: 4, problem: "two  blanks - and more ")),
      .found(Verification.Finding(tenant: acme, position: nil, problem: "x")),
      .found(Verification.Finding(tenant: nil, position: nil, problem: "x y")),
      .proved(acme, tail(9), snapshots: 2, erasedEvents: 0), .proved(beta, .empty, snapshots: nil, erasedEvents: 0),
    ]
    for step in steps { #expect(Verification.Step(line: step.line) == step, "\(step.line)") }
    for line in ["", "began", "reached acme 1", "found x", "proved acme 1 00 2 3", "other acme 1 2"] {
      #expect(Verification.Step(line: line) == nil, "\(line)")
    }
  }

  @Test("marks come out of their text as they went in, and no changed text is taken for marks")
  func marks() throws {
    let marks = ChainMarks(storeID: "c0ffee", tails: [acme: tail(17), beta: tail(1)])
    #expect(ChainMarks(marks.text) == marks)
    #expect(ChainMarks(ChainMarks(storeID: "x", tails: [:]).text)?.tails == [:])
    let bytes = Array(marks.text.utf8)
    for bit in 0..<(bytes.count * 8) {
      guard let text = String(validating: bytes.flipping(bit: bit), as: Unicode.UTF8.self) else { continue }
      #expect(ChainMarks(text) == nil, "bit \(bit)")
    }
    for count in 0..<bytes.count { #expect(ChainMarks(String(decoding: bytes[..<count], as: UTF8.self)) == nil) }
  }

  @Test("a crash in a log is a finding behind the last position, and the next tenant is verified")
  func crashInLog() {
    var state = GuardedVerification.State()
    for step: Verification.Step in [
      .began(storeID: "s", events: 9), .reading(.log, of: acme), .reached(acme, position: 8192, events: 8192),
    ] { state.take(step) }
    let goesOn = state.recover(11)
    #expect(goesOn)
    #expect(state.after == acme)
    #expect(state.withProjections)
    #expect(state.report.findings.map(\.tenant) == [acme])
    #expect(state.report.findings.map(\.position) == [8193])
    #expect(
      state.report.findings[0].problem.hasPrefix("a page of log/data.mdb is damaged: reading it ended with signal 11"))
  }

  @Test("a crash in the projections is a finding, and the log is verified without them")
  func crashInProjections() {
    var state = GuardedVerification.State()
    state.take(.reading(.projections, of: acme))
    let goesOn = state.recover(7)
    #expect(goesOn)
    #expect(state.after == nil)
    #expect(!state.withProjections)
    #expect(state.report.findings[0].problem.hasPrefix("a page of projections/data.mdb is damaged"))
  }

  @Test("crashes before anything is told end: first the projections are left out, then nothing can be proved")
  func crashAtOnce() {
    var state = GuardedVerification.State()
    let goesOn = (state.recover(6), state.recover(6))
    #expect(goesOn == (true, false))
    #expect(state.report.findings.count == 2)
  }

  @Test("a report says what was proved, what was found and what wasn't compared")
  func text() {
    var report = Verification.Report()
    for step: Verification.Step in [
      .began(storeID: "s", events: 3), .reached(acme, position: 3, events: 3),
      .proved(acme, tail(3), snapshots: 1, erasedEvents: 0),
    ] { report.take(step) }
    #expect(
      VerifyCommand.text(report, seconds: 1, isResumed: false)
        == "1 tenant, 3 events, 1 snapshot, 3 events/s: all is as it was written\n")
    #expect(
      VerifyCommand.text(report, seconds: 1, isResumed: true).hasSuffix(
        "gone on from the marks, without the projections\n"))
    report.take(.proved(beta, .empty, snapshots: nil, erasedEvents: 0))
    report.take(.found(Verification.Finding(tenant: beta, position: 1, problem: "bad\u{1b}")))
    #expect(
      VerifyCommand.text(report, seconds: 2, isResumed: false)
        == "tenant beta, position 1: bad\\u{1b}\n2 tenants, 3 events, 1 snapshot, 1 events/s: 1 finding; the projections were not compared\n"
    )
  }
}
