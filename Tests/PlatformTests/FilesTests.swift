import Glibc
import Testing
import TestSupport

@testable import Platform

@Suite("files") struct FilesTests {
  @Test("a folder is made with its parents, and made again without harm")
  func createDirectory() throws {
    let folder = try TemporaryFolder()
    try Files.createDirectory(folder("a/b//c"))
    try Files.createDirectory(folder("a/b/c/"))
    #expect(try Files.isDirectory(folder("a/b/c")))
  }

  @Test("a file in a folder's place is refused with its name")
  func fileInTheWay() throws {
    let folder = try TemporaryFolder()
    folder.write([1], to: "file")
    let error = #expect(throws: SystemError.self) { try Files.createDirectory(folder("file/sub")) }
    #expect(error?.description.contains(folder("file")) == true)
    #expect(throws: SystemError.self) { try Files.createDirectory(folder("file")) }
  }

  @Test("a file is read whole, and refused when it is larger than allowed")
  func read() throws {
    let folder = try TemporaryFolder()
    let content = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
    folder.write(content, to: "file")
    #expect(try Files.read(folder("file")) == content)
    #expect(Files.size(folder("file")) == 200_000)
    #expect(throws: SystemError.self) { try Files.read(folder("file"), maximumBytes: 199_999) }
  }

  @Test("a missing file is named in the error, with the system's reason")
  func missing() throws {
    let folder = try TemporaryFolder()
    let error = #expect(throws: SystemError.self) { try Files.read(folder("none")) }
    #expect(error?.code == 2)
    #expect(error?.description == "read \(folder("none")): No such file or directory")
    #expect(try !Files.exists(folder("none")))
    #expect(Files.size(folder("none")) == 0)
  }

  @Test("a folder is removed with its files; a missing one is removed already")
  func removeDirectory() throws {
    let folder = try TemporaryFolder()
    try Files.createDirectory(folder("a"))
    folder.write([1], to: "a/one")
    folder.write([2], to: "a/two")
    try Files.removeDirectory(folder("a"))
    #expect(try !Files.exists(folder("a")))
    try Files.removeDirectory(folder("a"))
  }

  @Test("a new file isn't written through a link")
  func newFileThroughLink() throws {
    let folder = try TemporaryFolder()
    folder.write(Array("mine".utf8), to: "other")
    #expect(unsafe symlink(folder("other"), folder("file.new")) == 0)
    #expect(throws: SystemError.self) { try Files.replace(folder("file"), with: [1]) }
    #expect(try Files.read(folder("other")) == Array("mine".utf8))
    #expect(try !Files.exists(folder("file")))
  }

  @Test("the parent of a path", arguments: [("/a/b", "/a"), ("/a", "/"), ("a/b", "a"), ("a", ".")])
  func parent(_ path: String, _ parent: String) {
    #expect(Files.parent(of: path) == parent)
  }

  @Test(
    "network file systems are known by their number in statfs(2)",
    arguments: [
      (0x6969, "NFS"), (0xff53_4d42, "SMB/CIFS"), (0xfe53_4d42, "SMB/CIFS"), (0x0102_1997, "9P"), (0x00c3_6400, "Ceph"),
      (0x0bd0_0bd0, "Lustre"), (0x517b, "SMB"),
    ] as [(UInt32, String)])
  func networkFileSystems(_ magic: UInt32, _ name: String) {
    #expect(Files.networkFileSystemName(magic: magic) == name)
  }

  @Test(
    "local file systems are none of them: ext4, XFS, Btrfs, ZFS, tmpfs, overlayfs, F2FS",
    arguments: [
      0xef53, 0x5846_5342, 0x9123_683e, 0x2fc1_2fc1, 0x0102_1994, 0x794c_7630, 0xf2f5_2010,
    ] as [UInt32])
  func localFileSystems(_ magic: UInt32) throws {
    #expect(Files.networkFileSystemName(magic: magic) == nil)
  }

  @Test("a folder here is on a local file system with room")
  func here() throws {
    let folder = try TemporaryFolder()
    #expect(try Files.networkFileSystem(folder.path) == nil)
    #expect(try Files.availableBytes(folder.path) > 0)
  }

  @Test("a lock is held by one at a time, and free again when it is dropped")
  func lock() throws {
    let folder = try TemporaryFolder()
    func isFree() throws -> Bool { try FolderLock(folder.path) != nil }
    do {
      let lock = try FolderLock(folder.path)
      #expect(try !isFree())
      _ = consume lock
    }
    #expect(try isFree())
    #expect(throws: SystemError.self) { try FolderLock(folder("none")) == nil }
  }
}
