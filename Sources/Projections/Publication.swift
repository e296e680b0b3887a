public import SessionModel

/// What a stretch of the log folds into: the newest snapshots, index entries and checkpoints.
public struct Publication: Sendable {
  /// The newest snapshot of each session that changed.
  public private(set) var snapshots: [SessionKey: [UInt8]] = [:]
  /// Entries to add to the index of customers, by session.
  public private(set) var customers: [SessionKey: [CustomerKey]] = [:]
  // The same entries by what they begin with, tenant and customer, so that a reader of one customer's needn't go through all
  // of them while everybody else waits.
  private var sessionsByCustomer: [[UInt8]: Set<[UInt8]>] = [:]
  /// The sessions that were erased: what the index of customers has of them goes before ``customers`` are added.
  public private(set) var erased: Set<SessionKey> = []
  /// The sessions whose entries in the index of activity the sweeper met although they have been active since.
  public private(set) var overtaken: Set<SessionKey> = []
  /// How far each tenant's log has been folded in.
  public private(set) var checkpoints: [TenantID: Checkpoint] = [:]
  /// The number of events folded in.
  public private(set) var eventCount = 0
  /// Roughly the memory that all of it takes.
  public private(set) var byteCount = 0

  /// What a log without events folds into.
  public init() {}

  /// Whether nothing has been folded in, and no entry has to be moved.
  public var isEmpty: Bool { checkpoints.isEmpty && overtaken.isEmpty }

  /// Makes room for so many snapshots in all.
  public mutating func reserveCapacity(_ sessions: Int) { snapshots.reserveCapacity(sessions) }

  /// Takes in the newest snapshot of a session.
  public mutating func setSnapshot(_ snapshot: [UInt8], of key: SessionKey) {
    byteCount += snapshot.count
    if let old = snapshots.updateValue(snapshot, forKey: key) {
      byteCount -= old.count
    } else {
      byteCount += key.bytes.count + Self.entryOverheadBytes
    }
  }

  /// Takes in that the entry of `session` in the index of activity has to be moved to the time of its last activity.
  public mutating func setOvertaken(_ session: SessionKey) {
    if overtaken.insert(session).inserted { byteCount += session.bytes.count + Self.entryOverheadBytes }
  }

  /// Takes in how far `tenant`'s log has been folded.
  public mutating func setCheckpoint(_ checkpoint: Checkpoint, of tenant: TenantID) { checkpoints[tenant] = checkpoint }

  /// Takes in that `event` of `tenant` was folded, with what the index of customers has to know of it.
  public mutating func note(_ event: Event, of tenant: TenantID) {
    eventCount += 1
    if event.kind == .erased { erase(SessionKey(tenant, event.sessionID)) }
    for change in event.changes.fields where change.field == .customerID {
      guard let customer = change.value else { continue }
      add(CustomerKey(tenant, customer: customer, event.sessionID), of: SessionKey(tenant, event.sessionID))
    }
  }

  private mutating func erase(_ session: SessionKey) {
    for entry in customers.removeValue(forKey: session) ?? [] {
      byteCount -= Self.byteCount(of: entry)
      let (customer, session) = entry.parts
      sessionsByCustomer[customer]?.remove(session)
      if sessionsByCustomer[customer]?.isEmpty == true { sessionsByCustomer[customer] = nil }
    }
    if erased.insert(session).inserted { byteCount += session.bytes.count + Self.entryOverheadBytes }
  }

  private mutating func add(_ entry: CustomerKey, of session: SessionKey) {
    guard customers[session]?.contains(entry) != true else { return }
    customers[session, default: []].append(entry)
    let (customer, session) = entry.parts
    sessionsByCustomer[customer, default: []].insert(session)
    byteCount += Self.byteCount(of: entry)
  }

  /// What an entry takes in both of its places.
  private static func byteCount(of entry: CustomerKey) -> Int { 2 * (entry.bytes.count + entryOverheadBytes) }

  /// Brings what is known of the sessions that carry a customer's id up to this part, which came later.
  public func update(_ carriers: inout Carriers) {
    carriers.added = carriers.added.filter { !erased.contains(SessionKey(carriers.tenant, $0)) }
    carriers.erased.formUnion(erased)
    for id in sessionsByCustomer[carriers.prefix] ?? [] {
      if let session = SessionID(String(decoding: id, as: UTF8.self)) { carriers.added.insert(session) }
    }
  }

  /// Takes in what followed.
  public mutating func merge(_ later: Publication) {
    for (key, snapshot) in later.snapshots { setSnapshot(snapshot, of: key) }
    for session in later.overtaken { setOvertaken(session) }
    for session in later.erased { erase(session) }
    for (session, entries) in later.customers {
      for entry in entries { add(entry, of: session) }
    }
    for (tenant, checkpoint) in later.checkpoints { checkpoints[tenant] = checkpoint }
    eventCount += later.eventCount
  }

  /// What an entry costs beside its bytes: two array headers and the slot of the dictionary.
  private static let entryOverheadBytes = 96
}

/// What isn't in the index yet of the sessions that carry or carried a customer's id.
public struct Carriers: Sendable {
  /// Whose sessions.
  public let tenant: TenantID
  /// The customer.
  public let customer: String
  /// The sessions that came to carry it.
  public internal(set) var added: Set<SessionID> = []
  /// The sessions, of whatever tenant, that were erased: what the index says of them doesn't count.
  public internal(set) var erased: Set<SessionKey> = []
  let prefix: [UInt8]

  /// Nothing that the index doesn't have.
  public init(of customer: String, in tenant: TenantID) {
    self.tenant = tenant
    self.customer = customer
    prefix = CustomerKey.prefix(tenant, customer: customer)
  }

  /// Whether the index's word on a session counts.
  public func isErased(_ session: SessionID) -> Bool { erased.contains(SessionKey(tenant, session)) }
}
