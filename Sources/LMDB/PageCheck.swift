internal import CLMDB
internal import Platform

extension Environment {
  /// Proves what LMDB takes for granted: that the pages of the last commit form the trees that they say, and that no page
  /// is free and in use at once.
  ///
  /// LMDB follows the numbers in its pages without a doubt. A changed bit in one can have it not find what is there, write
  /// over what is in use, or bring the process down. So the file is read here, not the map, and nothing in it is trusted;
  /// what keys and values say is for others to prove. Readers and writers may go on meanwhile.
  ///
  /// - Parameter leafBytes: leaves, and the values that have pages of their own, are only read in a file of at most this
  ///   size; in a larger one, the nodes above them and the list of free pages are.
  /// - Throws: MDB_CORRUPTED with the page and what is wrong with it; the system's error when the file can't be read.
  public func checkPages(leafBytes: Int = .max) throws(LMDBError) {
    // A writer may have gone on by two commits, again and again, before the file's heads are read.
    let file = path + "/data.mdb"
    do {
      let readsLeaves = Files.size(file) <= UInt64(max(0, leafBytes))
      for _ in 0..<Self.checkAttempts {
        let reader = try read()
        var check = PageCheck(try Files.Reader(file), pageBytes: pageBytes, readsLeaves: readsLeaves)
        if try check.run(transaction: reader.identifier) { return }
      }
      throw PageDamage(page: 0, reason: "neither head of the file is the one of its last transaction")
    } catch {
      throw Self.error(error, of: file)
    }
  }

  private static let checkAttempts = 100

  /// Proves the one number by which LMDB divides when it opens a file, before anything can be asked of it: how large the
  /// file's heads say that pages are. The rest of a head that is none, LMDB sees.
  static func checkPageSize(_ path: String) throws(LMDBError) {
    let file = path + "/data.mdb"
    do {
      let reader = try Files.Reader(file)
      var place: UInt64 = 0
      for page in UInt64(0)...1 {
        let head = try reader.read(PageCheck.pageSizePlace + 4, at: place)
        // LMDB would make a new database of it.
        if place == 0 && head.isEmpty { throw PageDamage(page: page, reason: "the file is empty") }
        guard head.count == PageCheck.pageSizePlace + 4,
          head.span.loadLittleEndian(at: PageCheck.headBytes) == PageCheck.magic
        else { return }
        let size: UInt32 = head.span.loadLittleEndian(at: PageCheck.pageSizePlace)
        guard size.nonzeroBitCount == 1, PageCheck.pageSizes.contains(size) else {
          throw PageDamage(page: page, reason: "it says that pages have \(size) bytes")
        }
        place += UInt64(size)
      }
    } catch {
      throw Self.error(error, of: file)
    }
  }

  /// The error for what a look at the pages of `file` ends with: damage, or what the system or LMDB refused.
  private static func error(_ error: any Error, of file: String) -> LMDBError {
    switch error {
    case let error as PageDamage:
      LMDBError(
        code: MDB_CORRUPTED, operation: "use \(file)",
        advice: "the file is damaged, page \(error.page): \(error.reason); run sessionctl verify")
    case let error as SystemError: LMDBError(error)
    case let error as LMDBError: error
    default: fatalError("an error that nothing here throws: \(error)")
    }
  }
}

extension Environment {
  /// What ``checkPages(leafBytes:)`` finds, nil when all is well. Throws when it couldn't look.
  public func pageProblem() throws(LMDBError) -> String? {
    do throws(LMDBError) {
      try checkPages()
      return nil
    } catch  where !error.isWantOfMeans {
      return error.description
    }
  }
}

/// A page that can't be what LMDB wrote.
struct PageDamage: Error {
  let page: UInt64
  let reason: String
}

