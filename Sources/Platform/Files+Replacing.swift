internal import CLinux
internal import Glibc

extension Files {
  /// Puts `content` in place of the file at `path`, durably: whenever the process or the machine stops, the old content
  /// or the new one is there. New files get mode 0600.
  public static func replace(_ path: String, with content: [UInt8]) throws(SystemError) {
    let file = try NewFile(at: path + ".new")
    try file.write(content.span)
    try file.finish(as: path)
  }

  /// Renames a file or folder, durably, in place of what stands at `target`: a file, or an empty folder.
  public static func move(_ source: String, to target: String) throws(SystemError) {
    guard unsafe rename(source, target) == 0 else { throw .current("rename \(source) to \(target)") }
    try synchronizeDirectory(parent(of: target))
    if parent(of: source) != parent(of: target) { try synchronizeDirectory(parent(of: source)) }
  }

  /// Puts the folder at `source` in place of the folder at `target`, which goes to `source`, durably.
  ///
  /// On file systems that can't exchange two names there is a moment without a folder at `target`.
  public static func exchange(_ source: String, with target: String) throws(SystemError) {
    if unsafe clinux_exchange(source, target) == 0 {
      return try synchronizeDirectory(parent(of: target))
    }
    // rename(2): EINVAL when the file system doesn't know the flag, ENOSYS when the kernel doesn't.
    guard errno == EINVAL || errno == ENOSYS else { throw .current("exchange \(source) with \(target)") }
    let aside = source + ".old"
    try removeDirectory(aside)
    try move(target, to: aside)
    try move(source, to: target)
    try move(aside, to: source)
  }

  /// Gives what this process has just made at `path` to whom the folder belongs that it is in: root may be at work in a
  /// daemon's folder, and be ended at any moment. Does nothing for others than root, nor where root mayn't.
  public static func giveToFolderOwner(_ path: String) {
    guard geteuid() == 0 else { return }
    var folder = stat()
    guard unsafe stat(parent(of: path), &folder) == 0 else { return }
    // Not what a link points to that somebody has put in its place.
    _ = unsafe lchown(path, folder.st_uid, folder.st_gid)
  }

  /// Opens the file at `path` to read and write it, making it with mode 0600 when it is missing; negative, with errno set,
  /// where that fails.
  static func openOrMake(_ path: String) -> Int32 {
    let made = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if made >= 0 { giveToFolderOwner(path) }
    guard made < 0, errno == EEXIST else { return made }
    return unsafe open(path, O_RDWR | O_CLOEXEC)
  }

  /// The names of what is in the folder `path`, in order.
  public static func names(in path: String) throws(SystemError) -> [String] {
    guard let listing = unsafe opendir(path) else { throw .current("list \(path)") }
    defer { unsafe closedir(listing) }
    return unsafe names(listing)
  }

  /// Removes the plain files in the folder `path`, and none where a link stands in its place.
  static func removeFiles(in path: String) throws(SystemError) {
    let folder = unsafe open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard folder >= 0 else { throw .current("list \(path)") }
    guard let listing = unsafe fdopendir(folder) else {
      close(folder)
      throw .current("list \(path)")
    }
    // fdopendir(3): the descriptor belongs to the listing.
    defer { unsafe closedir(listing) }
    for name in unsafe names(listing) {
      guard unsafe unlinkat(folder, name, 0) == 0 else { throw .current("remove \(path)/\(name)") }
    }
  }

  private static func names(_ listing: OpaquePointer) -> [String] {
    var names: [String] = []
    while let entry = unsafe readdir(listing) {
      // readdir(3): d_name is a terminated string, valid until the next call.
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
        unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
