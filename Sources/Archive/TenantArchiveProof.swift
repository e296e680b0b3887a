internal import Compression
internal import EventLog
internal import Platform
internal import SessionCodec
internal import SessionModel

/// The proof of one tenant's archive, segment by segment.
struct TenantArchiveProof {
  private let tenant: TenantID
  private let folder: String
  /// What it is compared with; nil when that is of another store.
  private var log: EventLog?
  private var chain = ChainProof()
  private var trail = ErasureTrail()

  /// A segment as it should be. Without a manifest, only its name tells of it.
  private struct Expected {
    let name: SegmentName
    var recorded: ArchiveManifest.Segment?
  }

  /// How far the archive has been proved.
  private var tail: LogTail { chain.tail }

  /// A proof of `tenant`'s archive in its folder.
  init(_ tenant: TenantID, in folder: String, log: EventLog?) {
    self.tenant = tenant
    self.folder = folder
    self.log = log
  }

  mutating func run(_ report: inout ArchiveVerification.Report, _ progress: (UInt64) -> Void) throws(SystemError) {
    let names = try Files.names(in: folder).compactMap { SegmentName($0) }.sorted()
    var storeID: String?
    let segments: [Expected]
    if let manifest = try manifest(&report) {
      storeID = manifest.storeID
      segments = manifest.segments.map {
        Expected(name: SegmentName(first: $0.first, last: $0.tail.position), recorded: $0)
      }
      for name in names where !segments.contains(where: { $0.name == name }) {
        found(name, nil, "the manifest doesn't name it: a run was interrupted, and the next one removes it", &report)
      }
    } else {
      segments = names.map { Expected(name: $0) }
    }
    if let storeID, let other = log, storeID != other.storeID {
      found(nil, nil, "the archive is of the store \(storeID), and the data directory holds \(other.storeID)", &report)
      log = nil
    }
    let findingsBefore = report.findings.count
    for segment in segments {
      let before = report.findings.count
      try prove(segment, &report, progress)
      report.segments += 1
      if report.findings.count == before { compare(segment, &report) }
    }
    if report.findings.count == findingsBefore, let problem = trail.problem { found(nil, nil, problem, &report) }
    report.erasedEvents += trail.erasedCount
    report.tails[tenant] = tail
  }

  /// The manifest; nil when it can't be read, which is a finding.
  private func manifest(_ report: inout ArchiveVerification.Report) throws(SystemError) -> ArchiveManifest? {
    do throws(SystemError) {
      guard let manifest = try ArchiveManifest(in: folder) else {
        found(nil, nil, "the manifest is damaged; the segments are proved without it", &report)
        return nil
      }
      guard manifest.tenant == tenant else {
        found(nil, nil, "the manifest is that of tenant \(manifest.tenant)", &report)
        return nil
      }
      return manifest
    } catch {
      guard error.isMissing else { throw error }
      found(nil, nil, "the manifest is missing; the segments are proved without it", &report)
      return nil
    }
  }

  /// Compares the chain at the end of a whole segment with the log's.
  private func compare(_ segment: Expected, _ report: inout ArchiveVerification.Report) {
    guard let log else { return }
    do throws(EventLogError) {
      guard try !log.holds(tail, of: tenant) else { return }
      found(segment.name, tail.position, "the log has not this record, or one with another chain", &report)
    } catch {
      found(segment.name, tail.position, "the log can't be compared: \(error)", &report)
    }
  }

  private func found(
    _ segment: SegmentName?, _ position: UInt64?, _ problem: String, _ report: inout ArchiveVerification.Report
  ) {
    guard report.findings.count < ArchiveVerification.maximumFindings else { return }
    report.findings.append(
      ArchiveVerification.Finding(
        tenant: tenant, segment: segment?.description, position: position, problem: problem))
  }

  // MARK: A segment

  private mutating func prove(
    _ segment: Expected, _ report: inout ArchiveVerification.Report, _ progress: (UInt64) -> Void
  ) throws(SystemError) {
    let name = segment.name
    let before = report.findings.count
    if name.first > tail.position + 1 {
      found(nil, tail.position + 1, "this and all up to \(name.first - 1) are in no segment", &report)
      chain.lose(to: name.first - 1)
    } else if name.first <= tail.position {
      found(name, nil, "it begins before the end of the segment before it", &report)
      chain.lose(to: name.first - 1)
    }
    do throws(SystemError) {
      let digest = try read(segment, &report, progress)
      if tail.position < name.last, report.findings.count == before {
        found(name, tail.position + 1, "the segment ends before this position", &report)
      }
      // What is below says that the file isn't whole; what is above has said where.
      if report.findings.count == before, let recorded = segment.recorded {
        if digest != recorded.digest {
          found(name, nil, "the file isn't the one that was written: its digest is another one", &report)
        } else if tail.chain != recorded.tail.chain {
          found(name, name.last, "its chain isn't the one that the manifest names", &report)
        }
      }
    } catch {
      guard error.isMissing else { throw error }
      found(name, name.first, "the segment is missing", &report)
    }
    // The manifest knows what the next segment has to follow, whatever this one is like.
    guard tail.position != name.last || report.findings.count > before else { return }
    if let recorded = segment.recorded {
      chain = ChainProof(from: recorded.tail)
    } else {
      chain.lose(to: name.last)
    }
  }

  /// The longest line that is read, in bytes: many times what the API's limits lead to.
  private static let maximumLineBytes = 64 << 20

