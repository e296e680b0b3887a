internal import EventLog
internal import Projections
internal import SessionModel

/// Brings the projections up to the log: at start, after a crash, and when somebody else wrote first.
struct Recovery {
  let log: EventLog
  let overlay: Overlay
  let projections: Projections

  private var snapshots: SnapshotReader { SnapshotReader(overlay: overlay, projections: projections) }

  /// How many events are folded before what they change is published.
  private static let eventsPerPublication = 4096

  /// Whether each checkpoint, and what snapshots are ahead of it, stands in the log that is here; otherwise the projections
  /// were folded from another one.
  ///
  /// Throws when a log ends before that: a flush comes after the commit, so that the log has lost its end. To
  /// go on from there would give positions out anew that have been acknowledged.
  static func checkpointsFit(_ projections: Projections, _ log: EventLog) throws(StoreError) -> Bool {
    do {
      let view = try projections.view()
      let removals = try log.removals()
      for tenant in try view.tenants() where !removals.contains(tenant) {
        let reach = try view.reach(of: tenant)
        let last = try log.lastPosition(of: tenant)
        guard last >= reach.position else {
          let reason =
            "it ends before this, but the projections were folded from it up to position \(reach.position) (if it was "
            + "set back on purpose, remove the folder projections/)"
          throw EventLogError.damaged(tenant: tenant, position: last + 1, reason: reason)
        }
        guard try reach.position > 0 && view.isOf(log, tenant) else { return false }
      }
      return true
    } catch ProjectionsError.damaged {
      return false
    } catch {
      throw StoreError(error)
    }
  }

  /// Folds what the log has beyond the checkpoints, for all tenants. Returns how far each log goes and the number of events.
  /// `progress` is told how many events have been folded so far.
  func run(
    progress: (Int) -> Void
  ) throws(StoreError) -> (
    checkpoints: [TenantID: Checkpoint], events: Int
  ) {
    do {
      var checkpoints: [TenantID: Checkpoint] = [:]
      var events = 0
      for tenant in try log.tenants() {
        let checkpoint = try projections.view().checkpoint(of: tenant)
        checkpoints[tenant] = try fold(tenant, after: checkpoint) { count throws(StoreError) in
          events += count
          progress(events)
          // Nothing else drains the overlay yet.
          if overlay.isHalfFull { try flush() }
        }
      }
      return (checkpoints, events)
    } catch {
      throw StoreError(error)
    }
  }

  /// Folds what `tenant`'s log has beyond `checkpoint` into the overlay; returns how far it goes.
  func fold(
    _ tenant: TenantID, after checkpoint: Checkpoint, published: (Int) throws(StoreError) -> Void = { _ in }
  ) throws(StoreError) -> Checkpoint {
    var checkpoint = checkpoint
    do {
      while true {
        var fold = Fold(over: snapshots.session)
        let start = checkpoint.tail.position
        _ = try fold.replay(log, of: tenant, after: &checkpoint, limit: Self.eventsPerPublication)
        guard checkpoint.tail.position > start else { return checkpoint }
        overlay.publish(fold.finish())
        try published(Int(checkpoint.tail.position - start))
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

extension ProjectionsView {
  /// Whether what has been folded of `tenant`'s log stands in `log`: the checkpoint, before which nothing may have been
  /// folded in whole, and what snapshots are ahead of it.
  borrowing func isOf(_ log: EventLog, _ tenant: TenantID) throws -> Bool {
    for tail in [try checkpoint(of: tenant).tail, try reach(of: tenant)] where tail.position > 0 {
      guard try log.holds(tail, of: tenant) else { return false }
    }
    return true
  }
}
