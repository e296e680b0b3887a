public import LMDB
internal import Platform

extension Projections {
  /// The name of the store whose log was folded into them.
  public func storeID() throws(ProjectionsError) -> String {
    do {
      let reader = try environment.read()
      return try Self.text(reader, tables.meta, ProjectionSchema.logKey)
    } catch {
      throw ProjectionsError(error)
    }
  }

  static func text(
    _ reader: borrowing ReadTransaction, _ table: Table, _ key: [UInt8]
  ) throws -> String {
    guard let value = try reader.value(table, key.span), let text = String(validating: value) else {
      throw ProjectionsError.damaged(reason: "they don't say what format and whose they are")
    }
    return text
  }

  /// The format that this version reads and writes.
  public static var currentFormat: String { ProjectionSchema.format }

  /// The read transactions that are open now, in whatever process.
  public func openReaders() throws(ProjectionsError) -> [Environment.OpenReader] {
    do throws(LMDBError) {
      return try environment.openReaders()
    } catch {
      throw .storage(error)
    }
  }
}
