internal import EventLog
internal import Platform
internal import SessionModel

/// A log that counts how long its commits take, the sync of the disk included.
struct TimedLog: CommitLog {
  let base: any CommitLog
  let statistics: StoreStatistics

  func append(
    _ batch: [LogRecord], erasing erased: [LogPlace], expecting tails: [TenantID: UInt64]
  ) throws(EventLogError) -> AppendOutcome {
    let started = monotonicNanoseconds()
    let outcome = try base.append(batch, erasing: erased, expecting: tails)
    if outcome == .committed {
      statistics.countCommit(nanoseconds: monotonicNanoseconds() - started, erasedEvents: erased.count)
    }
    return outcome
  }
}
