internal import Glibc
public import Platform

/// A folder of a test's own, removed with all that is in it when the last reference goes.
public final class TemporaryFolder: Sendable {
  /// The folder.
  public let path: String

  /// Where the folders are made: in memory where that can be, since the tests commit some ten thousand times. The
  /// variable `TEST_FOLDER` names another place, such as a disk.
  private static let root =
    Process.environment(prefix: "TEST_FOLDER")["TEST_FOLDER"]
    ?? ((try? Files.isDirectory("/dev/shm")) == true
      ? "/dev/shm" : "/tmp")

  /// Makes an empty folder; `name` is a part of its path.
  public init(_ name: String = "\(UInt64.random(in: 0 ... .max))") throws(SystemError) {
    path = "\(Self.root)/sessiond-tests-\(Process.identifier)-\(name)"
    try Files.createDirectory(path)
  }

  deinit { Self.remove(path) }

  /// The path of `name` in the folder.
  public func callAsFunction(_ name: String) -> String { path + "/" + name }

  /// Writes a file, in place of what was there.
  public func write(_ bytes: [UInt8], to name: String) {
    Self.write(bytes, to: self(name))
  }

  /// Writes a file at `path`, in place of what was there.
  public static func write(_ bytes: [UInt8], to path: String) {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    precondition(descriptor >= 0, "\(path) can't be written")
    defer { close(descriptor) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
      precondition(count > 0, "\(path) can't be written")
      rest = rest.dropFirst(count)
    }
  }

  /// Copies the plain files of the folder `source` into the folder `target`, which is made anew.
  public static func copy(_ source: String, to target: String) throws(SystemError) {
    try Files.removeDirectory(target)
    try Files.createDirectory(target)
    for name in names(in: source) { write(try Files.read(source + "/" + name), to: target + "/" + name) }
  }

  /// The plain files in the folder `path` and in those below it.
  public static func files(below path: String) -> [String] {
    names(in: path).flatMap { name in
      let entry = path + "/" + name
      return (try? Files.isDirectory(entry)) == true ? files(below: entry) : [entry]
    }
  }

  /// None where there is no folder.
  private static func names(in path: String) -> [String] { (try? Files.names(in: path)) ?? [] }

  private static func remove(_ path: String) {
    for name in names(in: path) {
      let entry = path + "/" + name
      if (try? Files.isDirectory(entry)) == true { remove(entry) } else { _ = unsafe unlink(entry) }
    }
    _ = unsafe rmdir(path)
  }
}
