internal import Projections
internal import SessionCodec
public import SessionModel

extension SessionStore {
  /// A session's document as a GET answers it.
  public struct Document: Sendable {
    /// The session's version.
    public let version: UInt32
    /// The document as JSON.
    public let json: [UInt8]
    /// Whether reading it as its owner is activity that is worth an event.
    public let isTouchDue: Bool
  }

  /// The current document of a live session, nil when there is none. Shows every acknowledged change, and no change
  /// that isn't on disk.
  public func document(_ session: SessionID, of tenant: AuthorizedTenant) throws(StoreError) -> Document? {
    do throws(ProjectionsError) {
      return try snapshots.withSnapshot(SessionKey(tenant.id, session)) { view throws(DamagedRecord) in
        let now = overlay.time(of: tenant.id, self.now())
        let timeToLive = configuration.rules.timeToLive
        guard let view, view.isLive(at: now, timeToLive: timeToLive) else { return nil }
        var json: [UInt8] = []
        try view.appendDocument(of: session, to: &json)
        return Document(
          version: view.version, json: json, isTouchDue: view.isTouchDue(at: now, timeToLive: timeToLive))
      }
    } catch {
      throw StoreError(error)
    }
  }
}
