import Archive
import Compression
import LMDB
import Platform
import SessionModel
import TestSupport

@testable import EventLog

/// A log with an archive of it, in a folder of its own.
final class TestArchive {
  static let acme = TenantID(valid: "acme")
  static let beta = TenantID(valid: "beta")

  let folder: TemporaryFolder
  let log: EventLog
  private var number = 0

  init(_ folder: TemporaryFolder? = nil) throws {
    self.folder = try folder ?? TemporaryFolder()
    log = try EventLog(path: self.folder("log"), options: Environment.Options(mapSizeBytes: 1 << 27))
  }

  var path: String { folder("archive") }

  /// Appends so many events: of a session each, or of the one that began with that number; each later than the one before,
  /// or all at one time.
  func append(
    _ count: Int, to tenant: TenantID = acme, ofKind kind: Event.Kind = .started, session: Int? = nil,
    at time: Instant? = nil
  ) throws {
    let before = try log.tail(of: tenant)
    var tail = before
    var records: [LogRecord] = []
    for _ in 0..<count {
      number += 1
      let event = Event(
        position: tail.position + 1, previousPosition: 0, life: 1, version: 1,
        recordedAt: time ?? Instant(microseconds: 1_000_000 + Int64(number)),
        sessionID: SessionID(valid: "s \"\(session ?? number)\""),
        kind: kind,
        changes: kind == .erased
          ? ContextChanges()
          : ContextChanges(
            fields: [.init(field: .cartID, value: "größe \(number)"), .init(field: .currency, value: nil)],
            attributes: .set(Attribute(name: "a\u{7}", value: Array(#"{"x":[1,2.50,"é"]}"#.utf8)))),
        origin: Origin(actor: "service:test"), request: nil)
      let salt = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: Frame.saltByteCount)
      let (frame, chain) = Frame.encode(event, tenant: tenant, salt: salt.span, previousChain: tail.chain)
      tail = LogTail(position: event.position, chain: chain, recordedAt: event.recordedAt)
      records.append(LogRecord(tenant: tenant, position: event.position, frame: frame))
    }
    guard try log.append(records, expecting: [tenant: before.position]) == .committed else {
      throw EventLogError.damagedKey(reason: "somebody else writes to the test's log")
    }
  }

  /// Takes salt and payload from a record of the log.
  func erase(_ position: UInt64, of tenant: TenantID = acme) throws {
    try put(erased(try frame(position, of: tenant), tenant, position), at: position, of: tenant)
  }

  /// The record at a position of the log.
  func frame(_ position: UInt64, of tenant: TenantID = acme) throws -> [UInt8] {
    var frame: [UInt8] = []
    let reader = try log.environment.read()
    if let value = try reader.value(log.events, LogSchema.key(tenant, position).span) { frame.append(copying: value) }
    return frame
  }

  /// Puts a record in place of the one at a position of the log.
  func put(_ frame: [UInt8], at position: UInt64, of tenant: TenantID = acme) throws {
    var transaction = try log.environment.write()
    try transaction.put(log.events, LogSchema.key(tenant, position).span, frame.span)
    try transaction.commit()
  }

  /// Archives what is new.
  @discardableResult
  func archive(
    _ tenant: TenantID = acme, limits: ArchiveWriter.Limits = ArchiveWriter.Limits(events: 10)
  ) throws -> ArchiveWriter.Outcome {
    let writer = try ArchiveWriter(path, limits: limits)
    return try writer.archive(tenant, of: log)
  }

  func report(comparing log: EventLog? = nil, tenant: TenantID? = nil) throws -> ArchiveVerification.Report {
    try ArchiveVerification(path, tenant: tenant).run(comparing: log)
  }

  /// What is found, a line each.
  func findings(comparing log: EventLog? = nil) throws -> [String] {
    try report(comparing: log).findings.map(\.description)
  }

  /// The names of a tenant's segments.
  func segments(_ tenant: TenantID = acme) throws -> [String] {
    try Files.names(in: path + "/\(tenant)").filter { $0.hasSuffix(".ndjson.gz") }
  }

  func file(_ name: String, of tenant: TenantID = acme) -> String { path + "/\(tenant)/" + name }

  /// The lines of a segment.
  func lines(_ name: String, of tenant: TenantID = acme) throws -> [String] {
    let gzip = GzipDecompressor()
    var text: [UInt8] = []
    let packed = try Files.read(file(name, of: tenant))
    try gzip.decompress(packed.span, to: &text)
    try gzip.finish()
    return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// Puts lines in place of a segment's.
  func write(_ lines: [String], to name: String, of tenant: TenantID = acme) {
    let gzip = GzipCompressor()
    var packed: [UInt8] = []
    let text = Array(lines.map { $0 + "\n" }.joined().utf8)
    gzip.compress(text.span, to: &packed)
    gzip.finish(to: &packed)
    TemporaryFolder.write(packed, to: file(name, of: tenant))
  }
}
