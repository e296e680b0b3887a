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
  /// The environment of the projections.
  public var projections: String { path + "/projections" }

  /// Claims the folder for this process, creating it when it is missing. Throws when another daemon serves it.
  func claim() throws(StoreError) -> FileLock {
    do throws(SystemError) {
      try Files.createDirectory(path)
      if let lock = try FileLock(path: path + "/sessiond.lock") { return lock }
    } catch {
      throw .directory("the data directory \(path) can't be used: \(error)")
    }
    throw .directory(
      "another sessiond serves the data directory \(path); stop it or choose another one with --data-dir")
  }

  /// Whether there is something at `path`, in a data directory. Throws when that can't be told.
  static func holds(_ path: String) throws(StoreError) -> Bool {
    do throws(SystemError) {
      return try Files.exists(path)
    } catch {
      throw .directory("\(error); only root and the daemon's user may look into a data directory")
    }
  }

  /// Claims the folder of a store for this process. Throws when there is none, or a daemon serves it.
  func claimStore() throws(StoreError) -> FileLock {
    guard try Self.holds(log + "/data.mdb") else {
      throw .directory("there is no store in \(path); name the daemon's data directory with --data-dir")
    }
    return try claim()
  }
}
