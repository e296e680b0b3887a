internal import LMDB
internal import Platform

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

extension TemporaryFolder {
  /// Flips a bit in the end of a table's name wherever the LMDB file `file` has it; nobody has it open.
  public func damageName(ofTable table: StaticString, in file: String) throws {
    var bytes = try Files.read(self(file))
    let name = Array(table.description.utf8)
    // In a page the length of a key stands right before it.
    let stored = [UInt8(name.count), 0] + name
    for place in bytes.indices where bytes[place...].starts(with: stored) { bytes[place + 1 + name.count] ^= 1 }
    write(bytes, to: file)
  }
}
