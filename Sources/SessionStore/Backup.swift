internal import EventLog
internal import LMDB
internal import Platform

/// A copy of a store's log in a folder of its own, which can be read like a data directory, with a file `chains` that
/// says what it must come to. The projections are left out: a restore builds them from the log.
///
/// It is made in a folder beside its place and only goes there once it is whole and proved.
public struct Backup: ~Copyable {
  /// The folder that the backup will be, without a slash at its end.
  public let path: String
  private let lock: FolderLock

  /// The folder in which the backup is being made.
  public var partial: DataDirectory { DataDirectory(path + ".partial") }

  /// Begins a backup at `path`. Throws when there is something already, or another one is being made.
  public init(at path: String) throws(StoreError) {
    self.path = Self.withoutSlash(path)
    guard !path.isEmpty else { throw .directory("the backup needs a folder's name, not an empty one") }
    guard try !DataDirectory.holds(self.path) else {
      throw .directory("\(self.path) is there already, and a backup overwrites nothing; choose a new folder")
    }
    lock = try Self.claim(DataDirectory(self.path + ".partial"))
  }

  /// Claims the folder that the backup is made in, and clears it of what an earlier one left.
  private static func claim(_ partial: DataDirectory) throws(StoreError) -> FolderLock {
    if let foreign = try foreignFile(in: partial.path) {
      throw .directory("\(partial.path) is in the way: it holds \(foreign), which no backup makes; move it away")
    }
    do throws(SystemError) {
      try Files.createDirectory(partial.path)
      if let lock = try FolderLock(partial.path) {
        try Files.removeDirectory(partial.log)
        return lock
      }
    } catch {
      throw .directory("the backup can't be made: \(error)")
    }
    throw .directory("another backup is being made in \(partial.path)")
  }

  /// The first file in the folder that an interrupted backup can't have left there.
  private static func foreignFile(in path: String) throws(StoreError) -> String? {
    let ours = ["log", "log.new", marksName, marksName + ".new"]
    do throws(SystemError) {
      guard try Files.exists(path) else { return nil }
      return try Files.names(in: path).first { !ours.contains($0) }
    } catch {
      throw .directory("the backup can't be made: \(error)")
    }
  }

  /// The file that grows while the log is copied.
  public var file: String { partial.logFile }

  /// Copies the log of `directory`, beside its daemon, as of its last commit, and makes the copy durable.
  public func copy(_ directory: DataDirectory) throws(StoreError) {
    let log = try StoreReader(directory: directory, opensProjections: false).log
    try Self.copy(log, to: partial.log)
  }

  /// Gives the proved copy its marks and its place, durably.
  public func finish(_ marks: ChainMarks) throws(StoreError) {
    do throws(SystemError) {
      try Files.replace(partial.path + "/" + Self.marksName, with: Array(marks.text.utf8))
      try Files.move(partial.path, to: path)
    } catch {
      throw .directory("the backup can't be finished: \(error)")
    }
  }

  /// Removes what there is of it.
  public func discard() {
    try? Files.removeDirectory(partial.log)
    try? Files.removeDirectory(partial.path)
  }

  static let marksName = "chains"

  /// What the backup at `path` must come to. Throws when it is no backup.
  public static func marks(of path: String) throws(StoreError) -> ChainMarks {
    let file = withoutSlash(path) + "/" + marksName
    let content: [UInt8]
    do throws(SystemError) {
      content = try Files.read(file)
    } catch {
      throw .directory("\(path) is no whole backup: \(error)")
    }
    guard let text = String(validating: content.span), let marks = ChainMarks(text) else {
      throw .directory("\(path) is no whole backup: \(file) is damaged")
    }
    return marks
  }

  static func withoutSlash(_ path: String) -> String {
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    return path
  }

  /// Copies a log into the new folder `folder`, durably.
  static func copy(_ log: EventLog, to folder: String) throws(StoreError) {
    do {
      try log.copy(to: folder)
      try Files.synchronizeDirectory(folder)
    } catch let error as SystemError {
      throw .directory("the log can't be copied: \(error)")
    } catch {
      throw StoreError(error)
    }
  }
}
