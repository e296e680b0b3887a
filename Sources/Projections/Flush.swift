internal import EventLog
internal import LMDB
internal import Platform
internal import SessionModel

/// A part of the overlay on its way into the projections: slice by slice, each in one transaction, in the order of the keys
/// so that each page of the trees is touched once.
///
/// One large transaction would have the disk write thousands of pages at once, and the log's syncs wait behind them. So the
/// snapshots of a slice come with their entries in the index of activity and with how many sessions are open; the index of
/// customers and the checkpoint come with the last slice. What was stopped in between left snapshots that are ahead of the
/// checkpoint, each the fold of the log up to its own last event: a replay passes over what they hold already.
public struct Flush {
  private let publication: Publication
  /// The sessions to write, in order; without a snapshot where only the entry in the index of activity is to be moved.
  private let sessions: [(key: SessionKey, snapshot: [UInt8]?)]
  private let sessionsPerTransaction: Int
  private var place = 0

  /// A flush of `publication`, with so many sessions in a transaction.
  public init(_ publication: Publication, sessionsPerTransaction: Int) {
    self.publication = publication
    self.sessionsPerTransaction = sessionsPerTransaction
    var sessions: [(key: SessionKey, snapshot: [UInt8]?)] = publication.snapshots.map { ($0.key, $0.value) }
    for key in publication.overtaken where publication.snapshots[key] == nil { sessions.append((key, nil)) }
    self.sessions = sessions.sorted { $0.key < $1.key }
  }

  /// Makes the next slice durable; returns whether it was the last one. Throws when it isn't durable.
  public mutating func advance(in projections: Projections) throws(ProjectionsError) -> Bool {
    let end = sessions.count - place > sessionsPerTransaction ? place + sessionsPerTransaction : sessions.count
    let isLast = end == sessions.count
    do throws(LMDBError) {
      let transaction = try projections.environment.write()
      var slice = Slice(projections: projections, publication: publication, transaction: transaction)
      for (key, snapshot) in sessions[place..<end] { try slice.take(key, snapshot) }
      try slice.moveActivity()
      if isLast {
        try slice.takeCustomers()
        try slice.advanceCheckpoints()
      } else {
        try slice.countOpenSessions()
      }
      try slice.commit()
    } catch {
      throw .storage(error)
    }
    place = end
    return isLast
  }
}

/// One transaction of a flush.
private struct Slice: ~Copyable {
  private let projections: Projections
  private let publication: Publication
  private var transaction: WriteTransaction
  private var obsolete: [ActivityKey] = []
  private var entries: [ActivityKey] = []
  /// How many more sessions of a tenant, by what its keys begin with, are open than before, wrapping.
  private var opened: [(prefix: [UInt8], count: UInt64)] = []

  init(projections: Projections, publication: Publication, transaction: consuming WriteTransaction) {
    self.projections = projections
    self.publication = publication
    self.transaction = transaction
  }

  consuming func commit() throws(LMDBError) { try transaction.commit() }

  /// Writes the snapshot of `key`, nil for the one that is there, and notes how its entry in the index of activity moves.
  mutating func take(_ key: SessionKey, _ snapshot: [UInt8]?) throws(LMDBError) {
    // A snapshot that is damaged on disk is overwritten here; its entry, if any, may be left over, and is found by
    // verify. The sweeper's commands are decided on by the snapshot, so that it does no harm.
    var before: ActivityPlace?
    var kept: [UInt8]?
    if let stored = try transaction.value(projections.tables.snapshots, key.bytes.span) {
      before = (try? SnapshotEntry.places(stored, of: key))?.indexed
      if snapshot == nil { kept = [UInt8](copying: SnapshotEntry.snapshot(stored, key.bytes.span)) }
    }
    // One that can't be read, or is gone, is left as it is.
    guard let snapshot = snapshot ?? kept, !snapshot.isEmpty else { return }
    let exact = ActivityPlace(snapshot: snapshot.span, of: key)
    var after = exact
    if let exact, let before, before.serves(exact), !publication.overtaken.contains(key) { after = before }
    let value = SnapshotEntry.encode(snapshot.span, of: key, at: after)
    try transaction.put(projections.tables.snapshots, key.bytes.span, value.span)
    count(key, wasOpen: before?.isOpen ?? false, isOpen: exact?.isOpen ?? false)
    guard before != after else { return }
    if let before { obsolete.append(ActivityKey(before, of: key)) }
    if let after { entries.append(ActivityKey(after, of: key)) }
  }

