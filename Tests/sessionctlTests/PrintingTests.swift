import Platform
import SessionCodec
import SessionModel
import TestSupport
import Testing

@testable import SessionStore
@testable import sessionctl

@Suite("what is printed") struct PrintingTests {
  @Test("control, invisible and direction-turning characters are escaped, everything else stays")
  func escaping() {
    #expect(printable("größe 漢字 🛒 a\\b") == "größe 漢字 🛒 a\\\\b")
    #expect(printable("a\u{1b}[31mb\r\n\u{7f}\u{85}") == "a\\u{1b}[31mb\\u{d}\\u{a}\\u{7f}\\u{85}")
    #expect(printable("x\u{202e}y\u{200b}z\u{feff}") == "x\\u{202e}y\\u{200b}z\\u{feff}")
  }

  @Test("nothing that is printed can move a terminal's cursor, whatever the text")
  func escapingAnything() {
    for seed in propertySeeds() {
      var randomness = SeededRandomness(seed: seed)
      for _ in 0..<300 {
        var text = randomness.text(0...20)
        for _ in 0..<4 { text.unicodeScalars.append(Unicode.Scalar(randomness.number(0...0x9f as ClosedRange<UInt8>))) }
        let shown = printable(text)
        #expect(!shown.unicodeScalars.contains { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) }, "\(seed)")
      }
    }
  }

  @Test("columns are aligned by the width that is seen")
  func table() {
    var table = TextTable([("NAME", .left), ("N", .right), ("LAST", .left)])
    table.add(["é", "1", "x"])
    table.add(["漢字漢", "10", ""])
    #expect(table.text == "NAME     N  LAST\né        1  x\n漢字漢  10  \n")
    #expect(TextTable(pairs: [("a", "1"), ("bcd", "2")]).text == "a    1\nbcd  2\n")
  }

  @Test("bytes, durations and counts are told as people do")
  func figures() {
    #expect(
      [0, 1023, 1024, 1536, 10 << 20].map { byteText($0) } == ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "10.0 MiB"])
    #expect([0, 59, 60, 3599, 3723].map { durationText($0) } == ["0 s", "59 s", "1:00", "59:59", "1:02:03"])
    #expect(counted(1, "event") == "1 event" && counted(0, "event") == "0 events")
  }

  @Test("a progress bar tells share, rate and time left")
  func progress() {
    #expect(
      ProgressBar.line("verify", done: 25, total: 100, unit: .events, nanoseconds: 5_000_000_000)
        == "verify [######------------------] 25 %  5 events/s  15 s left")
    #expect(
      ProgressBar.line("copy", done: 4096, total: 4096, unit: .bytes, nanoseconds: 1_000_000_000)
        == "copy [########################] 100 %  4.0 KiB/s")
    #expect(
      ProgressBar.line("copy", done: 0, total: 0, unit: .bytes, nanoseconds: 0)
        == "copy [------------------------] 0 %  0 B/s")
  }

  private func recorded(_ changes: ContextChanges, actor: String = "service:x") -> Event {
    Event(
      position: 17, previousPosition: 3, life: 1, version: 4, recordedAt: Instant(microseconds: 1_767_225_600_000_000),
      sessionID: SessionID(valid: "s,1"), kind: .patched, changes: changes, origin: Origin(actor: actor), request: nil)
  }

  @Test("a line of csv holds each field as RFC 4180 has it")
  func csv() throws {
    let changes = ContextChanges(fields: [.init(field: .currency, value: "E\"R"), .init(field: .cartID, value: nil)])
    var output: [UInt8] = []
    EventFormat.csv.appendHead(to: &output)
    EventFormat.csv.append(
      RecordedEvent(event: recorded(changes, actor: "a\nb"), isErased: false), of: TenantID(valid: "acme"), to: &output)
    #expect(
      String(decoding: output, as: UTF8.self) == """
        tenant,position,time,type,session,life,version,previous,actor,requestid,traceparent,erased,data
        acme,17,2026-01-01T00:00:00.000000Z,session.patched.v1,"s,1",1,4,3,"a
        b",,,false,"{""currency"":""E\\""R"",""cartId"":null}"

        """)
  }

  @Test("changes are told in one line, attributes and actors escaped")
  func changes() {
    let changes = ContextChanges(
      fields: [.init(field: .cartID, value: nil)],
      attributes: .set(Attribute(name: "a\u{7}", value: Array(#"{"x":1}"#.utf8))))
    let event = RecordedEvent(event: recorded(changes, actor: "x\u{1b}"), isErased: false)
    #expect(event.changesText == #"cartId=null context.a\u{7}={"x":1}"#)
    #expect(event.actorText == #"x\u{1b}"#)
    #expect(RecordedEvent(event: recorded(changes), isErased: true).changesText == "(erased)")
  }

  @Test("the table of a difference has the entries that the API's answer has")
  func differences() {
    for seed in propertySeeds() {
      var randomness = SeededRandomness(seed: seed)
      for _ in 0..<200 {
        let (old, new) = (randomness.context(), randomness.context())
        var expected: [UInt8] = []
        expected.appendDifference(from: old, to: new)
        var json: [UInt8] = [UInt8(ascii: "[")]
        for row in ContextRow.differences(from: old, to: new) {
          json.appendObject { json in
            json.appendMember("field", row.name)
            for (name, value) in [("old", row.old), ("new", row.new)] {
              guard let value else { continue }
              json.appendName(name)
              json.append(contentsOf: value)
            }
          }
        }
        json.append(UInt8(ascii: "]"))
        #expect(String(decoding: json, as: UTF8.self) == String(decoding: expected, as: UTF8.self), "\(seed)")
      }
    }
  }

  @Test("members of JSON objects are divided by commas, and only by those")
  func members() {
    var json: [UInt8] = []
    json.appendObject { json in
      json.appendMember("a", "x\"")
      json.appendMember("b", UInt8?.none)
      json.appendList("c") { json in
        json.appendObject { $0.appendMember("d", true) }
        json.appendObject { _ in }
      }
      json.appendMember("e", String?.none)
      json.appendMember("f", "1")
    }
    #expect(String(decoding: json, as: UTF8.self) == #"{"a":"x\"","b":null,"c":[{"d":true},{}],"e":null,"f":"1"}"#)
  }
}