/// A walk over the pages of a data file, as mdb.c of LMDB 0.9 lays them out on a 64-bit little-endian machine.
///
///     page    u64 number, u16 -, u16 flags, u16 end of the offsets, u16 start of the nodes; or u32 pages of a value
///             u16 offset of each node, in the order of the keys; room; the nodes
///     node    u16 low, u16 high, u16 flags, u16 bytes of the key; key; value, or u64 page of the value
///             in a branch, low, high and flags are the number of the page below
///     table   u32 bytes of a page (in a head), u16 flags, u16 depth, u64 branches, u64 leaves, u64 pages of values,
///             u64 entries, u64 root
///     meta    u32 magic, u32 version, 16 bytes, table of free pages, table of tables, u64 last page, u64 transaction
private struct PageCheck: ~Copyable {
  static let headBytes = 16
  private static let tableBytes = 48
  /// What the heads begin with (mdb.c: MDB_MAGIC).
  static let magic: UInt32 = 0xbeef_c0de
  /// Where a head says how large pages are, in the table of free pages; and what that may be (mdb.c: MAX_PAGESIZE).
  static let pageSizePlace = headBytes + 24
  static let pageSizes: ClosedRange<UInt32> = 512...32768
  private static let none = UInt64.max
  /// The deepest tree that LMDB can walk (CURSOR_STACK).
  private static let maximumDepth = 32
  private static let maximumKeyBytes = 511

  private enum Flags {
    static let branch: UInt16 = 0x01
    static let leaf: UInt16 = 0x02
    static let overflow: UInt16 = 0x04
    /// Of a node: the value has pages of its own; it is a table.
    static let bigData: UInt16 = 0x01
    static let subTable: UInt16 = 0x02
    /// Of a table: the keys are numbers.
    static let integerKey: UInt16 = 0x08
  }

  private let file: Files.Reader
  private let pageBytes: Int
  private let readsLeaves: Bool
  private var last: UInt64 = 0
  private var transaction: UInt64 = 0
  /// A bit for each page that has been come upon.
  private var seen: [UInt64] = []
  /// The free pages, to be looked at once it is known which are in use.
  private var free: [UInt64] = []

  init(_ file: consuming Files.Reader, pageBytes: Int, readsLeaves: Bool) {
    self.file = file
    self.pageBytes = pageBytes
    self.readsLeaves = readsLeaves
  }

  /// Walks what the commit of that number left; returns whether its head could be read.
  mutating func run(transaction: UInt64) throws -> Bool {
    let metas = [try readPage(0), try readPage(1)]
    let numbers = metas.map { $0.number(at: Self.headBytes + 128) }
    // One that is being written is another one when it is read again.
    guard let index = (0...1).first(where: { numbers[$0] == transaction }),
      try readPage(UInt64(index)).bytes == metas[index].bytes
    else { return false }
    // Each commit writes the head that the one before it didn't, and a writer may have gone on by one; a new file has
    // two that are alike.
    let isNew = numbers == [0, 0]
    let isNext = numbers[1 - index] &+ 1 == numbers[index] || numbers[index] &+ 1 == numbers[1 - index]
    guard isNew || (numbers[index] & 1 == UInt64(index) && isNext) else {
      throw PageDamage(page: UInt64(index), reason: "the heads of the file are of the transactions \(numbers)")
    }
    let meta = metas[index]
    self.transaction = transaction
    last = meta.number(at: Self.headBytes + 120)
    // The file need not be as long yet; what is in use is read, and so is in it. The map has room for it, and none is
    // larger than what a processor can address.
    let mapPages = min(meta.number(at: Self.headBytes + 16), 1 << 48) / UInt64(pageBytes)
    guard last >= 1, last < mapPages else { throw PageDamage(page: UInt64(index), reason: "its last page is \(last)") }
    seen = Array(repeating: 0, count: Int(last / 64) + 1)
    try see(0)
    try see(1)
    let tables = Self.headBytes + 24
    try walk(Table(meta.bytes, at: tables), .freePages, in: UInt64(index))
    try walk(Table(meta.bytes, at: tables + Self.tableBytes), .tables, in: UInt64(index))
    for page in free {
      guard page >= 2 && page <= last else { throw PageDamage(page: page, reason: "it is free, but no page") }
      try see(page, "it is free, and in use")
    }
    return true
  }

  private enum Content {
    case freePages
    case tables
    case entries
  }

  /// What a table says of itself.
  private struct Table {
    let flags: UInt16
    let depth: Int
    let counts: Counts
    let root: UInt64

