import LMDB
import Platform
import TestSupport

/// An environment with one table of texts, in a folder of its own.
final class TestEnvironment: Sendable {
  static let options = Environment.Options(mapSizeBytes: 1 << 24)

  let environment: Environment
  let table: Table
  private let folder: TemporaryFolder

  convenience init(options: Environment.Options = TestEnvironment.options) throws {
    try self.init(TemporaryFolder(), options: options)
  }

  init(_ folder: TemporaryFolder, options: Environment.Options = TestEnvironment.options) throws {
    self.folder = folder
    environment = try Environment(path: folder.path, options: options)
    table = try environment.openTables(["table"])[0]
  }

  func put(_ entries: [String: String]) throws {
    var transaction = try environment.write()
    for (key, value) in entries { try transaction.put(table, Array(key.utf8).span, Array(value.utf8).span) }
    try transaction.commit()
  }

  func insert(_ key: String, _ value: String) throws {
    var transaction = try environment.write()
    try transaction.insert(table, Array(key.utf8).span, Array(value.utf8).span)
    try transaction.commit()
  }

  func value(_ key: String) throws -> String? {
    let reader = try environment.read()
    return text(try reader.value(table, Array(key.utf8).span))
  }

  /// All entries in order, as `key=value`.
  func all() throws -> [String] {
    let reader = try environment.read()
    var cursor = try reader.cursor(table)
    var entries: [String] = []
    while let entry = text(try cursor.next()) { entries.append(entry) }
    return entries
  }
}

/// A value as text.
func text(_ value: Span<UInt8>?) -> String? {
  guard let value else { return nil }
  return String(validating: value)
}

/// An entry as `key=value`.
func text(_ entry: borrowing Cursor.Entry?) -> String? {
  guard let entry = copy entry else { return nil }
  return "\(String(validating: entry.key) ?? "?")=\(String(validating: entry.value) ?? "?")"
}
