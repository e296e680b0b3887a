import EventLog
import Platform
import Projections
import SessionModel
import TestSupport
import Testing

@testable import SessionStore

@Suite("the census of tenants") struct CensusTests {
  @Test("tenants with 1,000 open sessions are no small ones any more, and those with 100,000 are large")
  func classes() {
    let sizes: [UInt64] = [0, 999, 1000, 99_999, 100_000]
    let tail = LogTail(position: 7, chain: .zero, recordedAt: .start)
    let census = Census(sizes.map { Checkpoint(tail: tail, openSessions: $0) })
    #expect(census.small == Census.Class(tenants: 2, openSessions: 999))
    #expect(census.medium == Census.Class(tenants: 2, openSessions: 100_999))
    #expect(census.large == Census.Class(tenants: 1, openSessions: 100_000))
    #expect(census.events == 35)
  }
}
