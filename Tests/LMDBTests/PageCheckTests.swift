import LMDB
import Platform
import Testing
import TestSupport

@Suite("the check of an environment's pages") struct PageCheckTests {
  @Test("finds nothing wrong with what was written, freed and read meanwhile", arguments: propertySeeds())
  func intact(_ seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    let store = try TestEnvironment()
    try store.environment.checkPages()
    for _ in 0..<60 {
      try change(store, &randomness)
      // Pages of a commit that somebody still reads aren't used again.
      let reader = randomness.number(1...4) == 1 ? try store.environment.read() : nil
      try change(store, &randomness)
      try store.environment.checkPages()
      try store.environment.checkPages(leafBytes: 0)
      _ = reader
    }
  }

  /// A transaction of some changes, of values that fit into a page and that don't.
  private func change(_ store: TestEnvironment, _ randomness: inout SeededRandomness) throws {
    var transaction = try store.environment.write()
    for _ in 0..<randomness.number(1...120) {
      let key = Array("key \(randomness.number(0...900))".utf8)
      if randomness.number(1...3) == 1 {
        try transaction.remove(store.table, key.span)
      } else {
        let longest = randomness.number(1...8) == 1 ? 20_000 : 300
        let value = [UInt8](repeating: 7, count: randomness.number(0...longest))
        try transaction.put(store.table, key.span, value.span)
      }
    }
    try transaction.commit()
  }

  /// A file with a tree of three levels, values on pages of their own, and free pages.
  private func write(_ folder: TemporaryFolder) throws {
    let store = try TestEnvironment(folder)
    var randomness = SeededRandomness(seed: 5)
    for _ in 0..<40 { try change(store, &randomness) }
    try store.environment.checkPages()
  }

  @Test("names the page in which any bit of a head is changed, or nothing has changed for a reader")
  func heads() throws {
    let folder = try TemporaryFolder()
    try write(folder)
    let file = folder("data.mdb")
    let intact = try Files.read(file)
    let expected = try TestEnvironment(folder).all()
    var found = 0
    var randomness = SeededRandomness(seed: 6)
    for _ in 0..<400 {
      let page = randomness.number(2...intact.count / 4096 - 1)
      let byte = [0, 10, 12, 14, 16, 17][randomness.number(0...5)]
      var bytes = intact
      bytes[page * 4096 + byte] ^= 1 << UInt8(randomness.number(0...7))
      TemporaryFolder.write(bytes, to: file)
      do {
        let store = try TestEnvironment(folder, options: checking)
        // It lies in a page that nobody uses, or that holds a part of a value.
        #expect(try store.all().count == expected.count, "page \(page), byte \(byte)")
      } catch let error as LMDBError {
        #expect(error.isDamage && error.description.contains(", page "), "\(error)")
        found += 1
      }
    }
    #expect(found > 40)
    TemporaryFolder.write(intact, to: file)
    #expect(try TestEnvironment(folder, options: checking).all() == expected)
  }

