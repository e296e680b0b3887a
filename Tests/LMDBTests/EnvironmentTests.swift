import Glibc
import LMDB
import Platform
import Testing
import TestSupport

@Suite("LMDB environments") struct EnvironmentTests {
  @Test("a commit is there for the next reader, and after opening again")
  func commit() throws {
    let folder = try TemporaryFolder()
    do {
      let store = try TestEnvironment(folder)
      try store.put(["a": "1", "b": "2"])
      #expect(try store.value("a") == "1")
      #expect(try store.value("c") == nil)
    }
    #expect(try TestEnvironment(folder).all() == ["a=1", "b=2"])
  }

  @Test("a copy has all entries, and no byte of what was overwritten or removed before, whatever its size")
  func copy() throws {
    let store = try TestEnvironment()
    let rubbish = "overwritten-"
    var randomness = SeededRandomness(seed: 7)
    var expected: [String] = []
    for number in 0..<200 {
      try store.put(["k\(number)": String(repeating: rubbish, count: randomness.number(1...330))])
    }
    for number in 0..<200 {
      let value = String(repeating: "kept", count: randomness.number(1...990))
      try store.put(["k\(number)": value])
      expected.append("k\(number)=\(value)")
    }
    let folder = try TemporaryFolder()
    try store.environment.copy([store.table], to: folder("copy"))
    #expect(throws: LMDBError.self) { try store.environment.copy([store.table], to: folder("copy")) }
    let bytes = try Files.read(folder("copy/data.mdb"))
    #expect(!String(decoding: bytes, as: UTF8.self).contains(rubbish))
    let copied = try Environment(path: folder("copy"), options: TestEnvironment.options)
    let table = try copied.openTables(["table"])[0]
    let reader = try copied.read()
    var cursor = try reader.cursor(table)
    var entries: [String] = []
    while let entry = text(try cursor.next()) { entries.append(entry) }
    #expect(entries == expected.sorted { $0.prefix { $0 != "=" } < $1.prefix { $0 != "=" } })
  }

  @Test("a write transaction that is dropped leaves nothing behind, and the next one can begin")
  func abort() throws {
    let store = try TestEnvironment()
    do {
      var transaction = try store.environment.write()
      try transaction.put(store.table, Array("a".utf8).span, Array("1".utf8).span)
      let seen = text(try transaction.value(store.table, Array("a".utf8).span))
      #expect(seen == "1")
      _ = consume transaction
    }
    #expect(try store.all() == [])
    try store.put(["b": "2"])
    #expect(try store.all() == ["b=2"])
  }

