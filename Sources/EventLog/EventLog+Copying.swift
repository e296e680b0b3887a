public import LMDB

extension EventLog {
  /// Writes a consistent copy of the log, as of its last commit, to the new folder `path`, and makes it durable. Nothing
  /// that was erased is in its files.
  /// The daemon may go on writing meanwhile. Throws when there is a log already, or it can't be written whole.
  public func copy(to path: String) throws(EventLogError) {
    do throws(LMDBError) {
      try environment.copy([events, meta], to: path)
    } catch {
      throw .storage(error)
    }
  }

  /// The read transactions of the log that are open now, in whatever process.
  public func openReaders() throws(EventLogError) -> [Environment.OpenReader] {
    do throws(LMDBError) {
      return try environment.openReaders()
    } catch {
      throw .storage(error)
    }
  }
}