  @Test("a head of the file that goes back, and a file that is cut, are found")
  func metas() throws {
    let folder = try TemporaryFolder()
    try write(folder)
    let file = folder("data.mdb")
    let intact = try Files.read(file)
    for bit in 1..<48 {
      for page in 0...1 {
        var bytes = intact
        bytes[page * 4096 + 16 + 128 + bit / 8] ^= 1 << UInt8(bit % 8)
        TemporaryFolder.write(bytes, to: file)
        // The one case that no file can tell of itself: the older head, as if it were the newer one.
        let numbers = [0, 1].map { number(bytes, at: $0 * 4096 + 16 + 128) }
        let isConsistent = max(numbers[0], numbers[1]) - min(numbers[0], numbers[1]) == 1
        if isConsistent { continue }
        #expect(throws: LMDBError.self, "bit \(bit) of head \(page)") {
          _ = try TestEnvironment(folder, options: checking)
        }
      }
    }
    TemporaryFolder.write(Array(intact[..<(intact.count / 2)]), to: file)
    #expect(throws: LMDBError.self) { _ = try TestEnvironment(folder, options: checking) }
  }

  @Test("a head that tells another size of the pages is found before LMDB divides by it")
  func pageSizes() throws {
    let folder = try TemporaryFolder()
    try write(folder)
    let file = folder("data.mdb")
    let intact = try Files.read(file)
    for bit in 0..<32 {
      for page in 0...1 {
        var bytes = intact
        bytes[page * 4096 + 40 + bit / 8] ^= 1 << UInt8(bit % 8)
        TemporaryFolder.write(bytes, to: file)
        for options in [checking, Environment.Options(mapSizeBytes: 1 << 24, isReadOnly: true)] {
          do throws(LMDBError) {
            _ = try Environment(path: folder.path, options: options)
            Issue.record("bit \(bit) of head \(page)")
          } catch {
            #expect(error.isDamage && error.description.contains("page \(page)"), "\(error)")
          }
        }
      }
    }
  }

  @Test("lengths in the list of free pages that can't be are found")
  func freePages() throws {
    let folder = try TemporaryFolder()
    do {
      let store = try TestEnvironment(folder)
      let large = String(repeating: "v", count: 20_000)
      try store.put(Dictionary(uniqueKeysWithValues: (0..<120).map { ("key \($0)", large) }))
      // One commit frees more pages than a leaf can list.
      try store.put(Dictionary(uniqueKeysWithValues: (0..<120).map { ("key \($0)", "v") }))
    }
    let file = folder("data.mdb")
    let intact = try Files.read(file)
    // The newer head names the root of the free pages' table, which is a leaf here.
    let head = number(intact, at: 16 + 128) > number(intact, at: 4096 + 16 + 128) ? 0 : 4096
    let page = Int(number(intact, at: head + 16 + 24 + 40)) * 4096
    let nodes = (Int(intact.span.loadLittleEndian(at: page + 12) as UInt16) - 16) / 2
    let places = (0..<nodes).map { page + Int(intact.span.loadLittleEndian(at: page + 16 + 2 * $0) as UInt16) }
    func check(_ change: (inout [UInt8]) -> Void) {
      var bytes = intact
      change(&bytes)
      TemporaryFolder.write(bytes, to: file)
      #expect(throws: LMDBError.self) { _ = try TestEnvironment(folder, options: checking) }
    }
    let large = places.filter { intact[$0 + 4] & 1 != 0 }
    #expect(!large.isEmpty)
    // A node: u32 length of the value, u16 flags (1: on pages of its own), u16 length of the key.
    for place in large {
      for length in [0, 1, 4, 7] as [UInt8] {
        check { $0.replaceSubrange(place..<place + 4, with: [length, 0, 0, 0]) }
      }
    }
    for place in places { check { $0[place + 6] = 7 } }
  }

  @Test("a walk from seek to seek ends, whatever has become of the keys in a branch")
  func seeksGoForward() throws {
    let folder = try TemporaryFolder()
    let keys = (0..<2000).map { String(10_000 + $0) }
    do {
      try TestEnvironment(folder).put(
        Dictionary(uniqueKeysWithValues: keys.map { ($0, String(repeating: "v", count: 40)) }))
    }
    let file = folder("data.mdb")
    let intact = try Files.read(file)
    let branches = stride(from: 8192, to: intact.count, by: 4096).filter { intact[$0 + 10] == 1 }
    var refusals = 0
    for page in branches {
      let nodes = (Int(intact.span.loadLittleEndian(at: page + 12) as UInt16) - 16) / 2
      for node in 1..<nodes {
        let place = page + Int(intact.span.loadLittleEndian(at: page + 16 + 2 * node) as UInt16)
        var bytes = intact
        bytes[place + 8] ^= 1 << 6
        TemporaryFolder.write(bytes, to: file)
        let store = try TestEnvironment(folder)
        let reader = try store.environment.read()
        var cursor = try reader.cursor(store.table)
        var steps = 0
        do {
          var next = try cursor.first()
          while let entry = next, steps <= keys.count {
            steps += 1
            next = try cursor.seek((Array(copying: entry.key) + [0]).span)
          }
          #expect(steps <= keys.count, "node \(node)")
        } catch {
          #expect(error.isDamage)
          refusals += 1
        }
      }
    }
    #expect(refusals > 0)
  }

  private var checking: Environment.Options { Environment.Options(mapSizeBytes: 1 << 24, checkedLeafBytes: .max) }

  private func number(_ bytes: [UInt8], at place: Int) -> UInt64 { bytes.span.loadLittleEndian(at: place) }
}