    init(_ bytes: [UInt8], at place: Int) {
      let span = bytes.span
      flags = span.loadLittleEndian(at: place + 4)
      let depth: UInt16 = span.loadLittleEndian(at: place + 6)
      self.depth = Int(depth)
      counts = Counts(
        branches: span.loadLittleEndian(at: place + 8), leaves: span.loadLittleEndian(at: place + 16),
        valuePages: span.loadLittleEndian(at: place + 24), entries: span.loadLittleEndian(at: place + 32))
      root = span.loadLittleEndian(at: place + 40)
    }
  }

  private struct Counts: Equatable {
    var branches: UInt64 = 0
    var leaves: UInt64 = 0
    var valuePages: UInt64 = 0
    var entries: UInt64 = 0
  }

  private mutating func walk(_ table: Table, _ content: Content, in page: UInt64) throws {
    guard table.flags == (content == .freePages ? Flags.integerKey : 0), table.depth <= Self.maximumDepth else {
      throw PageDamage(page: page, reason: "a table has the flags \(table.flags) and the depth \(table.depth)")
    }
    var counts = Counts()
    if table.root != Self.none {
      guard table.depth > 0 else { throw PageDamage(page: page, reason: "a table has a root and no depth") }
      try walk(table.root, levels: table.depth, content, from: nil, to: nil, &counts)
    }
    if !readsLeaves && content == .entries {
      (counts.entries, counts.valuePages) = (table.counts.entries, table.counts.valuePages)
    }
    guard counts == table.counts else {
      throw PageDamage(page: page, reason: "a table says that it has \(table.counts), and has \(counts)")
    }
  }

  /// Walks a tree of `levels` below and with `number`, whose keys are at least `low` and less than `high`.
  private mutating func walk(
    _ number: UInt64, levels: Int, _ content: Content, from low: [UInt8]?, to high: [UInt8]?, _ counts: inout Counts
  ) throws {
    try see(number)
    if levels == 1 {
      counts.leaves += 1
      // The tables themselves are a few leaves, and so, for what it says, is the list of free pages.
      if readsLeaves || content != .entries { try readLeaf(number, content, from: low, to: high, &counts) }
      return
    }
    counts.branches += 1
    let page = try readPage(number)
    let nodes = try nodes(of: page, number, Flags.branch)
    guard nodes.count >= 2 else { throw PageDamage(page: number, reason: "it is a branch of \(nodes.count)") }
    var keys: [[UInt8]?] = [low]
    for node in nodes.dropFirst() { keys.append(Array(page.bytes[node.key])) }
    keys.append(high)
    for index in keys.indices.dropFirst() {
      try expectOrder(keys[index - 1], keys[index], content, number)
    }
    for (index, node) in nodes.enumerated() {
      try walk(node.below, levels: levels - 1, content, from: keys[index], to: keys[index + 1], &counts)
    }
  }

  private mutating func readLeaf(
    _ number: UInt64, _ content: Content, from low: [UInt8]?, to high: [UInt8]?, _ counts: inout Counts
  ) throws {
    let page = try readPage(number)
    let nodes = try nodes(of: page, number, Flags.leaf)
    guard !nodes.isEmpty else { throw PageDamage(page: number, reason: "it is a leaf without entries") }
    counts.entries += UInt64(nodes.count)
    var before: Range<Int>?
    for node in nodes {
      if let before {
        guard page.precedes(before, node.key, content == .freePages) else {
          throw PageDamage(page: number, reason: "its keys are out of order")
        }
      } else if let low {
        let first = Array(page.bytes[node.key])
        if first != low { try expectOrder(low, first, content, number) }
      }
      before = node.key
      let isTable = node.flags == Flags.subTable && content == .tables && node.valueBytes == Self.tableBytes
      guard node.flags == 0 || node.flags == Flags.bigData || isTable, content != .tables || isTable else {
        throw PageDamage(page: number, reason: "an entry has the flags \(node.flags)")
      }
      var value = Array<UInt8>()
      if node.flags == Flags.bigData {
        let first: UInt64 = page.bytes.span.loadLittleEndian(at: node.value)
        value = try readValue(first, node.valueBytes, keeps: content == .freePages, &counts)
      } else if content != .entries {
        value = Array(page.bytes[node.value..<node.value + node.valueBytes])
      }
      switch content {
      case .entries: break
      case .tables: try walk(Table(value, at: 0), .entries, in: number)
      case .freePages: try takeFreePages(value, Array(page.bytes[node.key]), number)
      }
    }
    if let before { try expectOrder(Array(page.bytes[before]), high, content, number) }
  }

