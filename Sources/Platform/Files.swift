internal import CLinux
internal import Glibc

/// What the operating system refused, in words for the operator.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The system's number for the reason (errno).
  public let code: Int32
  /// What was tried, and on what.
  public let action: String

  /// The error for the current `errno` after `action` failed.
  static func current(_ action: String) -> SystemError {
    SystemError(code: errno, action: action)
  }

  /// One line: what was tried and why the system refused.
  public var description: String { "\(action): \(errorText(code))" }
}

/// The system's text for an error number.
public func errorText(_ code: Int32) -> String {
  unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
    guard let base = buffer.baseAddress else { return "error \(code)" }
    // strerror_r(3), POSIX: 0 means that a terminated text stands in the buffer.
    guard unsafe strerror_r(code, base, 256) == 0 else { return "error \(code)" }
    return unsafe String(cString: base)
  }
}

/// Operations on files and folders that durability needs and the standard library lacks.
public enum Files {
  /// Creates the folder `path` with its parents; existing folders are left as they are. New ones get mode 0700.
  public static func createDirectory(_ path: String) throws(SystemError) {
    var created = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      created += created.isEmpty || created == "/" ? String(part) : "/" + part
      if unsafe mkdir(created, 0o700) != 0 {
        let reason = errno
        // For what is there already, but may not be written to, the system is free to name either reason.
        if reason != EEXIST {
          guard try isDirectory(created) else {
            throw SystemError(code: reason, action: "create the folder \(created)")
          }
        }
      } else {
        giveToFolderOwner(created)
        try synchronizeDirectory(parent(of: created))
      }
    }
    guard try isDirectory(path) else { throw SystemError(code: ENOTDIR, action: "use \(path) as a folder") }
  }

  /// The folder that holds `path`.
  public static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Whether `path` is a folder. Throws when that can't be told.
  public static func isDirectory(_ path: String) throws(SystemError) -> Bool {
    guard let status = try statusIfAny(path) else { return false }
    return status.st_mode & S_IFMT == S_IFDIR
  }

  /// Whether `path` is a regular file, and no pipe, say, whose reader may have to wait. Throws when that can't be told.
  public static func isRegularFile(_ path: String) throws(SystemError) -> Bool {
    try status(path).st_mode & S_IFMT == S_IFREG
  }

  /// Whether what stands at `path` is no link, and on the file system of the folder that holds it; also when nothing does.
  /// Throws when that can't be told.
  public static func isPlain(_ path: String) throws(SystemError) -> Bool {
    guard let status = try statusIfAny(path, followingLinks: false) else { return true }
    let folder = try Self.status(parent(of: path))
    return status.st_mode & S_IFMT != S_IFLNK && status.st_dev == folder.st_dev
  }

  /// What the system knows of what stands at `path`. Throws when nothing does, or that can't be told.
  private static func status(_ path: String, followingLinks: Bool = true) throws(SystemError) -> stat {
    var status = stat()
    guard unsafe followingLinks ? stat(path, &status) == 0 : lstat(path, &status) == 0 else {
      throw .current("look for \(path)")
    }
    return status
  }

  /// The same, nil when nothing stands there.
  private static func statusIfAny(_ path: String, followingLinks: Bool = true) throws(SystemError) -> stat? {
    do throws(SystemError) {
      return try status(path, followingLinks: followingLinks)
    } catch {
      guard error.code == ENOENT || error.code == ENOTDIR else { throw error }
      return nil
    }
  }

  /// What tells a file from all others of a running system, whatever its name.
  public struct Identity: Equatable, Sendable {
    private let device: dev_t
    private let inode: ino_t

    fileprivate init(_ status: stat) {
      device = status.st_dev
      inode = status.st_ino
    }
  }

  /// The file that stands at `path`, nil when there is none. Throws when that can't be told.
  public static func identity(_ path: String) throws(SystemError) -> Identity? {
    try statusIfAny(path).map { Identity($0) }
  }

  /// Whether anything stands at `path`. Throws when that can't be told, as in a folder that one may not look into, or
  /// on a disk that fails: whoever takes that for no may begin anew over what is there.
  public static func exists(_ path: String) throws(SystemError) -> Bool {
    try statusIfAny(path) != nil
  }

  /// The size of the file at `path` in bytes, 0 when there is none.
  public static func size(_ path: String) -> UInt64 {
    (try? status(path)).map { UInt64($0.st_size) } ?? 0
  }

  /// The whole content of the file at `path`.
  public static func read(_ path: String, maximumBytes: Int = 16 << 20) throws(SystemError) -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .current("read \(path)") }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw .current("read \(path)") }
      if count == 0 { return content }
      content += chunk[..<count]
      guard content.count <= maximumBytes else { throw SystemError(code: EFBIG, action: "read \(path)") }
    }
  }

  /// Has the file system set `byteCount` bytes aside for the file at `path`, which is made when it is missing and stays as
  /// long as it is. For a file that is written through a memory map: where there is no room then, the write ends the
  /// process (mmap(2), SIGBUS). Does nothing where a file system can't, or the file mayn't be written.
  public static func reserve(_ path: String, byteCount: Int) throws(SystemError) {
    // stat(2): st_blocks counts 512 bytes each.
    if let status = try? status(path), status.st_blocks * 512 >= byteCount { return }
    let descriptor = openOrMake(path)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    guard clinux_reserve(descriptor, Int64(byteCount)) != 0 else { return }
    if errno == ENOSPC || errno == EDQUOT { throw .current("make room for \(path)") }
  }

  /// Makes the entries of the folder `path` durable: a new file is only there after a crash once its folder is synced.
  public static func synchronizeDirectory(_ path: String) throws(SystemError) {
    let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .current("open the folder \(path)") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw .current("sync the folder \(path)") }
  }

  /// Removes the folder `path` and the plain files in it, when it exists. Throws for a link: what it points to is somebody
  /// else's.
  public static func removeDirectory(_ path: String) throws(SystemError) {
    // An empty one goes without a look into it, which may be root's to take.
    if unsafe rmdir(path) != 0 {
      if errno == ENOENT { return }
      guard errno == ENOTEMPTY || errno == EEXIST else { throw .current("remove \(path)") }
      try removeFiles(in: path)
      guard unsafe rmdir(path) == 0 else { throw .current("remove \(path)") }
    }
    try synchronizeDirectory(parent(of: path))
  }

  /// The name of the network file system that holds `path`, or nil when it is a local one.
  ///
  /// lmdb.h: "Do not use LMDB databases on remote filesystems": its locks and its memory map need one kernel.
  public static func networkFileSystem(_ path: String) throws(SystemError) -> String? {
    var magic: UInt32 = 0
    guard unsafe clinux_file_system_type(path, &magic) == 0 else {
      throw .current("look at the file system of \(path)")
    }
    return networkFileSystemName(magic: magic)
  }

  /// The name of a network file system by the number that statfs(2) gives it.
  static func networkFileSystemName(magic: UInt32) -> String? {
    switch magic {
    case 0x6969: "NFS"
    case 0xff53_4d42, 0xfe53_4d42: "SMB/CIFS"
    case 0x517b: "SMB"
    case 0x564c: "NCP"
    case 0x7375_7245: "Coda"
    case 0x5346_414f, 0x6b41_4653: "AFS"
    case 0x00c3_6400: "Ceph"
    case 0x0102_1997: "9P"
    case 0x0bd0_0bd0: "Lustre"
    case 0x4750_4653: "GPFS"
    case 0x0161_1970: "GFS2"
    case 0x7461_636f: "OCFS2"
    case 0x1980_0202: "BeeGFS"
    default: nil
    }
  }

  /// Bytes that an ordinary user may still write on the file system of `path`.
  public static func availableBytes(_ path: String) throws(SystemError) -> UInt64 {
    var status = statvfs()
    guard unsafe statvfs(path, &status) == 0 else { throw .current("look at the free space of \(path)") }
    return UInt64(status.f_bavail) * UInt64(status.f_frsize)
  }
}

