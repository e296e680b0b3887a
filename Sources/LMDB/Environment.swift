internal import CLMDB
internal import Platform

/// An LMDB environment: one folder with a memory-mapped data file and a lock file, shared by threads and processes.
///
/// Opened with LMDB's default flags, which make every commit durable, and `MDB_NOTLS`, so that read transactions belong
/// to whoever holds them instead of to a thread.
@safe public final class Environment: @unchecked Sendable {
  // Sendable: lmdb.h lets threads share an environment; the pool of read transactions is behind its own mutex.
  let handle: OpaquePointer
  /// The folder that holds the environment.
  public let path: String
  private let isReadOnly: Bool
  private let idleReaders = Monitor<[Reader]>([])

  /// How many tables an environment may hold: none of them has more than six.
  private static let maximumTables: UInt32 = 8

  /// A read transaction of LMDB's that waits to be renewed.
  @safe struct Reader: @unchecked Sendable {
    // Sendable: with MDB_NOTLS a reset read transaction may go on on any thread (lmdb.h, MDB_NOTLS).
    let transaction: OpaquePointer
  }

  /// How an environment is opened.
  public struct Options: Sendable {
    /// The most that the data file may grow to, in bytes; reserved as address space only.
    public var mapSizeBytes: Int
    /// How many read transactions may be open at once, over all processes.
    public var maximumReaders: Int
    /// Opens for reading alone: nothing is created, and no write transaction can begin.
    public var isReadOnly: Bool
    /// Whether the pages are checked when it is opened; then how large the file may be for its leaves to be, too.
    public var checkedLeafBytes: Int?

    /// Options with the defaults of the daemon: 1 TiB, 1024 readers.
    public init(
      mapSizeBytes: Int = 1 << 40, maximumReaders: Int = 1024, isReadOnly: Bool = false, checkedLeafBytes: Int? = nil
    ) {
      self.checkedLeafBytes = checkedLeafBytes
      self.mapSizeBytes = mapSizeBytes
      self.maximumReaders = maximumReaders
      self.isReadOnly = isReadOnly
    }
  }

  /// Opens the environment in the folder `path`, creating both when they are missing.
  ///
  /// Slots of readers that died are freed. Throws when the folder is on a network file system (lmdb.h: "Do not use LMDB
  /// databases on remote filesystems"), or can't be opened or mapped.
  public init(path: String, options: Options = Options()) throws(LMDBError) {
    self.path = path
    isReadOnly = options.isReadOnly
    if let name = try Self.prepare(path, create: !options.isReadOnly) {
      throw LMDBError(
        code: 95, operation: "open \(path)",
        advice: "it is on \(name), and LMDB needs a local file system; choose another data directory")
    }
    var created: OpaquePointer?
    try check(unsafe mdb_env_create(&created), "create an environment")
    guard let created = unsafe created else { throw LMDBError(code: 12, operation: "create an environment") }
    // Until all is open, this and not deinit has to close it: `handle` is set last.
    var isOpen = false
    // lmdb.h, mdb_env_open: "If this function fails, mdb_env_close() must be called to discard the MDB_env handle".
    defer { if !isOpen { unsafe mdb_env_close(created) } }
    unsafe try check(mdb_env_set_mapsize(created, options.mapSizeBytes), "set the map size \(options.mapSizeBytes)")
    unsafe try check(mdb_env_set_maxreaders(created, UInt32(options.maximumReaders)), "set the number of readers")
    unsafe try check(mdb_env_set_maxdbs(created, Self.maximumTables), "set the number of tables")
    let flags = UInt32(MDB_NOTLS) | (options.isReadOnly ? UInt32(MDB_RDONLY) : 0)
    if try Self.exists(path) {
      try Self.checkPageSize(path)
    } else if !options.isReadOnly {
      try Self.createDataFile(path, options)
    }
    try Self.reserveLockFile(of: path, options)
    try check(unsafe mdb_env_open(created, path, flags, 0o600), "open \(path)")
    isOpen = true
    unsafe handle = created
    try clearStaleReaders()
    if let leafBytes = options.checkedLeafBytes { try checkPages(leafBytes: leafBytes) }
  }

