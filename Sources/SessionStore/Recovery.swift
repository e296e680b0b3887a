internal import EventLog
internal import Projections
internal import SessionCodec
internal import SessionModel

/// Brings the projections up to the log: at start, after a crash, and when somebody else wrote first.
struct Recovery {
  let log: EventLog
  let overlay: Overlay
  let projections: Projections

  private var snapshots: SnapshotReader { SnapshotReader(overlay: overlay, projections: projections) }

  /// How many events are folded before what they change is published.
  private static let eventsPerPublication = 4096

  /// Whether each checkpoint stands in the log that is here; otherwise the projections were folded from another one.
  static func checkpointsFit(_ projections: Projections, _ log: EventLog) throws(StoreError) -> Bool {
    do {
      let view = try projections.view()
      for tenant in try view.tenants() {
        let checkpoint = try view.checkpoint(of: tenant)
        guard try checkpoint.position > 0 && log.holds(checkpoint, of: tenant) else { return false }
      }
      return true
    } catch ProjectionsError.damaged {
      return false
    } catch {
      throw StoreError(error)
    }
  }

  /// Folds what the log has beyond the checkpoints, for all tenants. Returns the logs' tails and the number of events.
  /// `progress` is told how many events have been folded so far.
  func run(progress: (Int) -> Void) throws(StoreError) -> (tails: [TenantID: LogTail], events: Int) {
    do {
      var tails: [TenantID: LogTail] = [:]
      var events = 0
      for tenant in try log.tenants() {
        let checkpoint = try projections.view().checkpoint(of: tenant)
        tails[tenant] = try fold(tenant, after: checkpoint) { count throws(StoreError) in
          events += count
          progress(events)
          // Nothing else drains the overlay yet.
          if overlay.isHalfFull { try flush() }
        }
      }
      return (tails, events)
    } catch {
      throw StoreError(error)
    }
  }

  /// Folds what `tenant`'s log has beyond `tail` into the overlay; returns the new tail.
  func fold(
    _ tenant: TenantID, after tail: LogTail, published: (Int) throws(StoreError) -> Void = { _ in }
  ) throws(StoreError) -> LogTail {
    var tail = tail
    do {
      while true {
        var fold = Fold(over: snapshots.session)
        var failure: ProjectionsError?
        let start = tail.position
        _ = try log.replay(tenant, after: start, limit: Self.eventsPerPublication) { frame throws(DamagedRecord) in
          guard failure == nil else { return }
          let event = try frame.event()
          let key = SessionKey(tenant, event.sessionID)
          do throws(ProjectionsError) {
            let before = try fold.state(key)
            tail = LogTail(position: frame.position, chain: frame.chain, recordedAt: frame.recordedAt)
            fold.apply(event, of: tenant, key: key, before: before, tail: tail)
          } catch {
            failure = error
          }
        }
        if let failure { throw failure }
        guard tail.position > start else { return tail }
        overlay.publish(fold.finish())
        try published(Int(tail.position - start))
      }
    } catch {
      throw StoreError(error)
    }
  }

  private func flush() throws(StoreError) {
    do throws(ProjectionsError) {
      try Projector(overlay: overlay, projections: projections).flush()
    } catch {
      throw .projections(error)
    }
  }
}
