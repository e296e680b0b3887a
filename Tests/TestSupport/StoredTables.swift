internal import LMDB

/// Changes a table of the projections in `folder`, which nobody has open; nil takes the entry away.
public func changeProjections(
  _ folder: TemporaryFolder, _ table: StaticString, _ key: [UInt8], _ value: [UInt8]?
) throws {
  let environment = try Environment(
    path: folder("projections"), options: Environment.Options(mapSizeBytes: 1 << 27))
  let table = try environment.openTables([table])[0]
  var transaction = try environment.write()
  if let value {
    try transaction.put(table, key.span, value.span)
  } else {
    try transaction.remove(table, key.span)
  }
  try transaction.commit()
}
