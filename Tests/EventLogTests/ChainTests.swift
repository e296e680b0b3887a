import Platform
import SessionModel
import Testing
import TestSupport

@testable import EventLog

@Suite("the chain of a log") struct ChainTests {
  let tenant = TenantID(valid: "acme")

  private func filled(_ count: Int = 5) throws -> TestLog {
    let test = try TestLog()
    try test.append(count, to: tenant)
    return test
  }

  @Test("a good log proves itself")
  func good() throws {
    #expect(problem(in: try filled().log, tenant) == nil)
    #expect(problem(in: try TestLog().log, tenant) == nil)
  }

  @Test("any record with a tampered byte is found, though its checksum was made to fit")
  func tampered() throws {
    let test = try filled(3)
    var randomness = SeededRandomness(seed: 1)
    for position in 1...3 as ClosedRange<UInt64> {
      let good = try test.stored(tenant, position)
      for byte in 8..<good.count {
        let bad = good.flipping(bit: byte * 8 + randomness.number(0...7))
        try test.store(resealed(bad, tenant, position), tenant, position)
        #expect(problem(in: test.log, tenant) != nil, "byte \(byte) of record \(position)")
      }
      try test.store(good, tenant, position)
    }
    #expect(problem(in: test.log, tenant) == nil)
  }

  @Test("a record with a new payload, digest and chain of its own breaks the chain behind it")
  func rewritten() throws {
    let test = try filled()
    var event = try #require(try test.log.event(tenant, 3))
    event.changes = ContextChanges(fields: [.init(field: .cartID, value: "forged")])
    let chain = try test.chain(tenant, 2)
    let forged = TestLog.frame(event, of: tenant, after: chain)
    try test.store(forged.bytes, tenant, 3)
    #expect(try test.carts(tenant) == ["cart-0", "cart-1", "forged", "cart-3", "cart-4"])
    #expect(problem(in: test.log, tenant) == "the record doesn't fit the chain")
  }

  @Test("records that change places are found, whether or not they are sealed for their new one")
  func reordered() throws {
    for isSealed in [false, true] {
      let test = try filled()
      let (two, three) = (try test.stored(tenant, 2), try test.stored(tenant, 3))
      try test.store(isSealed ? resealed(three, tenant, 2) : three, tenant, 2)
      try test.store(isSealed ? resealed(two, tenant, 3) : two, tenant, 3)
      #expect(problem(in: test.log, tenant) != nil)
    }
  }

  @Test("records that change places and positions break the chain")
  func reorderedAndRenumbered() throws {
    let test = try filled()
    for (from, to) in [(2, 3), (3, 2)] as [(UInt64, UInt64)] {
      var frame = TestLog.records(5, of: tenant).records[Int(from - 1)].frame
      frame.storeLittleEndian(to, at: 20)
      try test.store(resealed(frame, tenant, to), tenant, to)
    }
    #expect(try test.carts(tenant) == ["cart-0", "cart-2", "cart-1", "cart-3", "cart-4"])
    #expect(problem(in: test.log, tenant) == "the record doesn't fit the chain")
  }