  @Test("an error in the middle of a write transaction leaves nothing behind")
  func abortByError() throws {
    let store = try TestEnvironment()
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      var transaction = try store.environment.write()
      try transaction.put(store.table, Array("a".utf8).span, Array("1".utf8).span)
      throw Stop()
    }
    #expect(try store.all() == [])
  }

  @Test("a reader sees the commit that it began after, and no later one")
  func isolation() throws {
    let store = try TestEnvironment()
    try store.put(["a": "1"])
    do {
      let reader = try store.environment.read()
      try store.put(["a": "2", "b": "3"])
      let old = text(try reader.value(store.table, Array("a".utf8).span))
      let count = try reader.count(store.table)
      #expect(old == "1")
      #expect(count == 1)
    }
    #expect(try store.value("a") == "2")
  }

  @Test("a value is overwritten and removed; removing a missing one says so")
  func overwriteAndRemove() throws {
    let store = try TestEnvironment()
    try store.put(["a": "1"])
    try store.put(["a": "22"])
    #expect(try store.value("a") == "22")
    var transaction = try store.environment.write()
    let first = try transaction.remove(store.table, Array("a".utf8).span)
    let second = try transaction.remove(store.table, Array("a".utf8).span)
    try transaction.commit()
    #expect(first)
    #expect(!second)
    #expect(try store.all() == [])
  }

  @Test("values may be empty and large")
  func sizes() throws {
    let store = try TestEnvironment()
    let large = String(repeating: "x", count: 100_000)
    try store.put(["empty": "", "large": large])
    #expect(try store.value("empty") == "")
    #expect(try store.value("large") == large)
  }

  @Test("an insert appends behind the last key, goes between others, and refuses a key that is there")
  func insert() throws {
    let store = try TestEnvironment()
    try store.insert("b", "1")
    try store.insert("d", "2")
    try store.insert("c", "3")
    try store.insert("a", "4")
    #expect(try store.all() == ["a=4", "b=1", "c=3", "d=2"])
    for key in ["a", "c", "d"] {
      let error = #expect(throws: LMDBError.self) { try store.insert(key, "9") }
      #expect(error?.description.contains("MDB_KEYEXIST") == true)
    }
    #expect(try store.all() == ["a=4", "b=1", "c=3", "d=2"])
  }

  @Test("keys that can't be keys are refused: empty, or longer than 511 bytes")
  func badKeys() throws {
    let store = try TestEnvironment()
    #expect(throws: LMDBError.self) { try store.put(["": "1"]) }
    #expect(throws: LMDBError.self) { try store.put([String(repeating: "k", count: 512): "1"]) }
    try store.put([String(repeating: "k", count: 511): "1"])
  }

  @Test("successive readers share one slot; readers at the same time have one each, and slots come back")
  func pool() throws {
    let store = try TestEnvironment()
    for _ in 0..<100 { _ = try store.value("a") }
    #expect(store.environment.usage.readers == 1)
    do {
      let first = try store.environment.read()
      let second = try store.environment.read()
      #expect(store.environment.usage.readers == 2)
      _ = consume first
      _ = consume second
    }
    for _ in 0..<100 { _ = try store.value("a") }
    #expect(store.environment.usage.readers == 2)
  }

  @Test("a pooled reader that is used again sees the newest commit")
  func renewal() throws {
    let store = try TestEnvironment()
    for number in 0..<20 {
      try store.put(["a": "\(number)"])
      #expect(try store.value("a") == "\(number)")
    }
  }

  @Test("readers on many threads find whole commits while a writer goes on")
  func threads() throws {
    let store = try TestEnvironment()
    try store.put(["a": "0", "b": "0"])
    let torn = Monitor(0)
    let readers = (0..<3).map { number in
      Thread(name: "reader-\(number)") {
        for _ in 0..<300 {
          let all = (try? store.all()) ?? []
          if all.count != 2 || all[0].dropFirst(2) != all[1].dropFirst(2) { torn.withLock { $0 += 1 } }
        }
      }
    }
    for number in 1...30 { try store.put(["a": "\(number)", "b": "\(number)"]) }
    for reader in readers { reader.join() }
    #expect(torn.withLock { $0 } == 0)
  }

  @Test("too many readers at once are refused with advice")
  func readersFull() throws {
    let store = try TestEnvironment(options: Environment.Options(mapSizeBytes: 1 << 24, maximumReaders: 1))
    let reader = try store.environment.read()
    let error = #expect(throws: LMDBError.self) { try store.all() }
    #expect(error?.description.contains("MDB_READERS_FULL") == true)
    #expect(error?.advice.contains("maximumReaders") == true)
    _ = consume reader
    #expect(try store.all() == [])
  }

  @Test("an environment opened for reading alone shows what is there and takes no write")
  func readOnly() throws {
    let folder = try TemporaryFolder()
    try TestEnvironment(folder).put(["a": "1"])
    let options = Environment.Options(mapSizeBytes: 1 << 24, isReadOnly: true)
    let environment = try Environment(path: folder.path, options: options)
    let table = try environment.openTables(["table"])[0]
    let reader = try environment.read()
    let value = text(try reader.value(table, Array("a".utf8).span))
    #expect(value == "1")
    #expect(throws: LMDBError.self) { try environment.write().commit() }
    #expect(throws: LMDBError.self) { try environment.openTables(["none"]) }
  }

  @Test("a table that is missing among others is damage, and nothing is made in its place")
  func missingTable() throws {
    let folder = try TemporaryFolder()
    try TestEnvironment(folder).put(["a": "1"])
    let environment = try Environment(path: folder.path, options: TestEnvironment.options)
    let error = #expect(throws: LMDBError.self) { try environment.openTables(["table", "tabld"]) }
    #expect(error?.isDamage == true)
    #expect(error?.description.contains("open the table tabld") == true)
    #expect(throws: LMDBError.self) { try environment.openTables(["tabld"]) }
  }

  @Test("an environment's tables and what they begin with are made in one transaction")
  func firstContent() throws {
    let folder = try TemporaryFolder()
    let key = Array("a".utf8)
    do {
      let environment = try Environment(path: folder.path, options: TestEnvironment.options)
      #expect(try !environment.hasTables())
      #expect(throws: LMDBError.self) {
        try environment.openTables(["one", "two"]) { transaction, tables throws(LMDBError) in
          try transaction.put(tables[1], key.span, key.span)
          try transaction.put(tables[1], [UInt8]().span, key.span)
        }
      }
    }
    let environment = try Environment(path: folder.path, options: TestEnvironment.options)
    #expect(try !environment.hasTables())
    let tables = try environment.openTables(["one", "two"]) { transaction, tables throws(LMDBError) in
      try transaction.put(tables[1], key.span, key.span)
    }
    #expect(try environment.hasTables())
    let reader = try environment.read()
    let value = text(try reader.value(tables[1], key.span))
    #expect(value == "a")
  }

  @Test("opening for reading alone creates nothing")
  func readOnlyMissing() throws {
    let folder = try TemporaryFolder()
    let options = Environment.Options(mapSizeBytes: 1 << 24, isReadOnly: true)
    let error = #expect(throws: LMDBError.self) { try Environment(path: folder("none"), options: options) }
    #expect(error?.code == 2)
    #expect(error?.description.contains(folder("none")) == true)
    #expect(try !Files.exists(folder("none")))
  }

  @Test("a full map is told as a full disk, with what to raise, and undoes nothing that was committed")
  func mapFull() throws {
    let store = try TestEnvironment(options: Environment.Options(mapSizeBytes: 1 << 18))
    try store.put(["a": "1"])
    let error = #expect(throws: LMDBError.self) { try store.put(["b": String(repeating: "x", count: 1 << 19)]) }
    #expect(error?.isDiskFull == true)
    #expect(error?.isDamage == false)
    #expect(
      error?.description
        == "LMDB could not write table: MDB_MAP_FULL: Environment mapsize limit reached; "
        + "raise mapSizeBytes in the configuration and restart")
    #expect(try store.all() == ["a=1"])
  }

  @Test("a file that is no LMDB database is told as such")
  func garbage() throws {
    let folder = try TemporaryFolder()
    folder.write([UInt8](repeating: 0x5a, count: 20_000), to: "data.mdb")
    let error = #expect(throws: LMDBError.self) { try TestEnvironment(folder) }
    #expect(error?.isDamage == true)
    #expect(error?.description.contains("not an LMDB database") == true)
  }

  @Test("a folder that may not be opened is named, with the reason and whose it must be")
  func permission() async {
    await #expect(processExitsWith: .success) {
      // As root nothing is forbidden; a process of its own becomes nobody.
      let folder = try TemporaryFolder()
      try Files.createDirectory(folder("data"))
      unsafe chmod(folder("data"), 0)
      defer { seteuid(0) }
      if geteuid() == 0 { seteuid(65534) }
      let error = #expect(throws: LMDBError.self) { try Environment(path: folder("data")) }
      #expect(error?.code == 13)
      #expect(error?.description.contains("Permission denied") == true)
      #expect(error?.advice.contains("must belong to the user") == true)
    }
  }

  @Test("what can't be mapped is refused with advice")
  func addressSpace() throws {
    let error = #expect(throws: LMDBError.self) {
      try TestEnvironment(options: Environment.Options(mapSizeBytes: 1 << 60))
    }
    #expect(error?.code == 12)
    #expect(error?.advice.contains("mapSizeBytes") == true)
  }

  @Test("usage tells the sizes and counts the commits")
  func usage() throws {
    let store = try TestEnvironment()
    let before = store.environment.usage
    #expect(before.mapSizeBytes == TestEnvironment.options.mapSizeBytes)
    try store.put(["a": String(repeating: "x", count: 50_000)])
    #expect(store.environment.usage.lastTransaction == before.lastTransaction + 1)
    #expect(store.environment.usage.usedBytes >= before.usedBytes + 50_000)
  }
}