  /// Takes in what one commit freed: u64 number of pages, then u64 each, falling.
  private mutating func takeFreePages(_ value: [UInt8], _ key: [UInt8], _ number: UInt64) throws {
    let span = value.span
    guard key.count == 8, value.count >= 8, value.count % 8 == 0 else {
      throw PageDamage(page: number, reason: "it lists free pages in \(value.count) bytes under \(key.count)")
    }
    let count: UInt64 = span.loadLittleEndian(at: 0)
    let by: UInt64 = key.span.loadLittleEndian(at: 0)
    guard by <= transaction, count <= UInt64(value.count / 8 - 1) else {
      throw PageDamage(page: number, reason: "it lists \(count) free pages of the transaction \(by)")
    }
    var before = UInt64.max
    for index in 0..<Int(count) {
      let page: UInt64 = span.loadLittleEndian(at: 8 + 8 * index)
      guard page < before else { throw PageDamage(page: number, reason: "its free pages are out of order") }
      free.append(page)
      before = page
    }
  }

  /// Comes upon the pages of a value; reads it when it is wanted.
  private mutating func readValue(
    _ first: UInt64, _ byteCount: Int, keeps: Bool, _ counts: inout Counts
  ) throws -> [UInt8] {
    let pages = (Self.headBytes + byteCount - 1) / pageBytes + 1
    let head = try readPage(first)
    let found: UInt32 = head.bytes.span.loadLittleEndian(at: 12)
    try expectHead(head, first, Flags.overflow)
    // More than it needs, where a larger value has been written over in the same transaction.
    guard Int(found) >= pages, UInt64(found) <= last else {
      throw PageDamage(page: first, reason: "it begins a value of \(found) pages, and not of \(pages)")
    }
    for page in first..<first + UInt64(found) { try see(page) }
    counts.valuePages += UInt64(found)
    guard keeps else { return [] }
    var value = Array(head.bytes[Self.headBytes...])
    for page in (first + 1)..<(first + UInt64(pages)) { value += try readPage(page).bytes }
    return Array(value.prefix(byteCount))
  }

  /// A node's parts, which lie in its page.
  private struct Node {
    let flags: UInt16
    let key: Range<Int>
    /// Where the value, or the number of its page, begins.
    let value: Int
    let valueBytes: Int
    /// In a branch, the page below.
    let below: UInt64
    /// Where the node begins, and its bytes, which are an even number.
    let place: Int
    let byteCount: Int
  }

  /// The nodes of a page, after making sure that they fill it from where they begin, none over another.
  private func nodes(of page: Page, _ number: UInt64, _ flags: UInt16) throws -> [Node] {
    try expectHead(page, number, flags)
    let span = page.bytes.span
    let end = Int(span.loadLittleEndian(at: 12) as UInt16)
    let start = Int(span.loadLittleEndian(at: 14) as UInt16)
    guard end >= Self.headBytes, end <= start, start <= pageBytes, end % 2 == 0 else {
      throw PageDamage(page: number, reason: "its room is from \(end) to \(start)")
    }
    var nodes: [Node] = []
    nodes.reserveCapacity((end - Self.headBytes) / 2)
    var byteCount = 0
    for place in stride(from: Self.headBytes, to: end, by: 2) {
      let node = try node(of: page, Int(span.loadLittleEndian(at: place) as UInt16), from: start, number, flags)
      byteCount += node.byteCount
      nodes.append(node)
    }
    guard byteCount == pageBytes - start else {
      throw PageDamage(page: number, reason: "its nodes have \(byteCount) bytes from \(start) on")
    }
    // Of the right length in all, they fill it when none begins within another.
    var next = start
    for node in nodes.sorted(by: { $0.place < $1.place }) {
      guard node.place == next else { throw PageDamage(page: number, reason: "its nodes overlap at \(next)") }
      next += node.byteCount
    }
    return nodes
  }

