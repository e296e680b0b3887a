internal import CLMDB
internal import Glibc
internal import Platform

extension Environment {
  /// Writes a consistent, compact copy of the environment, as of its last commit, to the new file `path`, and makes it
  /// durable. Writers go on meanwhile; pages that they free are kept until the copy is done.
  ///
  /// Throws when the file is there already or can't be written whole.
  public func copy(to path: String) throws(LMDBError) {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw LMDBError(code: errno, operation: "create \(path)") }
    defer { close(descriptor) }
    // lmdb.h, mdb_env_copyfd2: the descriptor must be open for writing. LMDB doesn't sync it.
    unsafe try check(mdb_env_copyfd2(handle, descriptor, UInt32(MDB_CP_COMPACT)), "copy \(self.path) to \(path)")
    guard fsync(descriptor) == 0 else { throw LMDBError(code: errno, operation: "sync \(path)") }
  }
}
