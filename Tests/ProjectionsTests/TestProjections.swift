import EventLog
import LMDB
import Platform
import SessionCodec
import SessionModel
import TestSupport

@testable import Projections

/// Projections in a folder of their own, with publications to fill them.
final class TestProjections {
  static let options = Environment.Options(mapSizeBytes: 1 << 26)
  static let tenant = TenantID(valid: "acme")

  let projections: Projections
  let folder: TemporaryFolder
  private(set) var notices: [String] = []

  init(_ folder: TemporaryFolder? = nil, storeID: String = "store-1") throws {
    let folder = try folder ?? TemporaryFolder()
    self.folder = folder
    var notices: [String] = []
    projections = try Projections(path: folder("projections"), storeID: storeID, options: Self.options) {
      notices.append($0)
    }
    self.notices = notices
  }

  /// What the projections hold for a session.
  func snapshot(_ session: String, of tenant: TenantID = tenant) throws -> [UInt8]? {
    let view = try projections.view()
    guard let bytes = try view.snapshot(SessionKey(tenant, SessionID(valid: session))) else { return nil }
    return [UInt8](copying: bytes)
  }

  func checkpoint(_ tenant: TenantID = tenant) throws -> Checkpoint { try projections.view().checkpoint(of: tenant) }

  func sessionCount() throws -> Int { try projections.view().sessionCount() }

  func customerSessions(
    _ customer: String, of tenant: TenantID = tenant, after: String? = nil, limit: Int = 100
  ) throws -> [String] {
    try projections.view().sessions(of: customer, in: tenant, after: after.map { SessionID(valid: $0) }, limit: limit)
      .map(\.description)
  }
}

/// A checkpoint that is told from others by its position.
func checkpoint(_ position: UInt64, open: UInt64 = 0) -> Checkpoint {
  var chain: [UInt8] = []
  chain.appendLittleEndian(position)
  return Checkpoint(
    tail: LogTail(
      position: position, chain: sha256(chain.span),
      recordedAt: Instant(microseconds: Int64(truncatingIfNeeded: position))),
    openSessions: open)
}

/// What one event folds into: a snapshot whose version is the event's position.
func publication(
  _ session: String, position: UInt64, of tenant: TenantID = TestProjections.tenant, customer: String? = nil,
  kind: Event.Kind = .started
) -> Publication {
  let id = SessionID(valid: session)
  let event = Event(
    position: position, previousPosition: 0, life: 1, version: UInt32(position), recordedAt: .start, sessionID: id,
    kind: kind, changes: ContextChanges(fields: customer.map { [.init(field: .customerID, value: $0)] } ?? []),
    origin: Origin(actor: "test"), request: nil)
  var publication = Publication()
  publication.note(event, of: tenant)
  publication.setCheckpoint(checkpoint(position), of: tenant)
  publication.setSnapshot(snapshot(session, position: position, of: tenant), of: SessionKey(tenant, id))
  return publication
}

/// The snapshot of that publication.
func snapshot(_ session: String, position: UInt64, of tenant: TenantID = TestProjections.tenant) -> [UInt8] {
  let state = Session(
    life: 1, version: UInt32(position), status: .active, context: SessionContext(), createdAt: .start,
    modifiedAt: .start, activeAt: .start, lastPosition: position, eventCount: 1, lastRequest: nil,
    acceptedRequests: [])
  return SnapshotRecord.encode(state, key: SessionKey(tenant, SessionID(valid: session)).bytes.span)
}

extension Publication {
  /// Takes in the snapshot of a session that was last active, or closed, at that second.
  mutating func add(
    _ session: String, status: Session.Status = .active, active second: Int64,
    of tenant: TenantID = TestProjections.tenant, customer: String? = nil
  ) {
    merge(publication(session, position: 1, of: tenant))
    let id = SessionID(valid: session)
    let time = Instant(microseconds: second * 1_000_000)
    var context = SessionContext()
    context.customerID = customer
    let key = SessionKey(tenant, id)
    let state = Session(
      life: 1, version: 1, status: status, context: context, createdAt: time, modifiedAt: time, activeAt: time,
      lastPosition: 1, eventCount: 1, lastRequest: nil, acceptedRequests: [])
    setSnapshot(SnapshotRecord.encode(state, key: key.bytes.span), of: key)
  }
}
