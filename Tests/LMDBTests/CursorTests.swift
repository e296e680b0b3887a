import LMDB
import Platform
import Testing
import TestSupport

@Suite("LMDB cursors") struct CursorTests {
  /// What a walk of one step each comes to.
  private func walk(_ store: TestEnvironment, _ steps: (inout Cursor) throws -> Void) throws {
    let reader = try store.environment.read()
    var cursor = try reader.cursor(store.table)
    try steps(&cursor)
  }

  private func filled() throws -> TestEnvironment {
    let store = try TestEnvironment()
    try store.put(["b": "1", "d": "2", "dd": "3", "f": "4"])
    return store
  }

  @Test("a new cursor's next is the first entry and its previous the last")
  func fresh() throws {
    let store = try filled()
    try walk(store) { cursor in
      let entry = text(try cursor.next())
      #expect(entry == "b=1")
    }
    try walk(store) { cursor in
      let entry = text(try cursor.previous())
      #expect(entry == "f=4")
    }
  }

  @Test("it walks all entries in both directions and says where they end")
  func bothDirections() throws {
    try walk(try filled()) { cursor in
      var forward: [String] = []
      while let entry = text(try cursor.next()) { forward.append(entry) }
      #expect(forward == ["b=1", "d=2", "dd=3", "f=4"])
      var backward: [String] = []
      var entry = text(try cursor.last())
      while let found = entry {
        backward.append(found)
        entry = text(try cursor.previous())
      }
      #expect(backward == forward.reversed())
      let first = text(try cursor.first())
      #expect(first == "b=1")
    }
  }

  @Test(
    "seek finds the key or the first behind it",
    arguments: [
      ("a", "b=1"), ("b", "b=1"), ("c", "d=2"), ("d", "d=2"), ("da", "dd=3"), ("dd", "dd=3"), ("e", "f=4"),
      ("f", "f=4"), ("g", nil),
    ] as [(String, String?)])
  func seek(_ key: String, _ found: String?) throws {
    try walk(try filled()) { cursor in
      let entry = text(try cursor.seek(Array(key.utf8).span))
      #expect(entry == found)
    }
  }

  @Test(
    "seek(before:) finds the last entry in front of the key",
    arguments: [
      ("a", nil), ("b", nil), ("c", "b=1"), ("d", "b=1"), ("dc", "d=2"), ("dd", "d=2"), ("e", "dd=3"), ("f", "dd=3"),
      ("zz", "f=4"),
    ] as [(String, String?)])
  func seekBefore(_ key: String, _ found: String?) throws {
    try walk(try filled()) { cursor in
      let entry = text(try cursor.seek(before: Array(key.utf8).span))
      #expect(entry == found)
    }
  }

  @Test("a seek is where next and previous go on")
  func seekAndMove() throws {
    try walk(try filled()) { cursor in
      _ = try cursor.seek(Array("c".utf8).span)
      let next = text(try cursor.next())
      #expect(next == "dd=3")
      _ = try cursor.seek(before: Array("e".utf8).span)
      let previous = text(try cursor.previous())
      #expect(previous == "d=2")
    }
  }

  @Test("an empty table has no entry anywhere")
  func empty() throws {
    try walk(try TestEnvironment()) { cursor in
      let entries = [
        text(try cursor.first()), text(try cursor.last()), text(try cursor.next()), text(try cursor.previous()),
        text(try cursor.seek(Array("a".utf8).span)), text(try cursor.seek(before: Array("a".utf8).span)),
      ]
      #expect(entries.allSatisfy { $0 == nil })
    }
  }

  @Test("the spans of earlier entries stay good while the cursor moves on")
  func lifetimes() throws {
    try walk(try filled()) { cursor in
      let first = try cursor.first()
      let last = try cursor.last()
      let texts = [text(first), text(last)]
      #expect(texts == ["b=1", "f=4"])
    }
  }

  @Test("a cursor of a write transaction sees what it wrote")
  func inWrite() throws {
    let store = try filled()
    var transaction = try store.environment.write()
    try transaction.put(store.table, Array("a".utf8).span, Array("0".utf8).span)
    do {
      var cursor = try transaction.cursor(store.table)
      let entry = text(try cursor.first())
      #expect(entry == "a=0")
    }
    try transaction.commit()
    #expect(try store.all().first == "a=0")
  }

  @Test("it walks random keys as a sorted list does", arguments: propertySeeds())
  func random(_ seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    let store = try TestEnvironment()
    var entries: [String: String] = [:]
    for _ in 0..<300 {
      let key = String(decoding: randomness.bytes(randomness.number(1...3)).map { 0x61 + $0 % 8 }, as: UTF8.self)
      entries[key] = "\(entries.count)"
    }
    try store.put(entries)
    let sorted = entries.keys.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    #expect(try store.all() == sorted.map { "\($0)=\(entries[$0] ?? "")" })
    for _ in 0..<200 {
      let key = String(decoding: randomness.bytes(randomness.number(1...3)).map { 0x61 + $0 % 8 }, as: UTF8.self)
      let expected = sorted.last { Array($0.utf8).lexicographicallyPrecedes(Array(key.utf8)) }
      try walk(store) { cursor in
        let found = text(try cursor.seek(before: Array(key.utf8).span))
        #expect(found == expected.map { "\($0)=\(entries[$0] ?? "")" }, "seed \(seed), key \(key)")
      }
    }
  }
}
