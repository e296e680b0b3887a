internal import CLinux
internal import Glibc

extension Files {
  /// Puts `content` in place of the file at `path`, durably: whenever the process or the machine stops, the old content
  /// or the new one is there. New files get mode 0600.
  public static func replace(_ path: String, with content: [UInt8]) throws(SystemError) {
    let temporary = path + ".new"
    let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .current("write \(temporary)") }
    defer { close(descriptor) }
    try writeAll(content.span, to: descriptor, "write \(temporary)")
    guard fsync(descriptor) == 0 else { throw .current("sync \(temporary)") }
    try move(temporary, to: path)
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

  /// Gives the folder `path` and the files in it the owner and group of `model`, where they have another one.
  public static func giveOwner(of model: String, to path: String) throws(SystemError) {
    var wanted = stat()
    guard unsafe stat(model, &wanted) == 0 else { throw .current("look at \(model)") }
    for name in try ["."] + names(in: path) {
      let file = path + "/" + name
      var status = stat()
      guard unsafe stat(file, &status) == 0 else { throw .current("look at \(file)") }
      if status.st_uid == wanted.st_uid && status.st_gid == wanted.st_gid { continue }
      guard unsafe chown(file, wanted.st_uid, wanted.st_gid) == 0 else { throw .current("give \(file) its owner") }
    }
  }

  /// The names of what is in the folder `path`, in order.
  public static func names(in path: String) throws(SystemError) -> [String] {
    guard let listing = unsafe opendir(path) else { throw .current("list \(path)") }
    defer { unsafe closedir(listing) }
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
