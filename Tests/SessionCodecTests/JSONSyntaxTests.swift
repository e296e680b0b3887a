import SessionCodec
import SessionModel
import Testing

private func read(_ bytes: [UInt8]) -> [String] { details(readContextBody(bytes.span)) }
private func read(_ text: String) -> [String] { read(Array(text.utf8)) }

/// The bytes that an attribute value is stored as, nil when it is refused.
private func stored(_ value: [UInt8]) -> [UInt8]? {
  let body = Array("{\"key\":\"k\",\"value\":".utf8) + value + Array("}".utf8)
  guard case .success(let attribute) = readAttributeBody(body.span) else { return nil }
  return attribute.value
}

@Suite("The JSON grammar of request bodies")
struct JSONSyntaxTests {
  @Test(
    "every value of the grammar is kept as it was sent",
    arguments: [
      "null", "true", "false", "0", "-0", "-0.0", "0.0", "1", "-1", "10", "1.5", "1e5", "1E+5", "1e-5", "0e0", "0E0",
      "-1.0e-10",
      "1e999", "-1e999", "1e-999", "1e999999999999999999999", "123456789012345678901234567890", "-9223372036854775809",
      "18446744073709551616", "0.1234567890123456789012345678901234567890", "\"\"", "\"a\"", "\"ä€😀\"", "\"\u{7f}\"",
      #""\"\\\/\b\f\n\r\t""#, #""\u0000""#, #""\u00e9\uABCD\uabcd""#, #""\ud83d\ude00""#, #""\uDBFF\uDFFF""#,
      "[]", "{}", "[ ]", "{ }", "[1]", "[1,2]", "[[],{}]", "{\"a\":1}", "{\"\":\"\"}", "[ 1 , 2 ]",
      "{\"a\" : 1 , \"b\":[null]}",
      "\"  spaces  \"", "\"{[,:]}\"", "\"\\\\\"", "[\"\\\\\",\"\\\"\"]", "\"//\"", "\"\u{2028}\"",
    ])
  func accepted(value: String) {
    for (before, after) in [("", ""), (" ", " "), ("\t\n\r ", "\n \r\t")] {
      #expect(stored(Array((before + value + after).utf8)) == Array(value.utf8))
    }
  }

  @Test(
    "what the grammar forbids is refused",
    arguments: [
      "", "01", "-01", "00", "+1", "-", "--1", "1.", ".5", "-.5", "1.e5", "1e", "1e+", "1e-", "1e1.5", "1ee1", "1.2.3",
      "0x10", "1_000",
      "1a", "1 2", "1\u{0}", "NaN", "nan", "Infinity", "-Infinity", "inf", "undefined", "nul", "nulll", "null1", "Null",
      "NULL", "tru",
      "trueX", "True", "fals", "false0", "\"", "\"a", "a\"", "'a'", "\"a\"b", "\"a\"\"b\"", "\"a\" \"b\"", "1\"a\"",
      "\"a\"1",
      #""\""#, #""\x41""#, #""\a""#, #""\'""#, #""\0""#, #""\u""#, #""\u12""#, #""\u12G4""#, #""\U0041""#, #""\u 041""#,
      #""\ud800""#, #""\udc00""#, #""\ud800\ud800""#, #""\ud800x""#, #""\ud800\n""#, #""\ud800\u0041""#,
      #""\udc00\ud800""#,
      #""\ud83d\ude0""#, #""\ud83d\uzzzz""#, "\"\u{1}\"", "\"\u{0}\"", "\"\t\"", "\"\n\"", "\"a\u{1f}\"",
      "[", "]", "{", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1 2]", "[1,,2]", "[1:2]", "[}", "{]", "[1}", "{\"a\":1]",
      "{\"a\"}", "{\"a\":}",
      "{\"a\":1,}", "{,}", "{,\"a\":1}", "{\"a\" 1}", "{\"a\"::1}", "{\"a\":1 \"b\":2}", "{\"a\",1}", "{a:1}", "{1:1}",
      "{null:1}",
      "{[]:1}", "{'a':1}", "{\"a\":1,\"b\"}", "{\"\\ud800\":1}", "[\"a\",\"a\"", "[]]", "{}}", "[][]", "1,", ",1", ":",
      ",",
      "//\n1", "/* */1", "1/**/", "1//", "#1", "\u{feff}1", "1\u{a0}", "1\u{b}", "1\u{c}", "1\u{1a}", "\u{c}1",
      "[1\u{c}2]",
      "{\"a\"\u{1a}1}", "\\u0031", "\\\"a\\\"", "1;", "(1)", "<1>", "*",
    ])
  func refused(value: String) {
    for (before, after) in [("", ""), (" ", " "), ("", String(repeating: " ", count: 200))] {
      #expect(stored(Array((before + value + after).utf8)) == nil)
    }
    // The same in a place that is passed over.
    #expect(read("{\"unknown\":\(value)}").first?.hasPrefix("body: invalid") == true)
    #expect(value.isEmpty || read("{\"unknown\":[\(value)]}") != ["(was accepted)"])
  }

