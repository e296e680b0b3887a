import SessionCodec
import SessionModel
import Testing

func context(_ text: String, limits: BodyLimits = BodyLimits()) -> Result<ContextBody, BodyProblem> {
  readContextBody(Array(text.utf8).span, limits: limits)
}

/// What is wrong with a body that has to be refused.
func details(_ result: Result<ContextBody, BodyProblem>) -> [String] {
  guard case .failure(let problem) = result else { return ["(was accepted)"] }
  return problem.details
}

private func attributes(_ result: Result<ContextBody, BodyProblem>) -> [Attribute]? {
  guard case .success(let body) = result, case .replaced(let attributes) = body.changes.attributes else { return nil }
  return attributes
}

/// What the text of the attribute value `text` is stored as.
private func stored(_ text: String) -> String? {
  attributes(context("{\"context\":{\"a\":\(text)}}"))?.first.map { String(decoding: $0.value, as: UTF8.self) }
}

@Suite("Reading the body of a PUT or PATCH")
struct JSONContextBodyTests {
  @Test("a whole document is read, attribute values byte for byte")
  func wholeDocument() throws {
    let body = try context(
      """
      {
        "sessionId": "s-1", "customerId": "C\\u002d1", "siteCode": "main", "currency": "EUR",
        "cartId": "61079711ce0eb90861357045", "targetLocation": "DE", "language": "de-DE",
        "context": { "color": "red", "sizes" : [ 1,  2.50 ] , "nested":{"a": {"b":null}}, "n":1e999 },
        "metadata": {"version": 17, "createdAt": "2022-09-20T12:33:52.456Z", "modifiedAt": 5, "other": [true]}
      }
      """
    ).get()
    #expect(body.sessionID == "s-1")
    #expect(body.version == 17)
    #expect(
      body.changes.fields == [
        .init(field: .customerID, value: "C-1"), .init(field: .siteCode, value: "main"),
        .init(field: .currency, value: "EUR"), .init(field: .cartID, value: "61079711ce0eb90861357045"),
        .init(field: .targetLocation, value: "DE"), .init(field: .language, value: "de-DE"),
      ])
    #expect(
      body.changes.attributes
        == .replaced([
          Attribute(name: "color", value: Array(#""red""#.utf8)),
          Attribute(name: "sizes", value: Array("[ 1,  2.50 ]".utf8)),
          Attribute(name: "nested", value: Array(#"{"a": {"b":null}}"#.utf8)),
          Attribute(name: "n", value: Array("1e999".utf8)),
        ]))
  }

  @Test("absent fields stay unchanged, null ones are cleared")
  func absentAndNull() throws {
    #expect(try context("{}").get() == ContextBody())
    let cleared = try context(
      #"{"sessionId":null,"currency":null,"customerId":null,"context":null,"metadata":null}"#
    ).get()
    let fields = [Field.currency, .customerID].map { ContextChanges.FieldChange(field: $0, value: nil) }
    #expect(cleared == ContextBody(changes: ContextChanges(fields: fields, attributes: .replaced([]))))
    #expect(try context(#"{"context":{}}"#).get().changes.attributes == .replaced([]))
    #expect(try context(#"{"metadata":{}}"#).get().version == nil)
    #expect(try context(#"{"metadata":{"version":null}}"#).get().version == nil)
  }

  @Test("unknown fields are passed over, whatever they hold")
  func unknownFields() throws {
    let body = #"{"x":1,"version":"7","":[[]],"context2":{"a":1},"X":{"context":{"a":1},"metadata":{"version":1}}}"#
    #expect(try context(body).get() == ContextBody())
    #expect(try context(#"{"mixins":{"sessionId":5,"currency":[]},"language":"en"}"#).get().changes.fields.count == 1)
  }

  @Test("field names are compared unescaped and exactly")
  func fieldNames() throws {
    #expect(try context(#"{"\u0063urrency":"EUR"}"#).get().changes.fields == [.init(field: .currency, value: "EUR")])
    #expect(try context(#"{"meta\u0064ata":{"v\u0065rsion":3}}"#).get().version == 3)
    #expect(try context(#"{"Currency":5,"currency ":5,"currenc":5,"currency\u0000":5}"#).get() == ContextBody())
  }

  @Test(
    "a known field of another type is refused by name",
    arguments: [
      (#"{"sessionId":1}"#, "sessionId: must be a string or null, not a number"),
      (#"{"customerId":true}"#, "customerId: must be a string or null, not a boolean"),
      (#"{"siteCode":{}}"#, "siteCode: must be a string or null, not an object"),
      (#"{"currency":["EUR"]}"#, "currency: must be a string or null, not an array"),
      (#"{"cartId":1.5}"#, "cartId: must be a string or null, not a number"),
      (#"{"targetLocation":false}"#, "targetLocation: must be a string or null, not a boolean"),
      (#"{"language":0}"#, "language: must be a string or null, not a number"),
      (#"{"context":[]}"#, "context: must be an object or null, not an array"),
      (#"{"context":"x"}"#, "context: must be an object or null, not a string"),
      (#"{"metadata":1}"#, "metadata: must be an object or null, not a number"),
      (#"{"metadata":{"version":"1"}}"#, "metadata.version: must be an integer, not a string"),
      (#"{"metadata":{"version":true}}"#, "metadata.version: must be an integer, not a boolean"),
      (#"{"metadata":{"version":{}}}"#, "metadata.version: must be an integer, not an object"),
      (#"{"metadata":{"version":[1]}}"#, "metadata.version: must be an integer, not an array"),
    ])
  func wrongType(body: String, detail: String) {
    #expect(details(context(body)) == [detail])
  }

  @Test("a version is an integer from 0 on that fits in 64 bits")
  func version() throws {
    for (text, version) in [("0", 0), ("-0", 0), ("1", 1), ("9223372036854775807", Int64.max)] {
      #expect(try context("{\"metadata\":{\"version\":\(text)}}").get().version == version)
    }
    for text in ["-1", "1.0", "1e0", "0.5", "-0.0", "9223372036854775808", "-9223372036854775809", "1E2"]
      + [String(repeating: "9", count: 30)]
    {
      #expect(
        details(context("{\"metadata\":{\"version\":\(text)}}"))
          == ["metadata.version: must be an integer from 0 to 9223372036854775807"], "\(text)")
    }
  }

  @Test("a currency is three ASCII letters", arguments: ["EU", "EURO", "", "E1R", "€", "EÜ", "E R", "@UR", "EU["])
  func currency(text: String) {
    #expect(details(context("{\"currency\":\"\(text)\"}")).first?.hasPrefix("currency: must ") == true)
  }

  @Test("a country is two ASCII letters", arguments: ["D", "DEU", "", "D1", "Ü", "D "])
  func country(text: String) {
    #expect(details(context("{\"targetLocation\":\"\(text)\"}")).first?.hasPrefix("targetLocation: must ") == true)
  }

  @Test("all usual forms of a language pass, others don't")
  func language() throws {
    for text in ["DE", "de", "de-DE", "zh-Hant-TW", "de_DE", "es-419", String(repeating: "a", count: 35)] {
      #expect(
        try context("{\"language\":\"\(text)\"}").get().changes.fields == [.init(field: .language, value: text)])
    }
    for text in ["", "d", "de DE", "dé", "de.DE", "*", String(repeating: "a", count: 36)] {
      #expect(details(context("{\"language\":\"\(text)\"}")).first?.hasPrefix("language: must ") == true, "\(text)")
    }
    for text in ["eur", "EUR", "Eur"] {
      #expect(
        try context("{\"currency\":\"\(text)\"}").get().changes.fields == [.init(field: .currency, value: text)])
    }
  }

  @Test(
    "texts hold 1 to 200 bytes and no control character", arguments: ["customerId", "siteCode", "cartId", "sessionId"])
  func texts(field: String) {
    func check(_ text: String) -> [String] { details(context("{\"\(field)\":\"\(text)\"}")) }
    #expect(check("") == ["\(field): must not be empty"])
    #expect(check(String(repeating: "x", count: 200)) == ["(was accepted)"])
    #expect(check(String(repeating: "é", count: 100)) == ["(was accepted)"])
    #expect(check(String(repeating: "x", count: 201)) == ["\(field): is 201 bytes long; at most 200 are allowed"])
    #expect(check(String(repeating: "\\u00e9", count: 101)) == ["\(field): is 202 bytes long; at most 200 are allowed"])
    for escape in ["\\u0000", "\\u001F", "\\n", "\\t", "\\u007f", "\u{7f}"] {
      #expect(check("a\(escape)b") == ["\(field): holds a control character"], "\(escape)")
    }
    #expect(check("a b/ü\\\"\\\\\u{80}😀\\ud83d\\ude00") == ["(was accepted)"])
  }

  @Test("attribute names hold 1 to 200 bytes and no control character")
  func attributeNames() {
    func check(_ name: String) -> [String] { details(context("{\"context\":{\"\(name)\":1}}")) }
    #expect(check("") == ["context: the name of an attribute must not be empty"])
    #expect(check(String(repeating: "x", count: 200)) == ["(was accepted)"])
    #expect(check(String(repeating: "\\u0041", count: 200)) == ["(was accepted)"])
    #expect(
      check(String(repeating: "x", count: 201))
        == ["context.\(String(repeating: "x", count: 40))…: is 201 bytes long; at most 200 are allowed"])
    #expect(check("a\\u0000b") == ["context.a\u{fffd}b: holds a control character"])
    #expect(check("\\u007f") == ["context.\u{fffd}: holds a control character"])
    #expect(check("a b/ü.😀") == ["(was accepted)"])
  }

  @Test("attributes are counted and measured")
  func attributeLimits() throws {
    func body(_ count: Int) -> String {
      "{\"context\":{\((0..<count).map { "\"a\($0)\":\($0)" }.joined(separator: ","))}}"
    }
    #expect(attributes(context(body(100)))?.count == 100)
    #expect(details(context(body(101))) == ["context: has 101 attributes; at most 100 are allowed"])
    let allowed = "\"\(String(repeating: "x", count: 16382))\""
    #expect(stored(allowed) == allowed)
    #expect(
      details(context("{\"context\":{\"big\":\"\(String(repeating: "x", count: 16383))\"}}"))
        == ["context.big: has a value of 16385 bytes; at most 16384 are allowed"])
    #expect(stored(" \t\n\r" + allowed + String(repeating: " ", count: 5000)) == allowed)
    let limits = BodyLimits(maximumAttributes: 1, maximumAttributeBytes: 2, maximumTextBytes: 3)
    #expect(
      details(context(#"{"cartId":"abcd","context":{"a":100,"b":10,"c":1}}"#, limits: limits)) == [
        "cartId: is 4 bytes long; at most 3 are allowed", "context.a: has a value of 3 bytes; at most 2 are allowed",
        "context: has 2 attributes; at most 1 are allowed",
      ])
  }

  @Test("all wrong fields are named at once, ten at most")
  func severalProblems() {
    #expect(
      details(context(#"{"currency":"E","siteCode":"","metadata":{"version":"x"}}"#)) == [
        "currency: must be three ASCII letters such as EUR (ISO 4217)", "siteCode: must not be empty",
        "metadata.version: must be an integer, not a string",
      ])
    let many = (0..<50).map { "\"a\\u0000\($0)\":1" }.joined(separator: ",")
    #expect(details(context("{\"context\":{\(many)}}")).count == BodyProblem.maximumDetails)
  }

  @Test(
    "a name that occurs twice in an object is refused",
    arguments: [
      (#"{"currency":"EUR","currency":"EUR"}"#, "currency"),
      (#"{"currency":"EUR","curr\u0065ncy":"USD"}"#, "currency"),
      (#"{"unknown":1,"unknown":2}"#, "unknown"),
      (#"{"":1,"":2}"#, ""),
      (#"{"metadata":{"version":1,"version":1}}"#, "metadata.version"),
      (#"{"metadata":{"x":1,"y":2,"x":1}}"#, "metadata.x"),
      (#"{"metadata":{"x":{"d":1,"d":2}}}"#, "metadata.x.d"),
      (#"{"context":{"a":1,"b":2,"a":3}}"#, "context.a"),
      (#"{"context":{"a":1,"\u0061":3}}"#, "context.a"),
      (#"{"context":{"ä":1,"\u00e4":3}}"#, "context.ä"),
      (#"{"context":{"a":{"deep":[{"x":1,"x":2}]}}}"#, "context.a.x"),
      (#"{"other":[{"x":1,"x":2}]}"#, "other.x"),
      (#"{"context":{"a":1},"context":{"b":1}}"#, "context"),
    ])
  func duplicateName(body: String, field: String) {
    #expect(details(context(body)) == ["\(field): occurs more than once in its object"])
  }

  @Test("the same name in different objects is fine")
  func sameNameElsewhere() {
    let body =
      #"{"a":{"a":{"a":[{"a":1},{"a":1}]}},"context":{"context":{"context":1},"currency":2},"metadata":{"context":1}}"#
    #expect(attributes(context(body))?.map(\.name) == ["context", "currency"])
  }

  @Test("a name that occurs twice is found among many", arguments: [2, 15, 16, 17, 18, 100, 5000])
  func duplicateAmongMany(count: Int) {
    var names = (0..<count).map { "name-\($0 &* 7919)" }
    func body() -> String { "{\"x\":{\(names.map { "\"\($0)\":0" }.joined(separator: ","))}}" }
    #expect(details(context(body())) == ["(was accepted)"])
    names[count - 1] = names[count / 3]
    #expect(details(context(body())) == ["x.\(names[count / 3]): occurs more than once in its object"])
  }

  @Test("nesting is limited everywhere")
  func depth() {
    func arrays(_ count: Int) -> String { String(repeating: "[", count: count) + String(repeating: "]", count: count) }
    func objects(_ count: Int) -> String {
      String(repeating: "{\"a\":", count: count) + "0" + String(repeating: "}", count: count)
    }
    #expect(details(context("{\"x\":\(arrays(31))}")) == ["(was accepted)"])
    #expect(details(context("{\"x\":\(arrays(32))}")) == ["x: nests deeper than 32 levels"])
    #expect(details(context("{\"x\":\(objects(31))}")) == ["(was accepted)"])
    #expect(details(context("{\"x\":\(objects(32))}")) == ["x: nests deeper than 32 levels"])
    #expect(details(context("{\"context\":{\"k\":\(arrays(30))}}")) == ["(was accepted)"])
    #expect(details(context("{\"context\":{\"k\":\(arrays(31))}}")) == ["context.k: nests deeper than 32 levels"])
    #expect(details(context("{\"metadata\":{\"k\":\(arrays(60000))}}")) == ["metadata.k: nests deeper than 32 levels"])
    let shallow = BodyLimits(maximumDepth: 2)
    #expect(details(context(#"{"context":{"a":1}}"#, limits: shallow)) == ["(was accepted)"])
    #expect(details(context(#"{"context":{"a":[]}}"#, limits: shallow)) == ["context.a: nests deeper than 2 levels"])
    #expect(details(context("{\"x\":\(arrays(254))}", limits: BodyLimits(maximumDepth: 255))) == ["(was accepted)"])
    #expect(details(context("{\"x\":\(arrays(255))}", limits: BodyLimits(maximumDepth: 1000))).count == 1)
  }
}
