internal import EventLog
public import LMDB
internal import Platform
internal import SessionCodec
internal import SessionModel

/// What can be folded from the log, on disk: snapshots, the index of customers, and how far the folding has come.
public final class Projections: Sendable {
  let environment: Environment
  let tables: Tables

  /// The tables of the environment, open.
  struct Tables {
    let snapshots: Table
    let customers: Table
    let carriers: Table
    let activity: Table
    let checkpoints: Table
    let meta: Table

    /// Opened as ``ProjectionSchema/tables``, in that order.
    init(_ opened: [Table]) {
      (snapshots, customers, carriers) = (opened[0], opened[1], opened[2])
      (activity, checkpoints, meta) = (opened[3], opened[4], opened[5])
    }
  }

  /// Opens the projections of the store `storeID` in the folder `path`; empty ones when the folder is missing.
  ///
  /// When they are of another format or of another store, damaged or written by another version of LMDB, they are
  /// removed and begun anew: the log has everything. `notice` is told why. Throws when they can't be opened for another
  /// reason.
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
    let opened = try environment.openTables(ProjectionSchema.tables) { transaction, opened throws(LMDBError) in
      let meta = Tables(opened).meta
      try transaction.put(meta, ProjectionSchema.formatKey.span, Array(ProjectionSchema.format.utf8).span)
      try transaction.put(meta, ProjectionSchema.logKey.span, Array(storeID.utf8).span)
    }
    tables = Tables(opened)
  }

  /// Opens the projections in the folder `path` for reading alone, beside the daemon that writes them. Throws when they
  /// have another format, or can't be opened.
  public init(readOnly path: String, options: Environment.Options) throws(ProjectionsError) {
    var options = options
    options.isReadOnly = true
    do {
      environment = try Environment(path: path, options: options)
      // Of another format they may lack tables.
      let meta = try environment.openTables([ProjectionSchema.meta])[0]
      let format = try Self.text(environment.read(), meta, ProjectionSchema.formatKey)
      guard format == ProjectionSchema.format else { throw ProjectionsError.unknownFormat(format) }
      tables = Tables(try environment.openTables(ProjectionSchema.tables))
    } catch {
      throw ProjectionsError(error)
    }
  }

  /// Begins a view of all tables as of the last flush.
  public func view() throws(ProjectionsError) -> ProjectionsView {
    do throws(LMDBError) {
      return ProjectionsView(transaction: try environment.read(), tables: tables)
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
      guard try environment.hasTables() else { return "they have no format" }
      let meta = try environment.openTables([ProjectionSchema.meta])[0]
      let reader = try environment.read()
      guard let format = try reader.value(meta, ProjectionSchema.formatKey.span) else { return "they have no format" }
      guard String(validating: format) == ProjectionSchema.format else { return "they have another format" }
      guard let log = try reader.value(meta, ProjectionSchema.logKey.span), String(validating: log) == storeID else {
        return "they belong to another log"
      }
      _ = try environment.openTables(ProjectionSchema.tables)
      return nil
    } catch {
      guard error.isDamage || error.isVersionMismatch else { throw error }
      return error.description
    }
  }

  /// Frees the reader slots of processes that died.
  public func clearStaleReaders() throws(ProjectionsError) {
    do throws(LMDBError) {
      try environment.clearStaleReaders()
    } catch {
      throw .storage(error)
    }
  }

  /// What is wrong with the pages of their file, nil when nothing is. Reads all of it.
  public func pageProblem() throws(ProjectionsError) -> String? {
    do throws(LMDBError) {
      return try environment.pageProblem()
    } catch {
      throw .storage(error)
    }
  }

  /// How much of the environment is in use.
  public var usage: Environment.Usage { environment.usage }
}