  /// Whether there is an environment in the folder `path`. Throws when that can't be told: then none may be made.
  public static func exists(_ path: String) throws(LMDBError) -> Bool {
    do throws(SystemError) {
      return try Files.exists(path + "/data.mdb")
    } catch {
      throw LMDBError(error)
    }
  }

  /// Makes a new data file, which is whole and durable before it gets its name: LMDB doesn't sync a new file's first
  /// pages before the first commit, and after a power cut would take what is left of them for no database.
  private static func createDataFile(_ path: String, _ options: Options) throws(LMDBError) {
    let making = path + ".new"
    do throws(SystemError) {
      try Files.removeDirectory(making)
      try Files.createDirectory(making)
    } catch {
      throw LMDBError(error)
    }
    var created: OpaquePointer?
    try check(unsafe mdb_env_create(&created), "create an environment")
    do {
      // lmdb.h, mdb_env_close: also after a failed mdb_env_open.
      defer { unsafe mdb_env_close(created) }
      unsafe try check(mdb_env_set_mapsize(created, options.mapSizeBytes), "set the map size \(options.mapSizeBytes)")
      try reserveLockFile(of: making, options)
      try check(unsafe mdb_env_open(created, making, 0, 0o600), "create \(making)")
      Files.giveToFolderOwner(making + "/data.mdb")
      unsafe try check(mdb_env_sync(created, 1), "sync \(making)")
    }
    do throws(SystemError) {
      try Files.move(making + "/data.mdb", to: path + "/data.mdb")
      try Files.removeDirectory(making)
    } catch {
      throw LMDBError(error)
    }
  }

  /// Has the disk set room aside for the lock file, which LMDB maps, and makes without asking for any.
  private static func reserveLockFile(of path: String, _ options: Options) throws(LMDBError) {
    // A header of a few cache lines, and one for each reader (mdb.c, MDB_txninfo).
    let byteCount = 4096 + 64 * options.maximumReaders
    do throws(SystemError) {
      try Files.reserve(path + "/lock.mdb", byteCount: byteCount)
    } catch {
      throw LMDBError(error)
    }
  }

  /// Creates the folder when asked to; returns the name of the network file system that it is on, if any.
  private static func prepare(_ path: String, create: Bool) throws(LMDBError) -> String? {
    do throws(SystemError) {
      if create { try Files.createDirectory(path) }
      return try Files.networkFileSystem(path)
    } catch {
      throw LMDBError(error)
    }
  }

  deinit {
    // lmdb.h, mdb_env_close: all transactions must be closed before; ours hold a reference to this object, idle ones
    // are here.
    idleReaders.withLock { readers in
      for reader in readers { unsafe mdb_txn_abort(reader.transaction) }
    }
    unsafe mdb_env_close(handle)
  }

  /// Frees the reader slots of processes that died, which would keep old pages from being used again.
  public func clearStaleReaders() throws(LMDBError) {
    var count: Int32 = 0
    try check(unsafe mdb_reader_check(handle, &count), "look for dead readers")
  }

  /// Whether it has tables. It is made without, then gets all of them in one transaction.
  ///
  /// Throws when that can't be read. It is looked for, since the number of tables may be damaged.
  public func hasTables() throws(LMDBError) -> Bool {
    let reader = try read()
    var cursor = try reader.tables()
    return try cursor.first() != nil
  }

  /// Opens the tables of those names. Call it once, before other threads use the environment.
  ///
  /// Where there is no table yet, they are made first, with what `fill` writes into them, in one transaction. Throws when
  /// there are others than those, but one of those isn't there: its name was damaged, and a new one in its place would
  /// hide all that it held.
  public func openTables(
    _ names: [StaticString],
    filledBy fill: (inout WriteTransaction, [Table]) throws(LMDBError) -> Void = { _, _ throws(LMDBError) in }
  ) throws(LMDBError) -> [Table] {
    let isMade = try isReadOnly ? true : hasTables()
    guard isMade else {
      var transaction = try write()
      let tables = try transaction.createTables(names)
      try fill(&transaction, tables)
      try transaction.commit()
      return tables
    }
    let reader = unsafe try begin(flags: UInt32(MDB_RDONLY), "begin a read transaction")
    var isCommitted = false
    defer { if !isCommitted { unsafe mdb_txn_abort(reader) } }
    let tables = try names.map { name throws(LMDBError) in try unsafe openTable(reader, name, create: false) }
    isCommitted = true
    unsafe try check(mdb_txn_commit(reader), "keep the tables open")
    return tables
  }

