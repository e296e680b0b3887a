public import EventLog
internal import Platform
internal import SessionCodec
public import SessionModel

/// Writes logs to an archive, beside the daemon that appends to them.
///
/// What is archived of a log is always all of it from its beginning to some position: then the chain proves that nothing
/// is missing. Each run goes on where the last one ended.
public struct ArchiveWriter: ~Copyable {
  /// How large a segment gets.
  public struct Limits: Sendable {
    /// The most events.
    public var events: UInt64
    /// About how many bytes of records.
    public var bytes: Int

    /// Limits, by default 100,000 events and 64 MiB.
    public init(events: UInt64 = 100_000, bytes: Int = 64 << 20) {
      self.events = events
      self.bytes = bytes
    }
  }

  /// What was done with a tenant's log.
  public struct Outcome: Equatable, Sendable {
    /// The positions that were added, nil when there were no new ones.
    public let added: ClosedRange<UInt64>?
    /// How many segments were added.
    public let segments: Int
    /// How many bytes of files were added.
    public let bytes: UInt64
    /// The last record that is archived now.
    public let tail: LogTail
  }

  private static let recordsPerTransaction: UInt64 = 512

  private let path: String
  private let limits: Limits
  private let lock: FolderLock

  /// Claims the archive in the folder `path`, creating it when it is missing. Throws when another process writes to it.
  public init(_ path: String, limits: Limits = Limits()) throws(ArchiveError) {
    self.path = path
    self.limits = limits
    lock = try Self.claim(path)
  }

  private static func claim(_ path: String) throws(ArchiveError) -> FolderLock {
    do throws(SystemError) {
      try Files.createDirectory(path)
      if let lock = try FolderLock(path) { return lock }
    } catch {
      throw .system(error)
    }
    throw .refused("another process writes to the archive \(path); try again when it has ended")
  }

  /// How many events of `tenant` the archive lacks.
  public func lag(_ tenant: TenantID, of log: EventLog) throws(ArchiveError) -> UInt64 {
    do {
      let last = try log.lastPosition(of: tenant)
      let archived = try manifest(tenant, of: log).tail.position
      return last - min(last, archived)
    } catch {
      throw ArchiveError(error)
    }
  }

  /// Adds what `tenant`'s log has beyond the archive, up to its end as it is now, or to the event of an erasure that came in
  /// between. `progress` is told how many events have been written since the last time.
  ///
  /// Proves each record before it is written. Throws when the archive is of another log, or the log is damaged.
  public func archive(
    _ tenant: TenantID, of log: EventLog, progress: (UInt64) -> Void = { _ in }
  ) throws(ArchiveError) -> Outcome {
    do {
      let folder = path + "/" + tenant.description
      var end = try log.lastPosition(of: tenant)
      var trail = ErasureTrail()
      var manifest = try manifest(tenant, of: log)
      let before = manifest.segments
      if manifest.tail.position < end {
        try Files.createDirectory(folder)
        try removeRest(in: folder, besides: manifest, tenant, of: log)
      }
      while manifest.tail.position < end {
        let segment = try write(tenant, of: log, after: manifest.tail, to: end, in: folder, &trail, progress)
        manifest.append(segment, at: Instant(microseconds: currentMicroseconds()))
        try Files.replace(folder + "/" + ArchiveManifest.fileName, with: Array(manifest.text.utf8))
        // What was erased while it was written has the event that says so behind the end that was.
        if manifest.tail.position == end, trail.problem != nil { end = try log.lastPosition(of: tenant) }
      }
      if let problem = trail.problem { throw ArchiveError.damaged("\(problem); verify the data") }
      let new = manifest.segments.dropFirst(before.count)
      return Outcome(
        added: new.isEmpty ? nil : (before.last?.tail.position ?? 0) + 1...manifest.tail.position, segments: new.count,
        bytes: new.reduce(0) { $0 + $1.byteCount }, tail: manifest.tail)
    } catch {
      throw ArchiveError(error)
    }
  }

