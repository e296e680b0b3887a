internal import Glibc

/// A new file that is written piece by piece and only takes its place once it is whole.
public struct NewFile: ~Copyable {
  private let descriptor: Int32
  private let temporary: String

  /// A file that is written at `temporary` meanwhile, in place of what stood there. It gets mode 0600; where root
  /// makes it, it is given to whom the folder belongs.
  public init(at temporary: String) throws(SystemError) {
    // Not through a link that somebody else has put there: what it points to would be emptied.
    let opened = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard opened >= 0 else { throw .current("write \(temporary)") }
    descriptor = opened
    self.temporary = temporary
    Files.giveToFolderOwner(temporary)
  }

  deinit { close(descriptor) }

  /// Writes the next piece.
  public func write(_ bytes: Span<UInt8>) throws(SystemError) {
    try writeAll(bytes, to: descriptor, "write \(temporary)")
  }

  /// Makes the file durable and moves it to `path`.
  public consuming func finish(as path: String) throws(SystemError) {
    guard fsync(descriptor) == 0 else { throw .current("sync \(temporary)") }
    try Files.move(temporary, to: path)
  }
}

/// A file that is read piece by piece.
public struct InputFile: ~Copyable {
  private let descriptor: Int32
  private let path: String

  /// Opens the file at `path`.
  public init(_ path: String) throws(SystemError) {
    let opened = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard opened >= 0 else { throw .current("read \(path)") }
    descriptor = opened
    self.path = path
  }

  deinit { close(descriptor) }

  /// Reads the next bytes into the beginning of `piece`; returns how many there are, 0 at the end.
  public func read(into piece: inout [UInt8]) throws(SystemError) -> Int {
    while true {
      let count = unsafe Glibc.read(descriptor, &piece, piece.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw .current("read \(path)") }
      return count
    }
  }
}

extension Files {
  /// Removes the file at `path`, durably. It must be there.
  public static func remove(_ path: String) throws(SystemError) {
    guard unsafe unlink(path) == 0 else { throw .current("remove \(path)") }
    try synchronizeDirectory(parent(of: path))
  }
}

extension SystemError {
  /// Whether there is no such file.
  public var isMissing: Bool { code == ENOENT }
}
