internal import CLMDB
internal import Glibc
public import Platform

/// What LMDB or the system beneath it refused: the code, what was tried, and what to do about it.
public struct LMDBError: Error, Equatable, Sendable, CustomStringConvertible {
  /// LMDB's negative code (lmdb.h, "Return Codes"), or the system's error number.
  public let code: Int32
  /// What was tried, such as `commit`.
  public let operation: String
  /// What the person who runs this should do; empty when there is no better advice than the code itself.
  public let advice: String

  /// An error of that code.
  init(code: Int32, operation: String, advice: String? = nil) {
    self.code = code
    self.operation = operation
    self.advice = advice ?? Self.advice(for: code)
  }

  /// The error for a refusal of the system's outside of LMDB.
  public init(_ error: SystemError) {
    self.init(code: error.code, operation: error.action)
  }

  /// Whether the file was written by another version of LMDB.
  public var isVersionMismatch: Bool { code == MDB_VERSION_MISMATCH }

  /// Whether the disk, or what may be used of it, is full.
  public var isDiskFull: Bool { code == ENOSPC || code == EDQUOT || isMapFull }

  /// Whether the environment has grown to its map. LMDB tells so before it writes anything: the transaction is undone, and
  /// reads go on.
  public var isMapFull: Bool { code == MDB_MAP_FULL }

  /// Whether LMDB found its own pages damaged, or lacks something that must be there, such as a table.
  public var isDamage: Bool {
    code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_INVALID || code == MDB_NOTFOUND
  }

  /// Whether the process lacked memory, descriptors, reader slots or rights, which says nothing of what is stored.
  public var isWantOfMeans: Bool {
    [ENOMEM, EMFILE, ENFILE, EACCES, EPERM, EAGAIN].contains(code) || code == MDB_READERS_FULL
  }

  /// Whether the environment has refused everything since a commit failed half-way (lmdb.h, MDB_PANIC). What is on disk
  /// is whole: it is found when the environment is opened anew.
  public var isAftermath: Bool { code == MDB_PANIC }

  /// One line: what was tried, LMDB's reason, and what to do.
  public var description: String {
    // lmdb.h: mdb_strerror returns a static text for LMDB's codes and strerror's for the system's, which is not safe
    // to share between threads; so the system's come from elsewhere.
    let reason = code > 0 ? errorText(code) : unsafe String(cString: mdb_strerror(code))
    return "LMDB could not \(operation): \(reason)" + (advice.isEmpty ? "" : "; \(advice)")
  }

  private static func advice(for code: Int32) -> String {
    switch code {
    case MDB_MAP_FULL: "raise mapSizeBytes in the configuration and restart"
    case MDB_READERS_FULL: "too many read transactions at once; raise maximumReaders or look for stuck readers"
    case MDB_VERSION_MISMATCH: "the files belong to another version of LMDB"
    case MDB_INVALID: "the file is not an LMDB database; restore the directory from a backup"
    case MDB_PANIC: "a commit failed before; restart, which recovers"
    case MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_NOTFOUND:
      "the database is damaged; run sessionctl verify and restore it from a backup"
    case ENOSPC: "the disk is full; make room"
    case EDQUOT: "the disk quota is used up; make room"
    case EACCES: "the files must belong to the user that runs this"
    case ENOMEM: "the address space is limited; lower mapSizeBytes or raise the limit (ulimit -v, MemoryMax)"
    default: ""
    }
  }
}

/// The one choke point for LMDB's return codes: anything but 0 becomes an error.
func check(_ code: Int32, _ operation: @autoclosure () -> String) throws(LMDBError) {
  guard code == 0 else { throw LMDBError(code: code, operation: operation()) }
}

/// Like `check`, but takes MDB_NOTFOUND for an answer: false.
func checkFound(_ code: Int32, _ operation: @autoclosure () -> String) throws(LMDBError) -> Bool {
  if code == MDB_NOTFOUND { return false }
  try check(code, operation())
  return true
}