  /// What is archived of `tenant`'s log, after making sure that it is this log.
  private func manifest(_ tenant: TenantID, of log: EventLog) throws -> ArchiveManifest {
    let folder = path + "/" + tenant.description
    guard try Files.exists(folder + "/" + ArchiveManifest.fileName) else {
      return ArchiveManifest(storeID: log.storeID, tenant: tenant)
    }
    guard let manifest = try ArchiveManifest(in: folder), manifest.tenant == tenant else {
      throw ArchiveError.damaged("the manifest in \(folder) is damaged, so that nothing can be added; verify it")
    }
    guard manifest.storeID == log.storeID else {
      throw ArchiveError.refused(
        "the archive in \(folder) is of the store \(manifest.storeID), and this is \(log.storeID); choose another folder"
      )
    }
    guard try manifest.segments.isEmpty || log.holds(manifest.tail, of: tenant) else {
      throw ArchiveError.refused(
        "the archive in \(folder) is of another log: position \(manifest.tail.position) isn't what was archived, since an "
          + "older backup was restored, or the tenant removed and begun anew; choose another folder")
    }
    return manifest
  }

  /// Removes the segment that an interrupted run left: the one behind those that the manifest names, if the log has all that
  /// it holds. Throws where there are others: then it's the manifest that was lost or set back, and they may be all that is
  /// left of what was erased.
  private func removeRest(
    in folder: String, besides manifest: ArchiveManifest, _ tenant: TenantID, of log: EventLog
  ) throws {
    let listed = Set(manifest.segments.map(\.name))
    let rest = try Files.names(in: folder).filter { !listed.contains($0) }.compactMap { SegmentName($0) }
    guard let segment = rest.first else { return }
    guard rest.count == 1, segment.first == manifest.tail.position + 1, try holdsPayloads(of: segment, tenant, log)
    else {
      throw ArchiveError.refused(
        "\(folder) holds segments that its manifest doesn't name, such as \(segment), and the log may not have all of them "
          + "any more; put the manifest back that belongs to them, or archive into another folder")
    }
    try Files.remove(folder + "/" + segment.description)
  }

  /// Whether the log still has the payloads of all events of a segment.
  private func holdsPayloads(of segment: SegmentName, _ tenant: TenantID, _ log: EventLog) throws -> Bool {
    guard try log.lastPosition(of: tenant) >= segment.last else { return false }
    var isWhole = true
    var position = segment.first - 1
    while isWhole && position < segment.last {
      let count = Int(min(segment.last - position, Self.recordsPerTransaction))
      position = try log.replay(tenant, after: position, limit: count) { frame throws(DamagedRecord) in
        isWhole = !frame.isErased
        return isWhole
      }
    }
    return isWhole
  }

  /// Writes the next segment.
  private func write(
    _ tenant: TenantID, of log: EventLog, after start: LogTail, to end: UInt64, in folder: String,
    _ trail: inout ErasureTrail, _ progress: (UInt64) -> Void
  ) throws -> ArchiveManifest.Segment {
    var file = try SegmentFile(in: folder)
    var proof = ChainProof(from: start)
    var frameBytes = 0
    let last = min(end, start.position + limits.events)
    while proof.tail.position < last && frameBytes < limits.bytes {
      let before = proof.tail.position
      var lines: [UInt8] = []
      _ = try log.replay(tenant, after: before, limit: Int(min(last - before, Self.recordsPerTransaction))) {
        frame throws(DamagedRecord) in
        if let problem = proof.take(frame).first { throw DamagedRecord(problem) }
        try ArchiveLine.append(frame, of: tenant, to: &lines)
        try trail.take(frame)
        frameBytes += frame.byteCount
        return frameBytes < limits.bytes
      }
      // A log never gets shorter but by the removal of its tenant.
      guard proof.tail.position > before else {
        throw ArchiveError.refused("tenant \(tenant) has been removed meanwhile")
      }
      try file.write(lines)
      progress(proof.tail.position - before)
    }
    return try file.finish(first: start.position + 1, tail: proof.tail)
  }
}

extension ArchiveManifest {
  /// The manifest in a tenant's folder; nil when it is damaged.
  init?(in folder: String) throws(SystemError) {
    let content = try Files.read(folder + "/" + Self.fileName, maximumBytes: 256 << 20)
    guard let text = String(validating: content.span) else { return nil }
    self.init(text)
  }
}
