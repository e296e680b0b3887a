internal import EventLog
internal import LMDB
internal import Platform
internal import Projections
internal import SessionCodec
internal import SessionModel
internal import SessionStore
internal import TestSupport

/// Folds the log in memory as the store does it, from the records to the states of all sessions, and prints what that
/// took.
func replayLog(_ options: inout Options) throws {
  try options.finish()
  let log = try EventLog(path: options.directory + "/log", options: .init(isReadOnly: true))
  let end = try log.tail(of: Traffic.tenant)
  var fold = Fold { _ in nil }
  var checkpoint = Checkpoint.start
  let (started, used) = (monotonicNanoseconds(), processorNanoseconds())
  while try fold.replay(log, of: Traffic.tenant, after: &checkpoint, limit: 4096) > 0 {}
  let (nanoseconds, processor) = (monotonicNanoseconds() - started, processorNanoseconds() - used)
  let snapshots = fold.finish().snapshots
  // Every event of this traffic moves its session's version by one.
  var versions: UInt64 = 0
  for (key, snapshot) in snapshots { versions += UInt64(try SnapshotView(snapshot.span, key: key.bytes.span).version) }
  guard checkpoint.tail == end, versions == end.position else {
    throw Failure("the fold ends at \(checkpoint.tail), the log at \(end); versions of \(versions) together")
  }
  report([
    ("events", "\(end.position)"), ("sessions", "\(snapshots.count)"),
    ("seconds", seconds(nanoseconds)), ("processorSeconds", seconds(processor)),
  ])
}
