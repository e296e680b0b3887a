internal import Platform

/// The folder that holds a store: `log/`, `projections/`, and the claim of the one daemon that serves it.
public struct DataDirectory: Sendable {
  /// The folder.
  public let path: String

  /// The data directory at `path`.
  public init(_ path: String) {
    self.path = path
  }

  /// The environment of the log.
  public var log: String { path + "/log" }
  /// The file that holds the log.
  public var logFile: String { log + "/data.mdb" }
  /// The environment of the projections.
  public var projections: String { path + "/projections" }
  /// The file that holds the projections.
  var projectionsFile: String { projections + "/data.mdb" }

  /// Where a rebuild makes new projections, and where the old ones stand once they are replaced.
  var rebuiltProjections: String { projections + ".new" }
  /// Where a restore copies the log to.
  var restoredLog: String { log + ".restoring" }
  /// Where a restore makes the projections.
  var restoredProjections: String { projections + ".restoring" }
  /// Where a restore copies the log to once more when erasures have left old bytes in its file.
  var compactedLog: String { log + ".compact.restoring" }

  /// Claims the folder for this process, creating it when it is missing. Throws when another daemon serves it.
  func claim() throws(StoreError) -> FolderLock {
    let elsewhere: String?
    do throws(SystemError) {
      try Files.createDirectory(path)
      // Renames bring new files to their places, which needs one file system.
      elsewhere = try !Files.isPlain(log) ? log : !Files.isPlain(projections) ? projections : nil
      if elsewhere == nil, let lock = try FolderLock(path) { return lock }
    } catch {
      throw .directory("the data directory \(path) can't be used: \(error)")
    }
    if let elsewhere {
      throw .directory("\(elsewhere) is a link or a mount; make the data directory \(path) itself one instead")
    }
    throw .directory(
      "another sessiond, or a sessionctl that writes, has the data directory \(path); stop it or choose another one with --data-dir"
    )
  }

  /// Whether the log's file isn't there any more, or is another one than `opened`. False where that can't be told: the next
  /// look may.
  func hasLostLog(_ opened: Files.Identity?) -> Bool {
    (try? Files.identity(logFile) != opened) ?? false
  }

  /// Throws when the log is gone although there are projections that were folded from one. A new log in its place would be
  /// an empty store, to which the only witness of the old one wouldn't fit.
  func refuseLostLog() throws(StoreError) {
    guard try !Self.holds(logFile), try Self.holds(projectionsFile) else { return }
    throw .directory(
      "the log \(log) is missing, but projections of a store are there: mount or restore it (sessionctl restore), or "
        + "remove the folder projections/ to begin a new store")
  }

  /// Removes what a rebuild or a restore has left that was stopped: whole copies of what the store holds. Call it with the
  /// folder claimed, so that neither is under way.
  func removeLeftovers() throws(StoreError) {
    do throws(SystemError) {
      for folder in leftovers where try Files.exists(folder) { try Files.removeDirectory(folder) }
    } catch {
      throw .directory("what an earlier rebuild or restore left can't be removed: \(error)")
    }
  }

  /// What ``Rebuild`` and ``Restore`` are at, and no other folders: an operator may have put the log aside as `log.old`.
  private var leftovers: [String] {
    // Each is made by LMDB under a name of its own first, and an exchange may put one aside.
    [rebuiltProjections, restoredLog, restoredProjections, compactedLog].flatMap { [$0, $0 + ".new"] }
      + [rebuiltProjections + ".old"]
  }

  /// Whether there is something at `path`, in a data directory. Throws when that can't be told.
  static func holds(_ path: String) throws(StoreError) -> Bool {
    do throws(SystemError) {
      return try Files.exists(path)
    } catch {
      throw .directory("\(error); only root and the daemon's user may look into a data directory")
    }
  }

  /// Claims the folder of a store for this process, and clears it of leftovers. Throws when there is none, or a daemon
  /// serves it.
  func claimStore() throws(StoreError) -> FolderLock {
    guard try Self.holds(logFile) else {
      throw .directory("there is no store in \(path); name the daemon's data directory with --data-dir")
    }
    let lock = try claim()
    try removeLeftovers()
    return lock
  }
}
