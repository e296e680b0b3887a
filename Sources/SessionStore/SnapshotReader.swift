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
    let bytes = try view.snapshot(key)
    do throws(DamagedRecord) {
      guard let bytes else { return try body(nil) }
      return try body(try SnapshotView(bytes, key: key.bytes.span))
    } catch {
      throw .damaged(reason: error.reason)
    }
  }

  /// The current state of a session, nil when it never had an event.
  func session(_ key: SessionKey) throws(ProjectionsError) -> Session? {
    try withSnapshot(key) { view throws(DamagedRecord) in
      guard let view else { return nil }
      return try view.session()
    }
  }
}
