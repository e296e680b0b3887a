internal import EventLog
internal import LMDB
internal import Platform
internal import SessionCodec
internal import SessionModel

/// Folds the log in memory, from the records to the states of all sessions, and prints what that took.
func replayLog(_ options: inout Options) throws {
  try options.finish()
  let log = try EventLog(path: options.directory + "/log", options: .init(isReadOnly: true))
  let end = try log.tail(of: Traffic.tenant)
  var places: [SessionID: Int] = [:]
  var states: [Session?] = []
  var reached: UInt64 = 0
  var chain = Digest.zero
  let (started, used) = (monotonicNanoseconds(), processorNanoseconds())
  while true {
    let next = try log.replay(Traffic.tenant, after: reached, limit: 4096) { frame throws(DamagedRecord) in
      let event = try frame.event()
      if let place = places[event.sessionID] {
        // Taken out, so that evolve owns it and changes it in place.
        states[place] = evolve(states[place].take(), event)
      } else {
        places[event.sessionID] = states.count
        states.append(evolve(nil, event))
      }
      chain = frame.chain
      return true
    }
    if next == reached { break }
    reached = next
  }
  let (nanoseconds, processor) = (monotonicNanoseconds() - started, processorNanoseconds() - used)
  // Every event of this traffic moves its session's version by one.
  let versions = states.reduce(into: UInt64(0)) { $0 += UInt64($1?.version ?? 0) }
  guard reached == end.position, chain == end.chain, versions == reached else {
    throw Failure("\(reached) of \(end.position) events led to versions of \(versions) together")
  }
  report([
    ("events", "\(reached)"), ("sessions", "\(states.count)"),
    ("seconds", seconds(nanoseconds)), ("processorSeconds", seconds(processor)),
  ])
}