  private func node(of page: Page, _ place: Int, from start: Int, _ number: UInt64, _ flags: UInt16) throws -> Node {
    guard place >= start, place + 8 <= pageBytes, place % 2 == 0 else {
      throw PageDamage(page: number, reason: "a node is at \(place)")
    }
    let span = page.bytes.span
    let low: UInt16 = span.loadLittleEndian(at: place)
    let high: UInt16 = span.loadLittleEndian(at: place + 2)
    let own: UInt16 = span.loadLittleEndian(at: place + 4)
    let keyBytes = Int(span.loadLittleEndian(at: place + 6) as UInt16)
    let word = UInt64(low) | UInt64(high) << 16
    let isBranch = flags == Flags.branch
    let valueBytes = isBranch ? 0 : Int(word)
    let stored = isBranch ? 0 : own & Flags.bigData != 0 ? 8 : valueBytes
    let byteCount = (8 + keyBytes + stored + 1) & ~1
    guard keyBytes <= Self.maximumKeyBytes, isBranch || keyBytes > 0, place + byteCount <= pageBytes else {
      throw PageDamage(page: number, reason: "the node at \(place) has \(keyBytes) and \(valueBytes) bytes")
    }
    let key = place + 8..<place + 8 + keyBytes
    return Node(
      flags: own, key: key, value: key.upperBound, valueBytes: valueBytes, below: word | UInt64(own) << 32,
      place: place, byteCount: byteCount)
  }

  private func expectHead(_ page: Page, _ number: UInt64, _ flags: UInt16) throws {
    let found: UInt16 = page.bytes.span.loadLittleEndian(at: 10)
    guard page.number(at: 0) == number, found == flags else {
      throw PageDamage(page: number, reason: "it says that it is page \(page.number(at: 0)) of the kind \(found)")
    }
  }

  private func expectOrder(_ low: [UInt8]?, _ high: [UInt8]?, _ content: Content, _ number: UInt64) throws {
    guard let low, let high else { return }
    let isRight: Bool
    if content == .freePages {
      guard low.count == 8, high.count == 8 else { throw PageDamage(page: number, reason: "a key is no number") }
      isRight = (low.span.loadLittleEndian(at: 0) as UInt64) < high.span.loadLittleEndian(at: 0)
    } else {
      isRight = low.span.precedes(high.span)
    }
    guard isRight else { throw PageDamage(page: number, reason: "its keys are out of order") }
  }

  /// Notes that a page has been come upon, which may happen once.
  private mutating func see(_ page: UInt64, _ problem: String = "it is in two places") throws {
    guard page <= last else { throw PageDamage(page: page, reason: "it is behind the last page, \(last)") }
    let (word, bit) = (Int(page / 64), UInt64(1) << (page % 64))
    guard seen[word] & bit == 0 else { throw PageDamage(page: page, reason: problem) }
    seen[word] |= bit
  }

  private struct Page {
    let bytes: [UInt8]

    func number(at place: Int) -> UInt64 { bytes.span.loadLittleEndian(at: place) }

    /// Whether one key of the page sorts before another.
    func precedes(_ first: Range<Int>, _ second: Range<Int>, _ areNumbers: Bool) -> Bool {
      let span = bytes.span
      guard areNumbers else { return span.extracting(first).precedes(span.extracting(second)) }
      guard first.count == 8, second.count == 8 else { return false }
      return (span.loadLittleEndian(at: first.lowerBound) as UInt64) < span.loadLittleEndian(at: second.lowerBound)
    }
  }

  private func readPage(_ number: UInt64) throws -> Page {
    // The first two are read before it is known how many there are.
    guard number <= max(last, 1) else { throw PageDamage(page: number, reason: "it is behind the last page, \(last)") }
    let bytes = try file.read(pageBytes, at: number * UInt64(pageBytes))
    guard bytes.count == pageBytes else { throw PageDamage(page: number, reason: "the file ends before it") }
    return Page(bytes: bytes)
  }
}
