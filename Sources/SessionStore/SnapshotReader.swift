internal import Projections
internal import SessionCodec
internal import SessionModel

/// Finds current snapshots: first in the overlay, then in the projections. The order matters, see ``Overlay``.
struct SnapshotReader: Sendable {
  let overlay: Overlay
  let projections: Projections

  /// Hands the current snapshot of a session to `body`, nil when it never had an event.
  func withSnapshot<Result>(
    _ key: SessionKey, _ body: (borrowing SnapshotView?) throws(DamagedRecord) -> Result
  ) throws(ProjectionsError) -> Result {
    do throws(DamagedRecord) {
      if let bytes = overlay.snapshot(key) { return try body(try SnapshotView(bytes.span, key: key.bytes.span)) }
    } catch {
      throw .damaged(reason: error.reason)
    }
    let view = try projections.view()
    return try Self.withSnapshot(key, in: view, body)
  }

  // Of its own, so that the view is borrowed: where it is made, the compiler of Swift 6.3 puts it on the heap when a span
  // depends on it.
  private static func withSnapshot<Result>(
    _ key: SessionKey, in view: borrowing ProjectionsView,
    _ body: (borrowing SnapshotView?) throws(DamagedRecord) -> Result
  ) throws(ProjectionsError) -> Result {
    let bytes = try view.snapshot(key)
    do throws(DamagedRecord) {
      guard let bytes else { return try body(nil) }
      return try body(try SnapshotView(bytes, key: key.bytes.span))
    } catch {
      throw .damaged(reason: error.reason)
    }
  }

  /// The sessions that carry or carried a customer's id, in the order of their ids: at most `limit` after `session`.
  ///
  /// - Parameter update: brings what isn't flushed yet up to something later still.
  func sessions(
    of customer: String, in tenant: TenantID, after session: SessionID? = nil, limit: Int = .max,
    updatedBy update: (inout Carriers) -> Void = { _ in }
  ) throws(ProjectionsError) -> [SessionID] {
    var fresh = overlay.carriers(of: customer, in: tenant)
    update(&fresh)
    let start = Array((session?.description ?? "").utf8)
    var ids = fresh.added.filter { start.lexicographicallyPrecedes($0.description.utf8) }
    ids.formUnion(
      try projections.view().sessions(of: customer, in: tenant, after: session, limit: limit) { fresh.isErased($0) })
    return Array(ids.sorted { $0.description.utf8.lexicographicallyPrecedes($1.description.utf8) }.prefix(limit))
  }

  /// The current state of a session, nil when it never had an event.
  func session(_ key: SessionKey) throws(ProjectionsError) -> Session? {
    try withSnapshot(key) { view throws(DamagedRecord) in
      guard let view else { return nil }
      return try view.session()
    }
  }
}