extension Files {
  /// A file that is read here and there.
  public struct Reader: ~Copyable, Sendable {
    private let descriptor: Int32
    private let path: String

    /// Opens the file at `path`.
    public init(_ path: String) throws(SystemError) {
      descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw .current("read \(path)") }
      self.path = path
    }

    deinit { close(descriptor) }

    /// The `count` bytes at `offset`; fewer where the file ends.
    public func read(_ count: Int, at offset: UInt64) throws(SystemError) -> [UInt8] {
      var failure: SystemError?
      let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        while filled < count {
          let read = unsafe pread(
            descriptor, buffer.baseAddress.map { unsafe $0 + filled }, count - filled, off_t(offset) + off_t(filled))
          if read < 0 && errno == EINTR { continue }
          if read < 0 { failure = .current("read \(path)") }
          guard read > 0 else { return }
          filled += read
        }
      }
      if let failure { throw failure }
      return bytes
    }
  }
}

/// An exclusive claim on a folder, held until it is dropped or the process ends in whatever way.
///
/// It is on the folder itself, since a file in it could be removed, and made anew for another claim.
public struct FolderLock: ~Copyable, Sendable {
  private let descriptor: Int32

  /// Claims the folder `path`; nil when another process holds it.
  public init?(_ path: String) throws(SystemError) {
    let opened = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard opened >= 0 else { throw .current("open the folder \(path)") }
    // flock(2): the claim belongs to the open file, so that the kernel drops it with the process.
    guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
      let reason = errno
      close(opened)
      if reason == EWOULDBLOCK { return nil }
      throw SystemError(code: reason, action: "lock \(path)")
    }
    descriptor = opened
  }

  deinit { close(descriptor) }
}