  private mutating func count(_ key: SessionKey, wasOpen: Bool, isOpen: Bool) {
    let change: UInt64 = wasOpen == isOpen ? 0 : isOpen ? 1 : .max
    if let last = opened.indices.last, key.bytes.span.hasPrefix(opened[last].prefix) {
      opened[last].count &+= change
    } else {
      opened.append((key.bytes.prefix { $0 != 0 } + [0], change))
    }
  }

  /// Moves the entries of the index of activity that don't serve any more.
  mutating func moveActivity() throws(LMDBError) {
    for entry in obsolete.sorted() { try transaction.remove(projections.tables.activity, entry.bytes.span) }
    let nothing: [UInt8] = []
    for entry in entries.sorted() { try transaction.put(projections.tables.activity, entry.bytes.span, nothing.span) }
  }

  /// Keeps the number of open sessions that of the snapshots, and says how far those may be ahead of the checkpoint.
  mutating func countOpenSessions() throws(LMDBError) {
    for (prefix, count) in opened {
      let name = Array(prefix.dropLast())
      // Where only entries were moved, nothing is ahead.
      guard let tenant = TenantID(utf8: name[...]), let next = publication.checkpoints[tenant] else { continue }
      // One that can't be read stays as it is until the last slice knows it whole: the next start has to see the damage.
      guard var record = try stored(name) else { continue }
      record.checkpoint.openSessions &+= count
      try put(record, reaching: next.tail, name)
    }
  }

  /// Moves the checkpoints to where the flush ends.
  mutating func advanceCheckpoints() throws(LMDBError) {
    for (tenant, checkpoint) in publication.checkpoints {
      let name = Array(tenant.description.utf8)
      var record = try stored(name) ?? .start
      record.checkpoint = checkpoint
      try put(record, reaching: checkpoint.tail, name)
    }
  }

  /// What is known of a tenant's log; nil when that can't be read.
  private borrowing func stored(_ name: [UInt8]) throws(LMDBError) -> CheckpointRecord? {
    guard let value = try transaction.value(projections.tables.checkpoints, name.span) else { return .start }
    return try? CheckpointRecord(decoding: value, key: name.span)
  }

  private mutating func put(
    _ record: CheckpointRecord, reaching tail: LogTail, _ name: [UInt8]
  ) throws(LMDBError) {
    var record = record
    // Snapshots of a flush that was stopped may be ahead of this one.
    if record.reach.position < tail.position { record.reach = tail }
    try transaction.put(projections.tables.checkpoints, name.span, record.encoded(key: name.span).span)
  }

  /// Takes the erased sessions out of the index of customers, then adds what they and others have carried since.
  mutating func takeCustomers() throws(LMDBError) {
    for session in publication.erased.sorted() {
      for (carrier, customer) in try Self.carried(by: session, transaction.cursor(projections.tables.carriers)) {
        try transaction.remove(projections.tables.carriers, carrier.span)
        try transaction.remove(projections.tables.customers, customer.bytes.span)
      }
    }
    let entries = publication.customers.values.flatMap { $0 }.sorted()
    for entry in entries {
      try transaction.put(projections.tables.customers, entry.bytes.span, KeySeal.bytes(of: entry.bytes.span).span)
    }
    for carrier in entries.map(\.carrier.bytes).sorted(by: { $0.span.precedes($1.span) }) {
      try transaction.put(projections.tables.carriers, carrier.span, KeySeal.bytes(of: carrier.span).span)
    }
  }

  /// The entries of a session in the index by session, with their counterparts. Without a look at seals: damage is no
  /// reason not to erase, nor to flush, the rest; what it leaves is found by verify.
  private static func carried(
    by session: SessionKey, _ cursor: consuming Cursor
  ) throws(LMDBError) -> [(carrier: [UInt8], customer: CustomerKey)] {
    var entries: [(carrier: [UInt8], customer: CustomerKey)] = []
    let prefix = session.bytes + [0]
    var next = try cursor.seek(prefix.span)
    while let entry = next, entry.key.hasPrefix(prefix) {
      entries.append(([UInt8](copying: entry.key), CustomerKey(carrier: entry.key, of: session)))
      next = try cursor.next()
    }
    return entries
  }
}

extension Projections {
  /// Writes all of `publication`, with so many sessions in a transaction, by default in one. Throws when it isn't durable.
  public func flush(_ publication: Publication, sessionsPerTransaction: Int = .max) throws(ProjectionsError) {
    var flush = Flush(publication, sessionsPerTransaction: sessionsPerTransaction)
    while try !flush.advance(in: self) {}
  }
}
