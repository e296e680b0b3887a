internal import EventLog
public import LMDB
internal import Platform
internal import SessionCodec
internal import SessionModel

/// What can be folded from the log, on disk: snapshots, the index of customers, and how far the folding has come.
public final class Projections: Sendable {
  let environment: Environment
  private let snapshots: Table
  private let customers: Table
  private let checkpoints: Table
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
    (snapshots, customers, checkpoints, meta) = (tables[0], tables[1], tables[2], tables[3])
    var transaction = try environment.write()
    try transaction.put(meta, ProjectionSchema.formatKey.span, Array(ProjectionSchema.format.utf8).span)
    try transaction.put(meta, ProjectionSchema.logKey.span, Array(storeID.utf8).span)
    try transaction.commit()
  }

  /// Opens the projections in the folder `path` for reading alone, beside the daemon that writes them.
  public init(readOnly path: String, options: Environment.Options) throws(ProjectionsError) {
    var options = options
    options.isReadOnly = true
    do throws(LMDBError) {
      environment = try Environment(path: path, options: options)
      let tables = try environment.openTables(
        [ProjectionSchema.snapshots, ProjectionSchema.customers, ProjectionSchema.checkpoints, ProjectionSchema.meta],
        create: false)
      (snapshots, customers, checkpoints, meta) = (tables[0], tables[1], tables[2], tables[3])
    } catch {
      throw .storage(error)
    }
  }

  /// Begins a view of all tables as of the last flush.
  public func view() throws(ProjectionsError) -> ProjectionsView {
    do throws(LMDBError) {
      return ProjectionsView(
        transaction: try environment.read(), snapshots: snapshots, customers: customers, checkpoints: checkpoints)
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
      for (tenant, checkpoint) in publication.checkpoints {
        let key = Array(tenant.description.utf8)
        try transaction.put(checkpoints, key.span, checkpoint.encoded(key: key.span).span)
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

  /// How much of the environment is in use.
  public var usage: Environment.Usage { environment.usage }
}
