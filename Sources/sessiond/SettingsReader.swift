internal import FoundationEssentials

/// A key of any name in a JSON5 object.
struct SettingKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }

  init(_ name: String) { stringValue = name }
  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

/// Reads one object of the configuration key by key; a key that nobody has asked for is an error at the end.
final class SettingsReader {
  private let container: KeyedDecodingContainer<SettingKey>
  private let path: String
  private var unread: Set<String>

  init(_ decoder: any Decoder, path: String = "") throws {
    do {
      container = try decoder.container(keyedBy: SettingKey.self)
    } catch {
      throw SettingsError(path.isEmpty ? "the file must hold one object" : "\(path): must be an object")
    }
    self.path = path
    unread = Set(container.allKeys.map(\.stringValue))
  }

  private func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  /// Whether the key is there; null is a value like others, and of the wrong type everywhere.
  private func take(_ key: String) -> Bool {
    unread.remove(key)
    return container.contains(SettingKey(key))
  }

  private func decode<Value: Decodable>(_ key: String, _ type: Value.Type, _ expected: String) throws -> Value? {
    guard take(key) else { return nil }
    do {
      return try container.decode(type, forKey: SettingKey(key))
    } catch let error as SettingsError {
      throw error
    } catch {
      throw SettingsError("\(name(key)): must be \(expected)")
    }
  }

  /// Sets `target` to a whole number when the key is there.
  func number<Number: FixedWidthInteger>(_ key: String, _ range: ClosedRange<Int>, into target: inout Number) throws {
    guard let value = try decode(key, Int.self, "a whole number") else { return }
    guard range.contains(value) else {
      throw SettingsError("\(name(key)): must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
    }
    target = Number(value)
  }

  /// Sets `target` to a number of seconds, fractions allowed, when the key is there.
  func seconds(_ key: String, _ range: ClosedRange<Double>, into target: inout Double) throws {
    guard let value = try decode(key, Double.self, "a number of seconds") else { return }
    guard range.contains(value) else {
      throw SettingsError("\(name(key)): must be from \(range.lowerBound) to \(range.upperBound) seconds, not \(value)")
    }
    target = value
  }

  /// Sets `target` to true or false when the key is there.
  func flag(_ key: String, into target: inout Bool) throws {
    if let value = try decode(key, Bool.self, "true or false") { target = value }
  }

  /// A text that isn't empty, nil when the key is missing.
  func text(_ key: String) throws -> String? {
    guard let value = try decode(key, String.self, "a text") else { return nil }
    guard !value.isEmpty else { throw SettingsError("\(name(key)): must not be empty") }
    return value
  }

  /// A list of texts that aren't empty, nil when the key is missing.
  func texts(_ key: String) throws -> [String]? {
    guard let values = try decode(key, [String].self, "a list of texts") else { return nil }
    guard !values.contains("") else { throw SettingsError("\(name(key)): holds an empty text") }
    return values
  }

  /// Hands the object under `key` to `body` when it is there.
  func section(_ key: String, _ body: (SettingsReader) throws -> Void) throws {
    guard take(key) else { return }
    let decoder = try container.superDecoder(forKey: SettingKey(key))
    let reader = try SettingsReader(decoder, path: name(key))
    try body(reader)
    try reader.finish()
  }

  /// Hands each object of the list under `key` to `body`.
  func sections(_ key: String, _ body: (SettingsReader) throws -> Void) throws {
    guard take(key) else { return }
    guard var list = try? container.nestedUnkeyedContainer(forKey: SettingKey(key)) else {
      throw SettingsError("\(name(key)): must be a list of objects")
    }
    while !list.isAtEnd {
      let path = "\(name(key))[\(list.currentIndex)]"
      let reader = try SettingsReader(try list.superDecoder(), path: path)
      try body(reader)
      try reader.finish()
    }
  }

  /// An error about `key`.
  func error(_ key: String, _ what: String) -> SettingsError { SettingsError("\(name(key)): \(what)") }

  /// Refuses keys that nothing has asked for.
  func finish() throws {
    if let unknown = unread.min() { throw SettingsError("\(name(unknown)): there is no such setting") }
  }
}
