import SessionCodec
import SessionModel
import Testing
import TestSupport

@Suite("documents from stored snapshots") struct StoredDocumentTests {
  private let key = Array("acme\0s1".utf8)

  private func document(_ session: Session, _ id: String = "s1") throws -> String {
    let bytes = SnapshotRecord.encode(session, key: key.span)
    var json: [UInt8] = []
    try SnapshotView(bytes.span, key: key.span).appendDocument(of: SessionID(valid: id), to: &json)
    return String(decoding: json, as: UTF8.self)
  }

  private func session(_ context: SessionContext) -> Session {
    Session(
      life: 1, version: 4, status: .active, context: context,
      createdAt: Instant(microseconds: 1_663_677_232_456_789), modifiedAt: Instant(microseconds: 1_663_677_233_000_000),
      activeAt: .start, lastPosition: 1, eventCount: 1, lastRequest: nil, acceptedRequests: [])
  }

  private let metadata =
    #""metadata":{"version":4,"createdAt":"2022-09-20T12:33:52.456Z","modifiedAt":"2022-09-20T12:33:53.000Z"}"#

  @Test("an empty context has the id and the metadata, and nothing else")
  func empty() throws {
    #expect(try document(session(SessionContext())) == #"{"sessionId":"s1",\#(metadata)}"#)
  }

  @Test("all fields stand under their names of the contract")
  func full() throws {
    var context = SessionContext()
    context.customerID = "c1"
    context.siteCode = "main"
    context.currency = "EUR"
    context.cartID = "61079711ce0eb90861357045"
    context.targetLocation = "DE"
    context.language = "de-DE"
    context.attributes = [Attribute(name: "a", value: Array("1.50".utf8))]
    #expect(
      try document(session(context))
        == #"{"sessionId":"s1","customerId":"c1","siteCode":"main","currency":"EUR","#
        + #""cartId":"61079711ce0eb90861357045","targetLocation":"DE","language":"de-DE","context":{"a":1.50},\#(metadata)}"#
    )
  }

  @Test("attributes keep their order and their bytes, names and ids are escaped")
  func bytes() throws {
    var context = SessionContext()
    context.siteCode = "\"quote\""
    context.attributes = [
      Attribute(name: "z\\", value: Array(#"{ "b" : [ 1, 2.50 ] , "ü":null}"#.utf8)),
      Attribute(name: "a\"b", value: Array("-0.0e1".utf8)),
      Attribute(name: "größe/🙂", value: Array("\"\\u00fc\"".utf8)),
    ]
    #expect(
      try document(session(context), "s\"\\1")
        == #"{"sessionId":"s\"\\1","siteCode":"\"quote\"","context":{"#
        + #""z\\":{ "b" : [ 1, 2.50 ] , "ü":null},"a\"b":-0.0e1,"größe/🙂":"\u00fc"},\#(metadata)}"#)
  }

  @Test("there is room for the longest document that a snapshot can become", arguments: [0, 1, 2, 199, 4000])
  func longest(_ length: Int) throws {
    var context = SessionContext()
    // No text grows more than one of control characters, which a stored one could hold.
    let text = String(repeating: "\u{1f}", count: length)
    for field in Field.allCases { context[field] = text }
    context.attributes = (0..<50).map { Attribute(name: text + "\($0)", value: Array("0".utf8)) }
    let escaped = String(repeating: #"\u001f"#, count: length)
    let document = try document(session(context), String(repeating: "\"", count: 200))
    #expect(document.hasPrefix(#"{"sessionId":"\"\""#) && document.hasSuffix(#""\#(escaped)49":0},\#(metadata)}"#))
  }

  @Test("an ended session's document can still be made, for its history")
  func ended() throws {
    var ended = session(SessionContext())
    ended.status = .ended
    #expect(try document(ended) == #"{"sessionId":"s1",\#(metadata)}"#)
  }

  @Test("a document read as a body gives back fields and attributes byte for byte", arguments: propertySeeds())
  func readBack(_ seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    for _ in 0..<200 {
      var context = randomness.context()
      for field in Field.allCases where context[field] == "" { context[field] = "x" }
      // What a body may hold there has a form of its own.
      context.language = randomness.pick(["de", "de-DE", nil])
      context.currency = randomness.pick(["EUR", "USD", nil])
      context.targetLocation = randomness.pick(["DE", "AT", nil])
      let text = try document(session(context))
      let body = try readContextBody(Array(text.utf8).span).get()
      var read = SessionContext()
      body.changes.apply(to: &read)
      #expect(read == context, "seed \(seed): \(text)")
      #expect(body.sessionID == "s1")
      #expect(body.version == 4)
    }
  }
}
