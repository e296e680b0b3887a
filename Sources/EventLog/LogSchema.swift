internal import Platform
public import SessionModel

// The tables of the environment log/. Keys sort by their bytes, so their numbers are big-endian; values are
// little-endian.
//
//   events   tenant ‖ 0 ‖ u64 position   →  frame (Frame.swift)
//   meta     "format"                    →  text: the format of the environment, "1"
//            "store"                     →  16 random bytes that name this store
//            "removing " ‖ tenant        →  nothing: the tenant's removal has begun and not ended

/// Names and keys of the log's tables.
public enum LogSchema {
  static let events: StaticString = "events"
  static let meta: StaticString = "meta"
  static var formatKey: [UInt8] { Array("format".utf8) }
  static var storeKey: [UInt8] { Array("store".utf8) }
  static var removalPrefix: [UInt8] { Array("removing ".utf8) }
  /// The format of the environment that this version writes.
  public static let format = "1"

  /// The key of a tenant's record at `position`.
  public static func key(_ tenant: TenantID, _ position: UInt64) -> [UInt8] {
    let name = tenant.description
    var key: [UInt8] = []
    key.append(addingCapacity: name.utf8.count + 9) { key in
      name.withBytes { key.append(copying: $0) }
      key.append(0)
      key.appendLittleEndian(position.byteSwapped)
    }
    return key
  }

  /// The first key behind that of a tenant's record at `position`, which in a damaged key may be the last there is.
  static func key(_ tenant: TenantID, after position: UInt64) -> [UInt8] {
    position < .max ? key(tenant, position + 1) : end(of: tenant)
  }

  /// What the keys of all of a tenant's records begin with.
  static func prefix(of tenant: TenantID) -> [UInt8] {
    Array(tenant.description.utf8) + [0]
  }

  /// The first key behind all of a tenant's records.
  static func end(of tenant: TenantID) -> [UInt8] {
    Array(tenant.description.utf8) + [1]
  }

  /// The position in a key of `tenant`'s, nil when the key is another tenant's.
  static func position(_ key: Span<UInt8>, in tenant: TenantID) -> UInt64? {
    tenant.description.withBytes { name in
      guard key.count == name.count + 9, key[name.count] == 0, key.extracting(0..<name.count).isEqual(to: name) else {
        return nil
      }
      return key.loadBigEndian(at: name.count + 1)
    }
  }

  /// The tenant and position that `key` stands for.
  static func parse(_ key: Span<UInt8>) throws(EventLogError) -> (tenant: TenantID, position: UInt64) {
    let nameEnd = key.count - 9
    guard nameEnd > 0, key[nameEnd] == 0, let name = String(validating: key.extracting(0..<nameEnd)),
      let tenant = TenantID(name)
    else { throw .damagedKey(reason: "the key \(hexadecimal(key)) names no tenant and position") }
    return (tenant, key.loadBigEndian(at: nameEnd + 1))
  }
}