  /// Reads a segment's file and proves its lines; returns the file's digest.
  private mutating func read(
    _ segment: Expected, _ report: inout ArchiveVerification.Report, _ progress: (UInt64) -> Void
  ) throws(SystemError) -> Digest {
    let file = try InputFile(folder + "/\(segment.name)")
    let gzip = GzipDecompressor()
    var hasher = DigestHasher()
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    var text: [UInt8] = []
    var isReadable = true
    while true {
      let count = try file.read(into: &piece)
      guard count > 0 else { break }
      progress(UInt64(count))
      let packed = piece.span.extracting(0..<count)
      hasher.update(packed)
      // The rest is only read for the digest and the progress.
      guard isReadable else { continue }
      do throws(GzipError) {
        try gzip.decompress(packed, to: &text)
      } catch {
        isReadable = takeLines(&text, of: segment, &report)
        if isReadable { unreadable(segment, error.description, &report) }
        isReadable = false
        continue
      }
      isReadable = takeLines(&text, of: segment, &report)
      if isReadable && text.count > Self.maximumLineBytes {
        unreadable(segment, "a line is too long", &report)
        isReadable = false
      }
    }
    guard isReadable else { return hasher.finish() }
    do throws(GzipError) {
      try gzip.finish()
      if !text.isEmpty { unreadable(segment, "its last line is cut short", &report) }
    } catch {
      unreadable(segment, error.description, &report)
    }
    return hasher.finish()
  }

  private func unreadable(
    _ segment: Expected, _ problem: String, _ report: inout ArchiveVerification.Report
  ) {
    let last = segment.name.last
    let rest =
      tail.position < last
      ? (tail.position + 1 == last
        ? "; this position could not be proved" : "; neither this position nor those up to \(last) could be proved")
      : ""
    found(segment.name, tail.position < last ? tail.position + 1 : nil, problem + rest, &report)
  }

  /// Takes the whole lines out of `text` and proves each. Returns false when the rest of the segment is of no use.
  private mutating func takeLines(
    _ text: inout [UInt8], of segment: Expected, _ report: inout ArchiveVerification.Report
  ) -> Bool {
    var start = 0
    var isUsable = true
    for end in text.indices where isUsable && text[end] == UInt8(ascii: "\n") {
      isUsable = take(text.span.extracting(start..<end + 1), of: segment, &report)
      start = end + 1
    }
    if start > 0 { text.removeFirst(start) }
    return isUsable
  }

  /// Proves a line; returns false when it shows that the file isn't this segment.
  private mutating func take(
    _ bytes: Span<UInt8>, of segment: Expected, _ report: inout ArchiveVerification.Report
  ) -> Bool {
    let name = segment.name
    guard tail.position < name.last else {
      found(name, nil, "it goes on after its last position", &report)
      return false
    }
    var position = tail.position + 1
    report.events += 1
    guard let line = ArchiveLine(bytes) else {
      found(name, position, "the line can't be read", &report)
      chain.lose(to: position)
      return true
    }
    if let owner = Self.otherOwner(of: line, than: tenant) {
      found(name, position, "the record is one of tenant \(owner)", &report)
      return false
    }
    if line.position != position {
      guard line.position > position && line.position <= name.last else {
        found(name, position, "the line is that of position \(line.position)", &report)
        chain.lose(to: position)
        return true
      }
      found(name, position, ChainProof.absence(of: position...line.position - 1), &report)
      chain.lose(to: line.position - 1)
      position = line.position
    }
    let key = LogSchema.key(tenant, position)
    do throws(DamagedRecord) {
      try prove(try FrameView(line.frame.span, key: key.span), line: bytes, at: position, of: name, &report)
    } catch {
      found(name, position, error.reason, &report)
      chain.lose(to: position)
    }
    return true
  }

  /// Whose record a line holds when it is whole and another tenant's; nil otherwise.
  private static func otherOwner(of line: ArchiveLine, than tenant: TenantID) -> TenantID? {
    guard let owner = Frame.claimedTenant(line.frame.span), owner != tenant else { return nil }
    let key = LogSchema.key(owner, line.position)
    return (try? FrameView(line.frame.span, key: key.span)) == nil ? nil : owner
  }

  private mutating func prove(
    _ frame: FrameView, line: Span<UInt8>, at position: UInt64, of name: SegmentName,
    _ report: inout ArchiveVerification.Report
  ) throws(DamagedRecord) {
    guard frame.position == position, tenant.description.withBytes({ frame.tenant.isEqual(to: $0) }) else {
      throw DamagedRecord("the record belongs to another place")
    }
    var expected: [UInt8] = []
    try ArchiveLine.append(frame, of: tenant, to: &expected)
    for problem in chain.take(frame) { found(name, position, problem, &report) }
    if !line.isEqual(to: expected.span) {
      found(name, position, "the readable event isn't what the record says", &report)
    }
    if frame.isErased, logHasPayload(position) {
      found(name, position, "the payload is missing, and the log has it", &report)
    }
    try trail.take(frame)
  }

  /// Whether the log that the archive is compared with has the payload of a record. One that it can't read hasn't.
  private func logHasPayload(_ position: UInt64) -> Bool {
    guard let log else { return false }
    var hasPayload = false
    _ = try? log.scan(tenant, after: position - 1, limit: 1) { found, frame, _ in
      if found == position, let frame { hasPayload = !frame.isErased }
    }
    return hasPayload
  }
}
