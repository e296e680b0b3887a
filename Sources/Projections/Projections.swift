public import EventLog
public import LMDB
internal import Platform
public import SessionCodec
public import SessionModel

/// What can be folded from the log, on disk: snapshots, the index of customers, and how far the folding has come.
public final class Projections: Sendable {
  private let environment: Environment
  private let snapshots: Table
  private let customers: Table
  private let checkpoints: Table

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
      try self.init(opening: path, storeID: storeID, options: options)
    } catch {
      throw ProjectionsError(error)
    }
  }

  private init(opening path: String, storeID: String, options: Environment.Options) throws {
    environment = try Environment(path: path, options: options)
    let tables = try environment.openTables([
      ProjectionSchema.snapshots, ProjectionSchema.customers, ProjectionSchema.checkpoints, ProjectionSchema.meta,
    ])
    (snapshots, customers, checkpoints) = (tables[0], tables[1], tables[2])
    var transaction = try environment.write()
    try transaction.put(tables[3], ProjectionSchema.formatKey.span, Array(ProjectionSchema.format.utf8).span)
    try transaction.put(tables[3], ProjectionSchema.logKey.span, Array(storeID.utf8).span)
    try transaction.commit()
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
    guard Files.exists(path + "/data.mdb") else { return nil }
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

  /// Hands the snapshot of a session to `body`, nil when the projections have none.
  public func withSnapshot<Result>(
    _ key: SessionKey, _ body: (Span<UInt8>?) throws(DamagedRecord) -> Result
  ) throws(ProjectionsError) -> Result {
    do {
      let reader = try environment.read()
      return try body(try reader.value(snapshots, key.bytes.span))
    } catch {
      throw ProjectionsError(error)
    }
  }

  /// How far `tenant`'s log has been folded in.
  public func checkpoint(of tenant: TenantID) throws(ProjectionsError) -> LogTail {
    do {
      let reader = try environment.read()
      let key = Array(tenant.description.utf8)
      guard let value = try reader.value(checkpoints, key.span) else { return .empty }
      return try Checkpoint.decode(value, key: key.span)
    } catch {
      throw ProjectionsError(error)
    }
  }

  /// The tenants that have a checkpoint.
  public func tenants() throws(ProjectionsError) -> [TenantID] {
    do {
      let reader = try environment.read()
      var cursor = try reader.cursor(checkpoints)
      var tenants: [TenantID] = []
      while let entry = try cursor.next() {
        guard let tenant = String(validating: entry.key).flatMap({ TenantID($0) }) else {
          throw DamagedRecord("a checkpoint names no tenant")
        }
        tenants.append(tenant)
      }
      return tenants
    } catch {
      throw ProjectionsError(error)
    }
  }

  /// The sessions that carry or carried a customer's id, in order, at most `limit` after `session`.
  public func sessions(
    of customer: String, in tenant: TenantID, after session: SessionID? = nil, limit: Int
  ) throws(ProjectionsError) -> [SessionID] {
    do {
      let reader = try environment.read()
      var cursor = try reader.cursor(customers)
      let prefix = CustomerKey.prefix(tenant, customer: customer)
      var next = try cursor.seek((prefix + Array((session?.description ?? "").utf8)).span)
      var sessions: [SessionID] = []
      while sessions.count < limit, let entry = next, entry.key.count > prefix.count,
        entry.key.extracting(0..<prefix.count).isEqual(to: prefix.span)
      {
        guard let name = String(validating: entry.key.extracting(prefix.count..<entry.key.count)),
          let id = SessionID(name)
        else { throw DamagedRecord("the index of customers names no session") }
        if id != session { sessions.append(id) }
        next = try cursor.next()
      }
      return sessions
    } catch {
      throw ProjectionsError(error)
    }
  }

  /// Writes a part of the overlay in one transaction: snapshots, index and checkpoints change together or not at all.
  ///
  /// Keys go in sorted, so that each page of the tree is touched once. Throws when it isn't durable.
  public func flush(_ publication: Publication) throws(ProjectionsError) {
    do throws(LMDBError) {
      var transaction = try environment.write()
      let ordered = publication.snapshots.sorted { $0.key < $1.key }
      for (key, snapshot) in ordered { try transaction.put(snapshots, key.bytes.span, snapshot.span) }
      let nothing: [UInt8] = []
      for key in publication.customers.sorted() { try transaction.put(customers, key.bytes.span, nothing.span) }
      for (tenant, tail) in publication.tails {
        let key = Array(tenant.description.utf8)
        try transaction.put(checkpoints, key.span, Checkpoint.encode(tail, key: key.span).span)
      }
      try transaction.commit()
    } catch {
      throw .storage(error)
    }
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

  /// How many sessions have a snapshot.
  public func sessionCount() throws(ProjectionsError) -> Int {
    do throws(LMDBError) {
      return try environment.read().count(snapshots)
    } catch {
      throw .storage(error)
    }
  }

  /// How much of the environment is in use.
  public var usage: Environment.Usage { environment.usage }
}