  @Test("a dropped record is a hole; when those behind move up, the chain breaks", arguments: [1, 2, 4] as [UInt64])
  func dropped(_ position: UInt64) throws {
    let test = try filled()
    try test.store(nil, tenant, position)
    #expect(
      problem(in: test.log, tenant)
        == "the log of tenant acme is damaged at position \(position): the record is missing; restore it from a backup")
    let records = TestLog.records(5, of: tenant).records
    for moved in position..<5 {
      var frame = records[Int(moved)].frame
      frame.storeLittleEndian(moved, at: 20)
      try test.store(resealed(frame, tenant, moved), tenant, moved)
    }
    try test.store(nil, tenant, 5)
    #expect(problem(in: test.log, tenant) == "the record doesn't fit the chain")
  }

  @Test("an inserted record breaks the chain")
  func inserted() throws {
    let test = try filled()
    let records = TestLog.records(5, of: tenant).records
    for moved in (3...5).reversed() {
      var frame = records[moved - 1].frame
      frame.storeLittleEndian(UInt64(moved + 1), at: 20)
      try test.store(resealed(frame, tenant, UInt64(moved + 1)), tenant, UInt64(moved + 1))
    }
    let chain = try test.chain(tenant, 2)
    let forged = TestLog.frame(TestLog.event(position: 3, number: 99), of: tenant, after: chain)
    try test.store(forged.bytes, tenant, 3)
    #expect(try test.carts(tenant).count == 6)
    #expect(problem(in: test.log, tenant) == "the record doesn't fit the chain")
  }

  @Test("a record of another tenant's log doesn't fit into this one")
  func otherTenant() throws {
    let test = try filled()
    let other = TestLog.records(3, of: TenantID(valid: "rival")).records[2].frame
    try test.store(resealed(other, tenant, 3), tenant, 3)
    #expect(problem(in: test.log, tenant)?.contains("the record belongs to another place") == true)
  }

  @Test("a time before its predecessor's is found")
  func time() throws {
    let test = try TestLog()
    var (records, tail) = TestLog.records(1, of: tenant)
    var event = TestLog.event(position: 2)
    event.recordedAt = Instant(microseconds: 0)
    let frame = TestLog.frame(event, of: tenant, after: tail.chain)
    records.append(LogRecord(tenant: tenant, position: 2, frame: frame.bytes))
    tail.position = 2
    #expect(try test.log.append(records, expecting: [tenant: 0]) == .committed)
    #expect(problem(in: test.log, tenant) == "its time is before its predecessor's")
  }

  @Test(
    "the chain holds after payloads have been erased: one, some, all",
    arguments: [[3], [1, 5], [1, 2, 3, 4, 5]] as [[UInt64]])
  func erasedRecords(_ positions: [UInt64]) throws {
    let test = try filled()
    for position in positions {
      try test.store(erased(test.stored(tenant, position), tenant, position), tenant, position)
    }
    #expect(problem(in: test.log, tenant) == nil)
    for position in positions {
      #expect(try test.log.event(tenant, position)?.changes == ContextChanges())
    }
  }

  @Test("an append erases records before it and of its own batch, in the same commit; nothing else of them changes")
  func erase() throws {
    let test = try filled()
    let before = try (1...5 as ClosedRange<UInt64>).map { try test.stored(tenant, $0) }
    let (records, tail) = TestLog.records(2, of: tenant, after: try test.log.tail(of: tenant))
    let places = [1, 4, 6].map { LogPlace(tenant: tenant, position: $0) }
    #expect(try test.log.append(records, erasing: places, expecting: [tenant: 5]) == .committed)
    #expect(problem(in: test.log, tenant) == nil)
    #expect(try test.log.tail(of: tenant) == tail)
    #expect(try test.carts(tenant) == ["-", "cart-1", "cart-2", "-", "cart-4", "-", "cart-1"])
    for position in [1, 4] as [UInt64] {
      #expect(try test.stored(tenant, position) == erased(before[Int(position) - 1], tenant, position))
      #expect(try test.log.isErased(tenant, position))
    }
    #expect(try !test.log.isErased(tenant, 5))
    // Once more is the same.
    let again = TestLog.records(1, of: tenant, after: tail).records
    #expect(try test.log.append(again, erasing: places, expecting: [tenant: 7]) == .committed)
    #expect(problem(in: test.log, tenant) == nil)
  }

  @Test("what can't be erased undoes the whole append")
  func eraseMissing() throws {
    let test = try filled()
    let (records, _) = TestLog.records(1, of: tenant, after: try test.log.tail(of: tenant))
    let places = [1, 9].map { LogPlace(tenant: tenant, position: $0) }
    #expect(throws: EventLogError.damaged(tenant: tenant, position: 9, reason: "the record is missing")) {
      try test.log.append(records, erasing: places, expecting: [tenant: 5])
    }
    #expect(try test.log.tail(of: tenant).position == 5)
    #expect(try !test.log.isErased(tenant, 1))
  }

  @Test("a moved tail keeps an append from erasing, too")
  func eraseTailMoved() throws {
    let test = try filled()
    let (records, _) = TestLog.records(1, of: tenant, after: try test.log.tail(of: tenant))
    let places = [LogPlace(tenant: tenant, position: 1)]
    #expect(try test.log.append(records, erasing: places, expecting: [tenant: 4]) == .tailMoved(tenant))
    #expect(try !test.log.isErased(tenant, 1))
  }

  @Test("an erased record can't be tampered with, either")
  func tamperedErased() throws {
    let test = try filled(3)
    let good = erased(try test.stored(tenant, 2), tenant, 2)
    for byte in 8..<good.count {
      try test.store(resealed(good.flipping(bit: byte * 8 + 1), tenant, 2), tenant, 2)
      #expect(problem(in: test.log, tenant) != nil, "byte \(byte)")
    }
  }
}
