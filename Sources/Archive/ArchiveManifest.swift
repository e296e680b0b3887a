public import EventLog
public import Platform
public import SessionModel
internal import SessionCodec

// An archive is a folder with one folder for each tenant:
//
//   acme/00000000000000000001-00000000000000100000.ndjson.gz    a segment: the events at these positions, a line each
//   acme/00000000000000100001-00000000000000123456.ndjson.gz
//   acme/manifest                                                what the tenant's archive must come to
//
// A segment is one gzip member. Its lines are described at ArchiveLine. The manifest is text, a line each:
//
//   sessiond archive 1
//   store STORE
//   tenant TENANT
//   made TIME
//   positions FIRST LAST
//   chains BEFORE AFTER
//   events COUNT
//   segment FIRST LAST CHAIN MICROSECONDS BYTES SHA256      for each segment, in order: the chain and the time of its last
//                                                           record, the file's length and digest
//   checksum NUMBER                                         of the lines before
//
// It is put in place of the one before with a rename once a new segment is on disk: so it always stands for a whole
// archive, and one segment behind those that it names is what an interrupted run left.

/// What a tenant's archive must come to.
public struct ArchiveManifest: Equatable, Sendable {
  /// A file with the events of some positions.
  public struct Segment: Equatable, Sendable {
    /// The position of its first event.
    public var first: UInt64
    /// Its last record.
    public var tail: LogTail
    /// The length of the file.
    public var byteCount: UInt64
    /// The digest of the file.
    public var digest: Digest

    /// The file's name.
    public var name: String { SegmentName(first: first, last: tail.position).description }
  }

  /// The name of the store that the log is from.
  public let storeID: String
  /// The tenant.
  public let tenant: TenantID
  /// When the last segment was added.
  public private(set) var madeAt: Instant
  /// All segments, in order. Their positions are without gaps, from 1.
  public private(set) var segments: [Segment] = []

  /// The manifest of an archive without segments.
  init(storeID: String, tenant: TenantID) {
    self.storeID = storeID
    self.tenant = tenant
    madeAt = Instant(microseconds: 0)
  }

  /// The last record that is archived.
  public var tail: LogTail { segments.last?.tail ?? .empty }

  /// Adds the next segment.
  mutating func append(_ segment: Segment, at moment: Instant) {
    precondition(segment.first == tail.position + 1 && segment.tail.position >= segment.first)
    segments.append(segment)
    madeAt = moment
  }

  static let fileName = "manifest"
  private static let head = "sessiond archive 1"

  /// The text of the file.
  var text: String {
    var text = """
      \(Self.head)
      store \(storeID)
      tenant \(tenant)
      made \(madeAt.rfc3339)
      positions \(segments.first?.first ?? 0) \(tail.position)
      chains \(Digest.zero.hexadecimal) \(tail.chain.hexadecimal)
      events \(tail.position)

      """
    for segment in segments {
      text += "segment \(segment.first) \(segment.tail.position) \(segment.tail.chain.hexadecimal) "
      text += "\(segment.tail.recordedAt.microseconds) \(segment.byteCount) \(segment.digest.hexadecimal)\n"
    }
    return text + "checksum \(text.withBytes { checksum($0) })\n"
  }

  /// The manifest in the text of a file; nil when it is no such text, or was changed.
  init?(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count >= 9, lines[0] == Self.head else { return nil }
    let words = lines.map { $0.split(separator: " ") }
    guard words[1].count == 2, words[2].count == 2, words[3].count == 2, let tenant = TenantID(String(words[2][1])),
      let madeAt = Instant(rfc3339: String(words[3][1]))
    else { return nil }
    self.init(storeID: String(words[1][1]), tenant: tenant)
    for line in words[7...] where line.first == "segment" {
      guard line.count == 7, let first = UInt64(line[1]), let last = UInt64(line[2]),
        let chain = Digest(hexadecimal: line[3]), let microseconds = Int64(line[4]), let byteCount = UInt64(line[5]),
        let digest = Digest(hexadecimal: line[6]), first == tail.position + 1, last >= first
      else { return nil }
      let tail = LogTail(position: last, chain: chain, recordedAt: Instant(microseconds: microseconds))
      append(Segment(first: first, tail: tail, byteCount: byteCount, digest: digest), at: madeAt)
    }
    // All that a manifest says can be told again from these parts, its checksum too.
    guard self.text.utf8.elementsEqual(text.utf8) else { return nil }
  }
}

/// The name of a segment's file, from which the order and the positions can be seen.
struct SegmentName: Equatable, Comparable, CustomStringConvertible {
  let first: UInt64
  let last: UInt64

  static let suffix = ".ndjson.gz"

  init(first: UInt64, last: UInt64) {
    self.first = first
    self.last = last
  }

  /// The positions that a file's name tells; nil when it is no segment's.
  init?(_ name: String) {
    guard name.hasSuffix(Self.suffix) else { return nil }
    let numbers = name.dropLast(Self.suffix.count).split(separator: "-").map { UInt64($0) }
    guard numbers.count == 2, let first = numbers[0], let last = numbers[1] else { return nil }
    self.init(first: first, last: last)
    guard first >= 1, first <= last, description == name else { return nil }
  }

  var description: String { "\(Self.padded(first))-\(Self.padded(last))\(Self.suffix)" }

  private static func padded(_ number: UInt64) -> String {
    let digits = "\(number)"
    return String(repeating: "0", count: 20 - digits.count) + digits
  }

  static func < (left: SegmentName, right: SegmentName) -> Bool {
    (left.first, left.last) < (right.first, right.last)
  }
}
