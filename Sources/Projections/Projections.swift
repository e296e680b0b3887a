internal import EventLog
public import LMDB
internal import Platform
internal import SessionCodec
internal import SessionModel

/// What can be folded from the log, on disk: snapshots, the index of customers, and how far the folding has come.
public final class Projections: Sendable {
  let environment: Environment
  let snapshots: Table
  let customers: Table
  let carriers: Table
  let activity: Table
  let checkpoints: Table
  let meta: Table

  /// Opens the projections of the store `storeID` in the folder `path`; empty ones when the folder is missing.
  ///
  /// When they are of another format or of another store, or LMDB can't open them, they are removed and begun anew:
  /// the log has everything. `notice` is told why.
  public convenience init(
    path: String, storeID: String, options: Environment.Options = Environment.Options(), notice: (String) -> Void
  ) throws(ProjectionsError) {
    do {
      if let reason = try Self.reasonToRebuild(path: path, storeID: storeID, options: options) {
        notice("the projections in \(path) are built anew from the log: \(reason)")
        try Self.remove(path: path)
      }
      var options = options
      // They are new, or have been checked.
      options.checkedLeafBytes = nil
      try self.init(opening: path, storeID: storeID, options: options)
    } catch {
      throw ProjectionsError(error)
    }
  }

  private init(opening path: String, storeID: String, options: Environment.Options) throws {
    environment = try Environment(path: path, options: options)
    let tables = try environment.openTables(ProjectionSchema.tables)
    (snapshots, customers, carriers) = (tables[0], tables[1], tables[2])
    (activity, checkpoints, meta) = (tables[3], tables[4], tables[5])
    var transaction = try environment.write()
    try transaction.put(meta, ProjectionSchema.formatKey.span, Array(ProjectionSchema.format.utf8).span)
    try transaction.put(meta, ProjectionSchema.logKey.span, Array(storeID.utf8).span)
    try transaction.commit()
  }

  /// Opens the projections in the folder `path` for reading alone, beside the daemon that writes them. Throws when they
  /// have another format, or can't be opened.
  public init(readOnly path: String, options: Environment.Options) throws(ProjectionsError) {
    var options = options
    options.isReadOnly = true
    do {
      environment = try Environment(path: path, options: options)
      // Of another format they may lack tables.
      meta = try environment.openTables([ProjectionSchema.meta], create: false)[0]
      let format = try Self.text(environment.read(), meta, ProjectionSchema.formatKey)
      guard format == ProjectionSchema.format else { throw ProjectionsError.unknownFormat(format) }
      let tables = try environment.openTables(ProjectionSchema.tables, create: false)
      (snapshots, customers, carriers) = (tables[0], tables[1], tables[2])
      (activity, checkpoints) = (tables[3], tables[4])
    } catch {
      throw ProjectionsError(error)
    }
  }

  /// Begins a view of all tables as of the last flush.
  public func view() throws(ProjectionsError) -> ProjectionsView {
    do throws(LMDBError) {
      return ProjectionsView(
        transaction: try environment.read(), snapshots: snapshots, customers: customers, carriers: carriers,
        activity: activity,
        checkpoints: checkpoints)
    } catch {
      throw .storage(error)
    }
  }

  /// Removes the projections in the folder `path`, which must not be open.
  public static func remove(path: String) throws(ProjectionsError) {
    do throws(SystemError) {
      try Files.removeDirectory(path)
    } catch {
      throw .storage(LMDBError(error))
    }
  }

  /// Why the projections in `path` can't be used, nil when they can or there are none.
  private static func reasonToRebuild(
    path: String, storeID: String, options: Environment.Options
  ) throws(LMDBError) -> String? {
    guard try Environment.exists(path) else { return nil }
    do throws(LMDBError) {
      let environment = try Environment(path: path, options: options)
      let meta = try environment.openTables([ProjectionSchema.meta])[0]
      let reader = try environment.read()
      guard let format = try reader.value(meta, ProjectionSchema.formatKey.span) else { return "they have no format" }
      guard String(validating: format) == ProjectionSchema.format else { return "they have another format" }
      guard let log = try reader.value(meta, ProjectionSchema.logKey.span), String(validating: log) == storeID else {
        return "they belong to another log"
      }
      return nil
    } catch {
      guard error.isDamage || error.isVersionMismatch else { throw error }
      return error.description
    }
  }

