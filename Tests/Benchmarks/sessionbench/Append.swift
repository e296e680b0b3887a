internal import EventLog
internal import LMDB
internal import Platform
internal import SessionModel
internal import TestSupport

/// Appends events to a new log, a commit for each batch, and prints what that took: from the events to the commit, with
/// salts, encoding, digests and the chain, but without making up the events.
func appendEvents(_ options: inout Options) throws {
  let events = try options.take("--events")
  let batchSize = try options.take("--batch", default: 64)
  let traffic = Traffic(sessionCount: try options.take("--sessions", default: events))
  try options.finish()
  let log = try EventLog(path: options.directory + "/log")
  var tail = try log.tail(of: Traffic.tenant)
  guard tail == .empty else { throw Options.Problem("\(options.directory) holds a log already") }
  var random = RandomBytes()
  var bytes = 0
  var batches = 0
  var nanoseconds: UInt64 = 0
  var processor: UInt64 = 0
  for start in stride(from: 0, to: events, by: batchSize) {
    let time = Instant(microseconds: currentMicroseconds())
    let batch = (start..<min(start + batchSize, events)).map { traffic.event($0, at: max(time, tail.recordedAt)) }
    let (started, used) = (monotonicNanoseconds(), processorNanoseconds())
    let expected = tail.position
    var records: [LogRecord] = []
    records.reserveCapacity(batch.count)
    for event in batch {
      let salt = random.next(Frame.saltByteCount)
      let frame = Frame.encode(event, tenant: Traffic.tenant, salt: salt.span, previousChain: tail.chain)
      records.append(LogRecord(tenant: Traffic.tenant, position: event.position, frame: frame.bytes))
      tail = LogTail(position: event.position, chain: frame.chain, recordedAt: event.recordedAt)
      bytes += frame.bytes.count
    }
    let outcome = try log.append(records, expecting: [Traffic.tenant: expected])
    nanoseconds += monotonicNanoseconds() - started
    processor += processorNanoseconds() - used
    guard outcome == .committed else { throw Failure("the batch at \(start) was not committed") }
    batches += 1
  }
  guard try log.tail(of: Traffic.tenant) == tail else { throw Failure("the log doesn't end as it was written") }
  report([
    ("events", "\(events)"), ("batches", "\(batches)"), ("bytes", "\(bytes)"), ("logBytes", "\(log.usage.usedBytes)"),
    ("seconds", seconds(nanoseconds)), ("processorSeconds", seconds(processor)),
  ])
}
