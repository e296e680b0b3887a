public import EventLog
internal import SessionCodec
public import SessionModel

extension CommitLog {
  /// Appends without erasing anything.
  public func append(
    _ batch: [LogRecord], expecting tails: [TenantID: UInt64]
  ) throws(EventLogError) -> AppendOutcome {
    try append(batch, erasing: [], expecting: tails)
  }
}

extension EventLog {
  /// The end of `tenant`'s log. Throws when its last record is damaged.
  public func tail(of tenant: TenantID) throws(EventLogError) -> LogTail {
    let last = try lastPosition(of: tenant)
    guard last > 0 else { return .empty }
    var tail = LogTail.empty
    _ = try replay(tenant, after: last - 1, limit: 1) { frame throws(DamagedRecord) in
      tail = frame.tail
      return true
    }
    return tail
  }
}
