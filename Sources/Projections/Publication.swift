public import SessionModel

/// What a stretch of the log folds into: the newest snapshots, index entries and checkpoints.
public struct Publication: Sendable {
  /// The newest snapshot of each session that changed.
  public private(set) var snapshots: [SessionKey: [UInt8]] = [:]
  /// Entries to add to the index of customers.
  public private(set) var customers: Set<CustomerKey> = []
  /// How far each tenant's log has been folded in.
  public private(set) var checkpoints: [TenantID: Checkpoint] = [:]
  /// The number of events folded in.
  public private(set) var eventCount = 0
  /// Roughly the memory that all of it takes.
  public private(set) var byteCount = 0

  /// What a log without events folds into.
  public init() {}

  /// Whether nothing has been folded in.
  public var isEmpty: Bool { checkpoints.isEmpty }

  /// Takes in the newest snapshot of a session.
  public mutating func setSnapshot(_ snapshot: [UInt8], of key: SessionKey) {
    byteCount += snapshot.count
    if let old = snapshots.updateValue(snapshot, forKey: key) {
      byteCount -= old.count
    } else {
      byteCount += key.bytes.count + Self.entryOverheadBytes
    }
  }

  /// Takes in that `event` of `tenant` was folded, with what the index of customers has to know of it.
  public mutating func note(_ event: Event, of tenant: TenantID, checkpoint: Checkpoint) {
    eventCount += 1
    checkpoints[tenant] = checkpoint
    for change in event.changes.fields where change.field == .customerID {
      guard let customer = change.value else { continue }
      let key = CustomerKey(tenant, customer: customer, event.sessionID)
      if customers.insert(key).inserted { byteCount += key.bytes.count + Self.entryOverheadBytes }
    }
  }

  /// Takes in what followed.
  public mutating func merge(_ later: Publication) {
    for (key, snapshot) in later.snapshots { setSnapshot(snapshot, of: key) }
    for key in later.customers where customers.insert(key).inserted {
      byteCount += key.bytes.count + Self.entryOverheadBytes
    }
    for (tenant, checkpoint) in later.checkpoints { checkpoints[tenant] = checkpoint }
    eventCount += later.eventCount
  }

  /// What an entry costs beside its bytes: two array headers and the slot of the dictionary.
  private static let entryOverheadBytes = 96
}
