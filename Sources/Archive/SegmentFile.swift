internal import Compression
internal import EventLog
internal import Platform

/// A segment's file while it is written.
struct SegmentFile: ~Copyable {
  private let folder: String
  private let file: NewFile
  private let gzip = GzipCompressor()
  private var hasher = DigestHasher()
  private var byteCount: UInt64 = 0

  /// A file in a tenant's folder, under a name of no segment's until it is whole.
  init(in folder: String) throws(SystemError) {
    self.folder = folder
    file = try NewFile(at: folder + "/segment.new")
  }

  /// Adds lines.
  mutating func write(_ lines: [UInt8]) throws(SystemError) {
    var packed: [UInt8] = []
    gzip.compress(lines.span, to: &packed)
    try put(packed)
  }

  /// Makes the segment of the positions from `first` to that of `tail` durable, and gives it its name.
  consuming func finish(first: UInt64, tail: LogTail) throws(SystemError) -> ArchiveManifest.Segment {
    var packed: [UInt8] = []
    gzip.finish(to: &packed)
    try put(packed)
    let segment = ArchiveManifest.Segment(first: first, tail: tail, byteCount: byteCount, digest: hasher.finish())
    try file.finish(as: folder + "/" + segment.name)
    return segment
  }

  private mutating func put(_ packed: [UInt8]) throws(SystemError) {
    hasher.update(packed.span)
    byteCount += UInt64(packed.count)
    try file.write(packed.span)
  }
}
