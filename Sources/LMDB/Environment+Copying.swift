extension Environment {
  /// What is copied in one transaction, in bytes of keys and values.
  private static let copiedBytesPerTransaction = 64 << 20

  /// Writes a consistent copy of `tables`, as of the last commit, to a new environment in the folder `path`, and makes it
  /// durable. Writers go on meanwhile; pages that they free are kept until the copy is done.
  ///
  /// Entry by entry: `mdb_env_copy2` with `MDB_CP_COMPACT` leaves free pages out, but it copies pages that hold a large
  /// value whole, and what is left over behind the value are bytes of whatever the writer's memory held before, erased
  /// ones too.
  ///
  /// Throws when there is an environment already, or it can't be written whole.
  public func copy(_ tables: [Table], to path: String) throws(LMDBError) {
    guard try !Self.exists(path) else {
      throw LMDBError(code: 17, operation: "create \(path)/data.mdb")
    }
    let copy = try Environment(path: path, options: Options(mapSizeBytes: usage.mapSizeBytes))
    let copies = try copy.openTables(tables.map(\.name))
    let reader = try read()
    for (table, target) in zip(tables, copies) {
      var cursor = try reader.cursor(table)
      var isAtEnd = false
      while !isAtEnd {
        var transaction = try copy.write()
        var byteCount = 0
        while byteCount < Self.copiedBytesPerTransaction, !isAtEnd {
          if let entry = try cursor.next() {
            try transaction.insert(target, entry.key, entry.value)
            byteCount += entry.key.count + entry.value.count
          } else {
            isAtEnd = true
          }
        }
        try transaction.commit()
      }
    }
  }
}
