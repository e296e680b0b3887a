internal import EventLog
internal import LMDB
internal import Platform
internal import Projections
internal import SessionCodec
internal import SessionModel

// What a store does when it is opened: it looks at what is on disk, and brings the projections up to the log.

extension SessionStore {
  /// Tells an operator of logs that end at a time which is still to come: the clock was ahead once, or is behind now.
  func warnOfClock(_ checkpoints: [TenantID: Checkpoint]) {
    let soon = Instant(microseconds: now().microseconds + Self.tolerableMicroseconds)
    let ahead = checkpoints.filter { $0.value.tail.recordedAt > soon }
    guard let farthest = ahead.max(by: { $0.value.tail.recordedAt < $1.value.tail.recordedAt }) else { return }
    observer.notice(
      "the last event of tenant \(farthest.key) is of \(farthest.value.tail.recordedAt.rfc3339), which the clock says "
        + "is still to come (tenants like that: \(ahead.count)); set the clock right. If it is, it was ahead when that was "
        + "recorded, and until then nothing of the tenant expires")
  }

  /// How far clocks may be apart without a word of it, in microseconds.
  private static let tolerableMicroseconds: Int64 = 60_000_000

  /// How large a file may be for all of it to be checked at start, which should take less than a second. Of a larger one
  /// all that leads to the leaves is checked, and `sessionctl verify` checks the rest.
  static let checkedLeafBytes = 256 << 20

  /// The projections of a log, with what the log has beyond them in the overlay, and how far each log goes.
  struct Recovered {
    let projections: Projections
    let overlay: Overlay
    let checkpoints: [TenantID: Checkpoint]
  }

  /// Opens the projections and folds in what they lack. When they turn out to be damaged there they are built anew.
  static func recover(
    _ directory: DataDirectory, _ log: EventLog, _ options: Environment.Options, overlayBytes: Int, _ observer: Observer
  ) throws -> Recovered {
    func open() throws -> Recovered {
      let projections = try openProjections(directory, log, options, notice: observer.notice)
      let overlay = Overlay(maximumBytes: overlayBytes)
      for tenant in try log.removals() {
        observer.notice("the removal of tenant \(tenant) was interrupted and is completed now")
        try TenantRemoval.run(tenant, log, projections)
      }
      let recovery = Recovery(log: log, overlay: overlay, projections: projections)
      let (checkpoints, events) = try recovery.run(progress: observer.replayed)
      if events > 0 { observer.notice("replayed \(events) events from the log") }
      return Recovered(projections: projections, overlay: overlay, checkpoints: checkpoints)
    }
    do {
      return try open()
    } catch {
      guard let reason = StoreError(error).damageOfProjections else { throw error }
      observer.notice("the projections in \(directory.projections) are built anew from the log: \(reason)")
    }
    try Projections.remove(path: directory.projections)
    return try open()
  }

  /// Opens the projections of `log`'s store for writing; empty ones when they don't fit it, which `notice` is told.
  static func openProjections(
    _ directory: DataDirectory, _ log: EventLog, _ options: Environment.Options, notice: (String) -> Void
  ) throws -> Projections {
    func open() throws(ProjectionsError) -> Projections {
      try Projections(path: directory.projections, storeID: log.storeID, options: options, notice: notice)
    }
    do {
      let projections = try open()
      if try Recovery.checkpointsFit(projections, log) { return projections }
    }
    notice("the projections don't fit the log and are built anew from it")
    try Projections.remove(path: directory.projections)
    return try open()
  }
}
