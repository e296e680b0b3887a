import EventLog
import Platform
import SessionModel
import TestSupport

/// The store's own log, with the faults that a seed plans.
final class FaultyLog: CommitLog {
  enum Fault {
    /// The commit fails, and nothing of it is on disk: as a crash before it.
    case failBefore
    /// The commit is on disk, and nobody learns of it: as a crash right behind it.
    case failAfter
    /// Somebody else appends records of one tenant first.
    case intrude([LogRecord])
  }

  private let base: EventLog
  private let doctored: Doctored?
  private let fault = Monitor<Fault?>(nil)

  init(_ base: EventLog, doctored: Doctored?) {
    self.base = base
    self.doctored = doctored
  }

  /// The fault of the next append.
  func plan(_ fault: Fault?) { self.fault.withLock { $0 = fault } }

  func append(
    _ batch: [LogRecord], erasing erased: [LogPlace], expecting tails: [TenantID: UInt64]
  ) throws(EventLogError) -> AppendOutcome {
    let planned = fault.withLock { fault in
      defer { fault = nil }
      return fault
    }
    switch planned {
    case .failBefore: throw .damagedKey(reason: "the commit failed, as planned")
    case .failAfter:
      guard try base.append(batch, erasing: erased, expecting: tails) == .committed else {
        throw .damagedKey(reason: "the log has another end than its only writer left")
      }
      throw .damagedKey(reason: "the commit's answer was lost, as planned")
    case .intrude(let records):
      if let first = records.first { _ = try base.append(records, expecting: [first.tenant: first.position - 1]) }
    case nil: break
    }
    switch doctored {
    case .commitLost: return .committed
    case .batchTorn where batch.count > 1:
      return try base.append(batch.dropLast(), erasing: erased.filter { _ in false }, expecting: tails)
    case .payloadKept: return try base.append(batch, erasing: [], expecting: tails)
    case .tailUnchecked: return try base.append(batch, erasing: erased, expecting: [:])
    default: return try base.append(batch, erasing: erased, expecting: tails)
    }
  }
}

/// Steps done wrong on purpose, to see that the simulation finds them.
enum Doctored: String, CaseIterable {
  /// A commit says that it's done, and wrote nothing.
  case commitLost = "commit-lost"
  /// The last record of a batch isn't written.
  case batchTorn = "batch-torn"
  /// An erasure takes no payload away.
  case payloadKept = "payload-kept"
  /// Nobody looks whether somebody else wrote first.
  case tailUnchecked = "tail-unchecked"
  /// The projector forgets a part that it didn't write.
  case flushSkipped = "flush-skipped"
  /// The projector forgets a part before it is written.
  case droppedEarly = "dropped-early"
  /// The store's clock is a microsecond behind, so that what expires now can still be read.
  case clockLate = "clock-late"
  /// A retry gets a new fingerprint and no key.
  case markLost = "mark-lost"
  /// Now and then a task goes to another tenant.
  case tenantMixed = "tenant-mixed"
  /// The sweeper's answers are right, and it does nothing.
  case sweepSkipped = "sweep-skipped"
  /// The past isn't closed when somebody asks about it.
  case pastOpen = "past-open"
}
