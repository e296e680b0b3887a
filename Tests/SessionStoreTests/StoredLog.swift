import LMDB
import Platform
import SessionCodec
import SessionModel
import TestSupport

@testable import EventLog

/// The log of a store that isn't open, to look at and to damage.
struct StoredLog {
  let log: EventLog

  @discardableResult
  init(_ folder: TemporaryFolder, _ body: (StoredLog) throws -> Void) throws {
    log = try EventLog(path: folder("log"), options: TestStore.environment)
    try body(self)
  }

  /// The bytes under which a record is stored.
  func stored(_ tenant: TenantID, _ position: UInt64) throws -> [UInt8] {
    let reader = try log.environment.read()
    guard let value = try reader.value(log.events, LogSchema.key(tenant, position).span) else { return [] }
    return [UInt8](copying: value)
  }

  /// Puts bytes in a record's place; nil removes it.
  func store(_ bytes: [UInt8]?, _ tenant: TenantID, _ position: UInt64) throws {
    var transaction = try log.environment.write()
    let key = LogSchema.key(tenant, position)
    if let bytes {
      try transaction.put(log.events, key.span, bytes.span)
    } else {
      try transaction.remove(log.events, key.span)
    }
    try transaction.commit()
  }

  /// The chain of each of a tenant's records.
  func chains(_ tenant: TenantID) throws -> [Digest] {
    var chains: [Digest] = []
    _ = try log.replay(tenant, after: 0, limit: .max) { frame throws(DamagedRecord) in
      chains.append(frame.chain)
      return true
    }
    return chains
  }

  /// All events of a tenant.
  func events(_ tenant: TenantID) throws -> [Event] {
    var events: [Event] = []
    _ = try log.replay(tenant, after: 0, limit: .max) { frame throws(DamagedRecord) in
      events.append(try frame.event())
      return true
    }
    return events
  }
}
