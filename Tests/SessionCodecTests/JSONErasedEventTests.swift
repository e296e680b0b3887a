import SessionCodec
import SessionModel
import TestSupport
import Testing

@Suite("events of erasures") struct JSONErasedEventTests {
  private func read(_ json: String) -> Result<ErasedEvent?, BodyProblem> {
    let bytes = Array(json.utf8)
    return readErasedEvent(bytes.span)
  }

  private func rendered(_ kind: Event.Kind) -> String {
    let event = Event(
      position: 17, previousPosition: 3, life: 2, version: 4, recordedAt: Instant(microseconds: 1_000_001),
      sessionID: SessionID(valid: "s \"é\""), kind: kind,
      changes: ContextChanges(fields: [.init(field: .cartID, value: "c")]), origin: Origin(actor: "service:test"),
      request: nil)
    var json: [UInt8] = []
    event.appendCloudEvent(of: TenantID(valid: "acme"), isErased: false, to: &json)
    return String(decoding: json, as: UTF8.self)
  }

  @Test("an erasure is read as the feed gives it, and other events are passed over")
  func feed() {
    let expected = ErasedEvent(
      tenant: TenantID(valid: "acme"), sessionID: SessionID(valid: "s \"é\""), position: 17,
      recordedAt: Instant(microseconds: 1_000_001))
    for kind in Event.Kind.allCases {
      #expect(read(rendered(kind)) == .success(kind == .erased ? expected : nil), "\(kind)")
    }
  }

  @Test(
    "nothing else is taken for an event",
    arguments: ["", "{}", "[]", "x", #"{"type":1}"#, #"{"type":"session.erased.v1"}"#])
  func refused(json: String) {
    #expect(throws: BodyProblem.self) { try read(json).get() }
  }

  @Test("an erasure that lacks a part, or has one that can't be, is refused")
  func parts() {
    let whole = rendered(.erased)
    for (part, other) in [
      ("/session-context/acme", "/session-context/A"), ("/session-context/acme", "acme"),
      (#""position":17"#, #""position":0"#),
      (#""position":17"#, #""position":"17""#), ("1970-01-01T", "yesterday"), (#""subject":"#, #""object":"#),
    ] {
      #expect(whole.contains(part))
      #expect(throws: BodyProblem.self, "\(other)") { try read(whole.replacing(part, with: other)).get() }
    }
  }
}