  /// Begins a read transaction, which sees the last commit. It renews a pooled one when there is one.
  public func read() throws(LMDBError) -> ReadTransaction {
    if let reader = idleReaders.withLock({ $0.popLast() }) {
      let code = unsafe mdb_txn_renew(reader.transaction)
      guard code == 0 else {
        unsafe mdb_txn_abort(reader.transaction)
        throw LMDBError(code: code, operation: "renew a read transaction")
      }
      return unsafe ReadTransaction(handle: reader.transaction, environment: self)
    }
    return unsafe ReadTransaction(
      handle: try begin(flags: UInt32(MDB_RDONLY), "begin a read transaction"), environment: self)
  }

  /// Takes back a read transaction that has been reset.
  func recycle(_ transaction: OpaquePointer) {
    idleReaders.withLock { unsafe $0.append(Reader(transaction: transaction)) }
  }

  /// Begins the write transaction; waits while another one is open. It belongs to the calling thread (lmdb.h).
  public func write() throws(LMDBError) -> WriteTransaction {
    unsafe WriteTransaction(handle: try begin(flags: 0, "begin a write transaction"), environment: self)
  }

  private func begin(flags: UInt32, _ operation: String) throws(LMDBError) -> OpaquePointer {
    var transaction: OpaquePointer?
    try check(unsafe mdb_txn_begin(handle, nil, flags, &transaction), operation)
    guard let transaction = unsafe transaction else { throw LMDBError(code: 12, operation: operation) }
    return unsafe transaction
  }

  /// The size of the file's pages in bytes: that of the machine's pages when it was made.
  var pageBytes: Int {
    var statistics = MDB_stat()
    _ = unsafe mdb_env_stat(handle, &statistics)
    return Int(statistics.ms_psize)
  }

  /// The number of the last commit.
  public var lastTransaction: UInt64 {
    var info = unsafe MDB_envinfo()
    _ = unsafe mdb_env_info(handle, &info)
    return unsafe UInt64(info.me_last_txnid)
  }

  /// How much of the map is in use.
  public var usage: Usage {
    var info = unsafe MDB_envinfo()
    var statistics = MDB_stat()
    _ = unsafe mdb_env_info(handle, &info)
    _ = unsafe mdb_env_stat(handle, &statistics)
    let last = unsafe UInt64(info.me_last_txnid)
    let oldest = (try? openReaders())?.map(\.transaction).min()
    return unsafe Usage(
      mapSizeBytes: info.me_mapsize, usedBytes: (info.me_last_pgno + 1) * Int(statistics.ms_psize),
      readers: Int(info.me_numreaders), lastTransaction: last,
      oldestReaderTransactions: oldest.map { last - min($0, last) } ?? 0)
  }

  /// Sizes of an environment.
  public struct Usage: Sendable {
    /// The most that the data file may grow to, in bytes.
    public let mapSizeBytes: Int
    /// The part of the file that has been used, in bytes, freed pages included.
    public let usedBytes: Int
    /// Reader slots in use.
    public let readers: Int
    /// The number of the last commit.
    public let lastTransaction: UInt64
    /// How many commits the oldest open read transaction is behind; 0 when none is open.
    public let oldestReaderTransactions: UInt64
  }
}

/// A named B-tree within an environment, whose keys sort by their bytes.
public struct Table: Sendable {
  let handle: UInt32
  /// The table's name.
  public let name: StaticString
}

/// Opens a table in `transaction`; others can use it once that is committed (lmdb.h, mdb_dbi_open).
func openTable(_ transaction: OpaquePointer, _ name: StaticString, create: Bool) throws(LMDBError) -> Table {
  var handle: MDB_dbi = 0
  // A StaticString ends with a NUL.
  let code = unsafe name.utf8Start.withMemoryRebound(to: CChar.self, capacity: name.utf8CodeUnitCount + 1) {
    unsafe mdb_dbi_open(transaction, $0, create ? UInt32(MDB_CREATE) : 0, &handle)
  }
  try check(code, "open the table \(name)")
  return Table(handle: handle, name: name)
}