  /// Writes a part of the overlay in one transaction: snapshots, indexes and checkpoints change together or not at all.
  ///
  /// Keys go in sorted, so that each page of the tree is touched once. Throws when it isn't durable.
  public func flush(_ publication: Publication) throws(ProjectionsError) {
    do throws(LMDBError) {
      var transaction = try environment.write()
      try flushSnapshots(publication, &transaction)
      try flushCustomers(publication, &transaction)
      for (tenant, checkpoint) in publication.checkpoints {
        let key = Array(tenant.description.utf8)
        try transaction.put(checkpoints, key.span, checkpoint.encoded(key: key.span).span)
      }
      try transaction.commit()
    } catch {
      throw .storage(error)
    }
  }

  /// Writes the snapshots, and moves their entries in the index of activity that don't serve any more.
  private func flushSnapshots(
    _ publication: Publication, _ transaction: inout WriteTransaction
  ) throws(LMDBError) {
    var obsolete: [ActivityKey] = []
    var entries: [ActivityKey] = []
    var changed = publication.snapshots
    for key in publication.overtaken where changed[key] == nil {
      guard let stored = try transaction.value(snapshots, key.bytes.span) else { continue }
      let snapshot = SnapshotEntry.snapshot(stored, key.bytes.span)
      if !snapshot.isEmpty { changed[key] = [UInt8](copying: snapshot) }
    }
    for (key, snapshot) in changed.sorted(by: { $0.key < $1.key }) {
      // A snapshot that is damaged on disk is overwritten here; its entry, if any, may be left over, and is found by
      // verify. The sweeper's commands are decided on by the snapshot, so that it does no harm.
      var before: ActivityPlace?
      if let stored = try transaction.value(snapshots, key.bytes.span) { before = SnapshotEntry.place(stored, of: key) }
      var after = ActivityPlace(snapshot: snapshot.span, of: key)
      if let exact = after, let before, before.serves(exact), !publication.overtaken.contains(key) { after = before }
      let value = SnapshotEntry.encode(snapshot.span, of: key, at: after)
      try transaction.put(snapshots, key.bytes.span, value.span)
      guard before != after else { continue }
      if let before { obsolete.append(ActivityKey(before, of: key)) }
      if let after { entries.append(ActivityKey(after, of: key)) }
    }
    for entry in obsolete.sorted() { try transaction.remove(activity, entry.bytes.span) }
    let nothing: [UInt8] = []
    for entry in entries.sorted() { try transaction.put(activity, entry.bytes.span, nothing.span) }
  }

  /// Takes the erased sessions out of the index of customers, then adds what they and others have carried since.
  private func flushCustomers(
    _ publication: Publication, _ transaction: inout WriteTransaction
  ) throws(LMDBError) {
    for session in publication.erased.sorted() {
      for (carrier, customer) in try Self.carried(by: session, transaction.cursor(carriers)) {
        try transaction.remove(carriers, carrier.span)
        try transaction.remove(customers, customer.bytes.span)
      }
    }
    let entries = publication.customers.values.flatMap { $0 }.sorted()
    for entry in entries {
      try transaction.put(customers, entry.bytes.span, KeySeal.bytes(of: entry.bytes.span).span)
    }
    for carrier in entries.map(\.carrier.bytes).sorted(by: { $0.span.precedes($1.span) }) {
      try transaction.put(carriers, carrier.span, KeySeal.bytes(of: carrier.span).span)
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

  /// Frees the reader slots of processes that died.
  @discardableResult
  public func clearStaleReaders() throws(ProjectionsError) -> Int {
    do throws(LMDBError) {
      return try environment.clearStaleReaders()
    } catch {
      throw .storage(error)
    }
  }

  /// What is wrong with the pages of their file, nil when nothing is. Reads all of it.
  public func pageProblem() -> String? { environment.pageProblem() }

  /// How much of the environment is in use.
  public var usage: Environment.Usage { environment.usage }
}
