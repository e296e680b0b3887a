import EventLog
import Platform
import SessionModel
import TestSupport
import Testing

@testable import Archive

@Suite("archives") struct ArchiveTests {
  private static func name(_ first: UInt64, _ last: UInt64) -> String {
    SegmentName(first: first, last: last).description
  }

  @Test("an archive holds each event from the first on, in segments whose names tell their order, and proves itself")
  func roundTrip() throws {
    let archive = try TestArchive()
    try archive.append(25)
    let outcome = try archive.archive()
    #expect(outcome.added == 1...25 && outcome.segments == 3)
    let tail = try archive.log.tail(of: TestArchive.acme)
    #expect(outcome.tail == tail)
    #expect(
      try archive.segments() == [
        "00000000000000000001-00000000000000000010.ndjson.gz", "00000000000000000011-00000000000000000020.ndjson.gz",
        "00000000000000000021-00000000000000000025.ndjson.gz",
      ])
    let report = try archive.report(comparing: archive.log)
    #expect(report.findings == [])
    #expect(report.segments == 3 && report.events == 25 && report.tails == [TestArchive.acme: tail])
    let first = try #require(try archive.lines(Self.name(1, 10)).first)
    #expect(first.hasPrefix(#"{"position":1,"frame":""#))
    #expect(
      first.hasSuffix(
        #""event":{"specversion":"1.0","id":"1","source":"/session-context/acme","type":"session.started.v1","subject":"s \"1\"","time":"1970-01-01T00:00:01.000001Z","datacontenttype":"application/json","position":1,"sessionlife":1,"sessionversion":1,"actor":"service:test","data":{"cartId":"größe 1","currency":null,"context":{"a\u0007":{"x":[1,2.50,"é"]}}}}}"#
      ))
  }

  @Test("a run adds what is new in segments of its own, and nothing when there is nothing")
  func incremental() throws {
    let archive = try TestArchive()
    for (count, expected) in [(3, 1...3), (15, 4...18), (1, 19...19)] as [(Int, ClosedRange<UInt64>)] {
      try archive.append(count)
      #expect(try archive.archive().added == expected)
      #expect(try archive.archive().added == nil)
      #expect(try archive.findings(comparing: archive.log) == [])
    }
    #expect(try archive.segments() == [(1, 3), (4, 13), (14, 18), (19, 19)].map { Self.name($0.0, $0.1) })
  }

  @Test("each tenant's archive is its own")
  func tenants() throws {
    let archive = try TestArchive()
    try archive.append(12)
    try archive.append(7, to: TestArchive.beta)
    try archive.archive()
    #expect(try archive.archive(TestArchive.beta).added == 1...7)
    #expect(try archive.findings(comparing: archive.log) == [])
    #expect(try archive.report(tenant: TestArchive.beta).events == 7)
    #expect(throws: ArchiveError.self) { try archive.report(tenant: TenantID(valid: "gamma")) }
  }

  @Test("segments end by their bytes, too")
  func byteLimit() throws {
    let archive = try TestArchive()
    try archive.append(9)
    try archive.archive(limits: ArchiveWriter.Limits(events: 100, bytes: 700))
    #expect(try archive.segments().count > 1)
    #expect(try archive.findings(comparing: archive.log) == [])
  }

  @Test("erased events are archived as what is left of them, and proved")
  func erasedEvents() throws {
    let archive = try TestArchive()
    try archive.append(5)
    try archive.erase(3)
    try archive.append(1, ofKind: .erased, session: 3)
    try archive.archive()
    let report = try archive.report(comparing: archive.log)
    #expect(report.findings == [])
    #expect(report.events == 6 && report.erasedEvents == 1)
    let lines = try archive.lines(Self.name(1, 6))
    #expect(lines.map { $0.hasSuffix(#""erased":true,"data":{}}}"#) } == [false, false, true, false, false, false])
    // Erased afterwards, the log has the same chain as the archive, which keeps what it was given.
    try archive.erase(4)
    #expect(try archive.findings(comparing: archive.log) == [])
  }

  @Test("a payload that is gone without an event that says so is found, by whoever archives it and in the archive")
  func stolenPayload() throws {
    let archive = try TestArchive()
    try archive.append(5)
    try archive.erase(3)
    let problem = "a session has events without payload, and no event records its erasure"
    #expect(throws: ArchiveError.damaged(problem + "; verify the data")) { try archive.archive() }
    #expect(try archive.findings() == ["tenant acme: " + problem])
    try archive.append(1, ofKind: .erased, session: 2)
    try archive.archive()
    #expect(try archive.findings() == ["tenant acme: " + problem])
    try archive.append(1, ofKind: .erased, session: 3)
    try archive.archive()
    #expect(try archive.findings() == [])
  }

  @Test("a payload that the log has and the archive lacks is found where they are compared")
  func keptPayload() throws {
    let archive = try TestArchive()
    try archive.append(5)
    let frame = try archive.frame(3)
    try archive.erase(3)
    try archive.append(1, ofKind: .erased, session: 3)
    try archive.archive()
    try archive.put(frame, at: 3)
    #expect(
      try archive.findings(comparing: archive.log) == [
        "tenant acme, segment \(Self.name(1, 6)), position 3: the payload is missing, and the log has it"
      ])
  }

  @Test("every flipped bit of every file is found")
  func flippedBits() throws {
    let archive = try TestArchive()
    try archive.append(4)
    try archive.archive(limits: ArchiveWriter.Limits(events: 2))
    for name in try archive.segments() + ["manifest"] {
      let path = archive.file(name)
      let content = try Files.read(path)
      for bit in 0..<content.count * 8 {
        TemporaryFolder.write(content.flipping(bit: bit), to: path)
        #expect(try !archive.findings().isEmpty, "bit \(bit) of \(name)")
      }
      TemporaryFolder.write(content, to: path)
    }
    #expect(try archive.findings() == [])
  }

  @Test("every cut of a segment is found, and so is what was added")
  func cuts() throws {
    let archive = try TestArchive()
    try archive.append(3)
    try archive.archive()
    let path = archive.file(Self.name(1, 3))
    let content = try Files.read(path)
    for count in 0..<content.count {
      TemporaryFolder.write(Array(content[..<count]), to: path)
      let found = try archive.findings()
      #expect(found.count == 1 && found[0].hasPrefix("tenant acme, segment \(Self.name(1, 3))"), "\(count): \(found)")
    }
    TemporaryFolder.write(content + content, to: path)
    #expect(try archive.findings().first?.contains("something follows the compressed data") == true)
  }

  @Test("a missing segment is named, and the ones around it are proved")
  func missing() throws {
    let archive = try TestArchive()
    try archive.append(30)
    try archive.archive()
    try Files.remove(archive.file(Self.name(11, 20)))
    let report = try archive.report(comparing: archive.log)
    #expect(
      report.findings.map(\.description) == [
        "tenant acme, segment \(Self.name(11, 20)), position 11: the segment is missing"
      ])
    #expect(report.events == 20 && report.tails[TestArchive.acme]?.position == 30)
    try Files.remove(archive.file("manifest"))
    #expect(
      try archive.findings() == [
        "tenant acme: the manifest is missing; the segments are proved without it",
        "tenant acme, position 11: this and all up to 20 are in no segment",
      ])
  }

  @Test("lines that were left out, put elsewhere, changed or added are named by their positions")
  func changedLines() throws {
    let archive = try TestArchive()
    try archive.append(20)
    try archive.archive()
    let name = Self.name(11, 20)
    let lines = try archive.lines(name)
    func check(_ expected: [String], _ change: (inout [String]) -> Void) throws {
      var changed = lines
      change(&changed)
      archive.write(changed, to: name)
      #expect(try archive.findings() == expected.map { "tenant acme, segment \(name)" + $0 })
    }
    try check([", position 14: the record is missing"]) { $0.remove(at: 3) }
    try check([", position 14: this and all records up to 16 are missing"]) { $0.removeSubrange(3...5) }
    try check([", position 19: the segment ends before this position"]) { $0.removeLast(2) }
    try check([": it goes on after its last position"]) { $0.append($0[9]) }
    try check([", position 15: the line is that of position 12", ": it goes on after its last position"].dropLast()) {
      $0[4] = $0[1]
    }
    try check([", position 12: the line can't be read"]) { $0[1] = "{}" }
    try check([", position 13: the readable event isn't what the record says"]) {
      $0[2] = $0[2].replacing("größe", with: "groesse")
    }
    try check([", position 13: the readable event isn't what the record says"]) { $0[2] += " " }
  }

  @Test("a record that somebody rewrote with its checksum, and all chains behind it, isn't that of the log")
  func rewritten() throws {
    let honest = try TestArchive()
    let other = try TestArchive()
    try honest.append(1, to: TestArchive.beta)
    for archive in [honest, other] {
      try archive.append(12)
      try archive.archive()
    }
    // The other archive is as whole as this one; only the log or the store's name can tell.
    #expect(try other.findings() == [])
    let found = try other.findings(comparing: honest.log)
    #expect(found.count == 1 && found[0].contains("the archive is of the store \(other.log.storeID)"))
    for name in try honest.segments() {
      TemporaryFolder.write(try Files.read(other.file(name)), to: honest.file(name))
    }
    #expect(
      try honest.findings() == [
        "tenant acme, segment \(Self.name(1, 10)): the file isn't the one that was written: its digest is another one",
        "tenant acme, segment \(Self.name(11, 12)), position 11: the record doesn't fit the chain",
      ])
    try Files.remove(honest.file("manifest"))
    #expect(
      try honest.findings(comparing: honest.log).dropFirst() == [
        "tenant acme, segment \(Self.name(1, 10)), position 10: the log has not this record, or one with another chain",
        "tenant acme, segment \(Self.name(11, 12)), position 12: the log has not this record, or one with another chain",
      ])
  }

  @Test("a segment of another tenant is found for what it is")
  func otherTenants() throws {
    let archive = try TestArchive()
    try archive.append(20)
    try archive.append(20, to: TestArchive.beta)
    try archive.archive()
    try archive.archive(TestArchive.beta)
    let name = Self.name(11, 20)
    TemporaryFolder.write(try Files.read(archive.file(name, of: TestArchive.beta)), to: archive.file(name))
    #expect(
      try archive.findings() == [
        "tenant acme, segment \(name), position 11: the record is one of tenant beta"
      ])
    TemporaryFolder.write(
      try Files.read(archive.file("manifest", of: TestArchive.beta)), to: archive.file("manifest"))
    #expect(try archive.findings().first == "tenant acme: the manifest is that of tenant beta")
  }

  @Test("what an interrupted run left is found, and the next run removes it")
  func interrupted() throws {
    let archive = try TestArchive()
    try archive.append(5)
    try archive.archive()
    let manifest = try Files.read(archive.file("manifest"))
    try archive.append(3)
    try archive.archive()
    TemporaryFolder.write(manifest, to: archive.file("manifest"))
    #expect(
      try archive.findings() == [
        "tenant acme, segment \(Self.name(6, 8)): the manifest doesn't name it: a run was interrupted, and the next one removes it"
      ])
    try archive.append(1)
    #expect(try archive.archive().added == 6...9)
    #expect(try archive.segments() == [Self.name(1, 5), Self.name(6, 9)])
    #expect(try archive.findings(comparing: archive.log) == [])
  }

  @Test(
    "segments that the manifest doesn't name stay where the log may not have what they hold", arguments: [true, false])
  func lostManifest(isSetBack: Bool) throws {
    let archive = try TestArchive()
    for _ in 1...3 {
      try archive.append(4, session: 1)
      try archive.archive()
    }
    let manifest = try Files.read(archive.file("manifest"))
    if isSetBack { try archive.append(4) }
    if isSetBack { try archive.archive() }
    // Only one is behind the manifest when it was set back; all are, when it is gone.
    let segments = try archive.segments()
    try archive.erase(isSetBack ? 15 : 2)
    try archive.append(1, ofKind: .erased)
    if isSetBack {
      TemporaryFolder.write(manifest, to: archive.file("manifest"))
    } else {
      try Files.remove(archive.file("manifest"))
    }
    #expect(throws: ArchiveError.self) { try archive.archive() }
    #expect(try archive.segments() == segments)
  }

  @Test("nothing of another log is added to an archive, and nothing to a damaged manifest")
  func otherLogs() throws {
    let archive = try TestArchive()
    try archive.append(5)
    try archive.archive()
    let other = try TestArchive()
    try other.append(9)
    let writer = try ArchiveWriter(archive.path)
    #expect(throws: ArchiveError.self) { try writer.archive(TestArchive.acme, of: other.log) }
    #expect(throws: ArchiveError.self) { _ = try ArchiveWriter(archive.path) }
    TemporaryFolder.write(Array("x".utf8), to: archive.file("manifest"))
    #expect(throws: ArchiveError.self) { try writer.archive(TestArchive.acme, of: archive.log) }
    #expect(try archive.segments() == [Self.name(1, 5)])
  }

  @Test("a record that doesn't prove itself isn't archived, though its checksum fits", arguments: [true, false])
  func unprovedRecord(isChain: Bool) throws {
    let archive = try TestArchive()
    try archive.append(2)
    try archive.archive()
    let manifest = try Files.read(archive.file("manifest"))
    try archive.append(3)
    let frame = try archive.frame(3)
    var changed = frame
    // See Frame: the chain is the second digest behind the header, the payload is what ends the record.
    let text = try #require(changed.indices.last { changed[$0...].starts(with: "größe 3".utf8) })
    changed[isChain ? 46 + Int(frame[44]) + Int(frame[45]) + Digest.byteCount : text] ^= 1
    try archive.put(resealed(changed, TestArchive.acme, 3), at: 3)
    let reason = isChain ? "the record doesn't fit the chain" : "the payload doesn't fit its digest"
    #expect(throws: ArchiveError.log(.damaged(tenant: TestArchive.acme, position: 3, reason: reason))) {
      try archive.archive()
    }
    #expect(try archive.segments() == [Self.name(1, 2)])
    #expect(try Files.read(archive.file("manifest")) == manifest)
    try archive.put(frame, at: 3)
    #expect(try archive.archive().added == 3...5)
    #expect(try archive.findings(comparing: archive.log) == [])
  }

  @Test("what is erased while a run is under way is archived with the event that says so")
  func erasedMeanwhile() throws {
    let archive = try TestArchive()
    try archive.append(20)
    var isErased = false
    let writer = try ArchiveWriter(archive.path, limits: ArchiveWriter.Limits(events: 10))
    let outcome = try writer.archive(TestArchive.acme, of: archive.log) { _ in
      guard !isErased else { return }
      isErased = true
      do {
        try archive.erase(15)
        try archive.append(1, ofKind: .erased, session: 15)
      } catch {
        Issue.record(error)
      }
    }
    #expect(outcome.added == 1...21)
    #expect(try archive.findings(comparing: archive.log) == [])
  }

  @Test("a log whose time goes back isn't archived beyond that")
  func timeGoesBack() throws {
    let archive = try TestArchive()
    try archive.append(2)
    let tail = try archive.log.tail(of: TestArchive.acme)
    try archive.append(1, at: tail.recordedAt)
    try archive.archive()
    #expect(try archive.findings() == [])
    try archive.append(1, at: Instant(microseconds: tail.recordedAt.microseconds - 1))
    let error = #expect(throws: ArchiveError.self) { try archive.archive() }
    #expect(error?.description.contains("its time is before its predecessor's") == true)
    #expect(try archive.segments() == [Self.name(1, 3)])
  }

  @Test("a segment whose end isn't the one that the manifest names is found, though the manifest is whole")
  func otherChain() throws {
    let archive = try TestArchive()
    try archive.append(3)
    try archive.archive()
    let manifest = try #require(try ArchiveManifest(in: archive.path + "/acme"))
    var changed = ArchiveManifest(storeID: manifest.storeID, tenant: manifest.tenant)
    var segment = try #require(manifest.segments.first)
    segment.tail.chain = .zero
    changed.append(segment, at: manifest.madeAt)
    TemporaryFolder.write(Array(changed.text.utf8), to: archive.file("manifest"))
    #expect(
      try archive.findings() == [
        "tenant acme, segment \(Self.name(1, 3)), position 3: its chain isn't the one that the manifest names"
      ])
  }

  @Test("a manifest comes out of its text as it went in, and no changed text is taken for one")
  func manifest() throws {
    let archive = try TestArchive()
    try archive.append(15)
    try archive.archive()
    let text = String(decoding: try Files.read(archive.file("manifest")), as: UTF8.self)
    let manifest = try #require(ArchiveManifest(text))
    #expect(manifest.text == text)
    #expect(manifest.segments.map(\.name) == [Self.name(1, 10), Self.name(11, 15)])
    for changed in [
      text + "\n", text.replacing("events 15", with: "events 16"), text.replacing("acme", with: "beta"), "",
    ] {
      #expect(ArchiveManifest(changed) == nil)
    }
    for name in [
      "1-2.ndjson.gz", Self.name(1, 2) + "x", "x" + Self.name(1, 2),
      "00000000000000000003-00000000000000000002.ndjson.gz",
    ] {
      #expect(SegmentName(name) == nil)
    }
  }
}
