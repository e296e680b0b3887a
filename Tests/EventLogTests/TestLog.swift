import LMDB
import Platform
import SessionCodec
import SessionModel
import TestSupport

@testable import EventLog

/// A log in a folder of its own, with the means to write events and to damage records.
final class TestLog {
  static let options = Environment.Options(mapSizeBytes: 1 << 26)

  let log: EventLog
  let folder: TemporaryFolder

  init(_ folder: TemporaryFolder? = nil) throws {
    self.folder = try folder ?? TemporaryFolder()
    log = try EventLog(path: self.folder("log"), options: Self.options)
  }

  /// Events as the tests need them: `number` tells them apart.
  static func event(_ session: String = "s1", position: UInt64, number: Int = 0, previous: UInt64 = 0) -> Event {
    Event(
      position: position, previousPosition: previous, life: 1, version: UInt32(position),
      recordedAt: Instant(microseconds: 1_000_000 + Int64(position)), sessionID: SessionID(valid: session),
      kind: position == 1 ? .started : .patched,
      changes: ContextChanges(fields: [.init(field: .cartID, value: "cart-\(number)")]),
      origin: Origin(actor: "service:test"), request: nil)
  }

  /// The record of an event behind one with the chain `previous`.
  static func frame(_ event: Event, of tenant: TenantID, after previous: Digest) -> (bytes: [UInt8], chain: Digest) {
    let salt = [UInt8](repeating: 0xa5, count: Frame.saltByteCount)
    return Frame.encode(event, tenant: tenant, salt: salt.span, previousChain: previous)
  }

  /// The records of so many events that follow `tail`, and the new tail.
  static func records(
    _ count: Int, of tenant: TenantID, after tail: LogTail = .empty
  ) -> (records: [LogRecord], tail: LogTail) {
    var tail = tail
    var records: [LogRecord] = []
    for number in 0..<count {
      let event = event(position: tail.position + 1, number: number)
      let frame = frame(event, of: tenant, after: tail.chain)
      tail = LogTail(position: event.position, chain: frame.chain, recordedAt: event.recordedAt)
      records.append(LogRecord(tenant: tenant, position: event.position, frame: frame.bytes))
    }
    return (records, tail)
  }

  /// Appends so many events behind the log's end.
  @discardableResult
  func append(_ count: Int, to tenant: TenantID) throws -> LogTail {
    let before = try log.tail(of: tenant)
    let (records, tail) = Self.records(count, of: tenant, after: before)
    guard try log.append(records, expecting: [tenant: before.position]) == .committed else {
      throw EventLogError.damagedKey(reason: "somebody else writes to the test's log")
    }
    return tail
  }

  /// The bytes under which a record is stored.
  func stored(_ tenant: TenantID, _ position: UInt64) throws -> [UInt8] {
    let reader = try log.environment.read()
    guard let value = try reader.value(log.events, LogSchema.key(tenant, position).span) else { return [] }
    return [UInt8](copying: value)
  }

  /// The chain up to a record.
  func chain(_ tenant: TenantID, _ position: UInt64) throws -> Digest {
    let bytes = try stored(tenant, position)
    let key = LogSchema.key(tenant, position)
    return try FrameView(bytes.span, key: key.span).chain
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

  /// The cart ids of all events from a position on, as far as they can be read in pages.
  func carts(_ tenant: TenantID, after position: UInt64 = 0, page: Int = 1000) throws -> [String] {
    var carts: [String] = []
    var last = position
    while true {
      let next = try log.replay(tenant, after: last, limit: page) { frame throws(DamagedRecord) in
        carts.append(try frame.event().changes.fields.first?.value ?? "-")
        return true
      }
      if next == last { return carts }
      last = next
    }
  }
}

/// What is wrong with the first record of `log` that doesn't prove itself and follow its predecessor, nil when all do.
func problem(in log: EventLog, _ tenant: TenantID) -> String? {
  var proof = ChainProof()
  var problem: String?
  do {
    var last: UInt64 = 0
    while problem == nil {
      let next = try log.replay(tenant, after: last, limit: 2) { frame throws(DamagedRecord) in
        problem = proof.take(frame).first
        _ = try frame.event()
        return problem == nil
      }
      if next == last { return problem }
      last = next
    }
  } catch {
    return "\(error)"
  }
  return problem
}
