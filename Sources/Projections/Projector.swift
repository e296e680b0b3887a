/// Moves what is in the overlay into the projections on disk, well behind the log, in the order of the keys.
public struct Projector: Sendable {
  /// As many as the disk writes in a few milliseconds, for so long may a sync of the log wait behind them.
  private static let sessionsPerTransaction = 64

  private let overlay: Overlay
  private let projections: Projections

  /// A projector from `overlay` to `projections`.
  public init(overlay: Overlay, projections: Projections) {
    self.overlay = overlay
    self.projections = projections
  }

  /// Flushes all that is in the overlay now. Throws when it isn't durable; then the overlay keeps it.
  public func flush() throws(ProjectionsError) {
    guard let frozen = overlay.freeze() else { return }
    try projections.flush(frozen, sessionsPerTransaction: Self.sessionsPerTransaction)
    overlay.dropFlushed()
  }

  /// Flushes whenever half of the overlay is used, or `intervalMilliseconds` have passed, until the overlay is closed;
  /// then once more. `progress` is called after each round. Throws when a flush fails.
  ///
  /// Nothing is flushed while there is no room on the disk for so many bytes: a failed commit would end what reads can go
  /// on without, since the log has all of it.
  public func run(
    intervalMilliseconds: Int, hasRoom: (Int) -> Bool = { _ in true }, progress: () -> Void
  ) throws(ProjectionsError) {
    while true {
      let isClosed = overlay.waitUntilDue(milliseconds: intervalMilliseconds)
      if hasRoom(overlay.usage.bytes) {
        try flush()
      } else if !isClosed {
        overlay.waitUntilClosed(milliseconds: 1000)
      }
      progress()
      if isClosed { return }
    }
  }
}