  @Test(
    "UTF-8 must be valid everywhere",
    arguments: [
      [0x80], [0xbf], [0xc0, 0x80], [0xc1, 0xbf], [0xc3], [0xc3, 0x28], [0xe0, 0x80, 0x80], [0xe2, 0x82],
      [0xe2, 0x28, 0xa1],
      [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf], [0xf0, 0x80, 0x80, 0x80], [0xf0, 0x9f, 0x98], [0xf4, 0x90, 0x80, 0x80],
      [0xf5, 0x80, 0x80, 0x80], [0xfe], [0xff],
    ] as [[UInt8]])
  func invalidUTF8(bytes: [UInt8]) {
    func body(_ before: String, _ after: String) -> [UInt8] { Array(before.utf8) + bytes + Array(after.utf8) }
    #expect(read(body("{\"siteCode\":\"x", "\"}")) == ["body: invalid UTF-8 near byte 14"])
    #expect(read(body("{\"", "\":1}")) == ["body: invalid UTF-8 near byte 2"])
    #expect(read(body("{\"context\":{\"a\":[\"", "\"]}}")) == ["body: invalid UTF-8 near byte 18"])
    // Outside strings, where no such byte may stand anyway, not every implementation of simdjson says why.
    #expect(read(body("{\"context\":{\"a\":", "}}")).first?.hasPrefix("body: invalid ") == true)
    #expect(read(body("{}", "")).first?.hasPrefix("body: invalid ") == true)
    #expect(
      read(body("{\"x\":\"\(String(repeating: "ä", count: 500))", "\"}")) == ["body: invalid UTF-8 near byte 1006"])
  }

  @Test("a body is one object and nothing else")
  func wholeBody() {
    #expect(read("") == ["body: is empty; a JSON object is expected"])
    #expect(read(" \n\t\r ") == ["body: is empty; a JSON object is expected"])
    for text in ["[]", "null", "1", "\"a\"", "true", "x", "}", "[{}]", ",", "\u{0}"] {
      #expect(read(text) == ["body: must be a JSON object"], "\(text)")
    }
    #expect(read("\u{feff}{}") == ["body: begins with a byte order mark; send UTF-8 without one"])
    #expect(read(" {} \r\n") == ["(was accepted)"])
    for tail in ["x", "{}", ",", "]", "}", "\u{0}", "null", "\"\""] {
      #expect(read("{} \(tail)") == ["body: invalid JSON near byte 3: more text after the object"], "\(tail)")
    }
    #expect(read("{\"a\":1") == ["body: invalid JSON near byte 6: the text ends inside an object or array"])
    #expect(read("{\"a\":[1]") == ["body: invalid JSON near byte 8: the text ends inside an object or array"])
    #expect(read("{\"a\":\"b") == ["body: invalid JSON near byte 5: string without an end"])
    #expect(
      read("{\"a\":\"b\n\"}") == [
        "body: invalid JSON near byte 7: control character in a string, which must be escaped"
      ])
    #expect(read("{\"a\":012}") == ["body: invalid JSON near byte 5: neither a number nor true, false or null"])
    #expect(read("{\"a\" 1}") == ["body: invalid JSON near byte 5: unexpected character"])
    #expect(read("{\"a\":\"bc\\x\"}") == ["body: invalid JSON near byte 8: invalid escape in a string"])
    #expect(read("{\"a\":\"\\ud800\"}") == ["body: invalid JSON near byte 6: half of a surrogate pair in a string"])
    let large = [UInt8](repeating: 0x20, count: 16 << 20)
    #expect(read(large + [0x20]) == ["body: is larger than 16777216 bytes"])
    #expect(read(large) == ["body: is empty; a JSON object is expected"])
  }

  @Test("bodies of every length around the size of a block are read in full")
  func blockBoundaries() throws {
    for count in 0...400 {
      let text = String(repeating: "x", count: count % 200 + 1)
      let padding = String(repeating: " ", count: count)
      let body = "{\(padding)\"siteCode\":\(padding)\"\(text)\",\"context\":{\"a\":\"\\\\\(text)\"}}"
      let read = try context(body).get()
      #expect(read.changes.fields == [.init(field: .siteCode, value: text)])
      #expect(read.changes.attributes == .replaced([Attribute(name: "a", value: Array("\"\\\\\(text)\"".utf8))]))
      #expect(details(context(body + "}")) != ["(was accepted)"])
      #expect(details(context(String(body.dropLast()))) != ["(was accepted)"])
    }
  }

  @Test("threads read bodies without touching one another's")
  func threads() async {
    await withTaskGroup(of: Bool.self) { group in
      for task in 0..<8 {
        group.addTask {
          (0..<300).allSatisfy { round in
            let name = "n\(task)"
            let value = "\"\(String(repeating: "\\u0041\(task)", count: round * 3))\""
            let body = "{\"context\":{\"\\u006e\(task)\":\(value)},\"cartId\":\"\\u0063\(task)-\(round)\"}"
            guard case .success(let read) = context(body) else { return false }
            return read.changes.fields == [.init(field: .cartID, value: "c\(task)-\(round)")]
              && read.changes.attributes == .replaced([Attribute(name: name, value: Array(value.utf8))])
          }
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }

  @Test("a large body leaves nothing behind for the next one")
  func largeThenSmall() throws {
    for count in [60_000, 10, 1_000_000, 3000, 20_000] {
      let value = "\"\(String(repeating: "\\n", count: count))\""
      let limits = BodyLimits(maximumAttributeBytes: .max)
      let body = try context("{\"context\":{\"a\":\(value)},\"siteCode\":\"m\\u0061in\"}", limits: limits).get()
      #expect(body.changes.attributes == .replaced([Attribute(name: "a", value: Array(value.utf8))]))
      #expect(body.changes.fields == [.init(field: .siteCode, value: "main")])
      #expect(try context(#"{"siteCode":"b"}"#).get().changes.fields == [.init(field: .siteCode, value: "b")])
    }
  }
}
