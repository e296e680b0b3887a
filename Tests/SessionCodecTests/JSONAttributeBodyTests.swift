import SessionCodec
import SessionModel
import Testing

private func read(_ text: String, limits: BodyLimits = BodyLimits()) -> Result<Attribute, BodyProblem> {
  readAttributeBody(Array(text.utf8).span, limits: limits)
}

private func problems(_ text: String, limits: BodyLimits = BodyLimits()) -> [String] {
  guard case .failure(let problem) = read(text, limits: limits) else { return ["(was accepted)"] }
  return problem.details
}

@Suite("Reading the body of a POST to attributes")
struct JSONAttributeBodyTests {
  @Test("key and value are read in any order, among unknown fields")
  func members() throws {
    #expect(
      try read(#"{"key":"c\u006flor","value": {"a" : [1] } }"#).get()
        == Attribute(name: "color", value: Array(#"{"a" : [1] }"#.utf8)))
    #expect(
      try read(#"{"value":null,"extra":{"key":1},"context":{"a":1},"key":"x y/z"}"#).get()
        == Attribute(name: "x y/z", value: Array("null".utf8)))
  }

  @Test(
    "what is missing or wrong is named",
    arguments: [
      ("{}", ["key: is missing", "value: is missing"]),
      (#"{"key":"a"}"#, ["value: is missing"]),
      (#"{"value":1}"#, ["key: is missing"]),
      (#"{"key":null,"value":1}"#, ["key: must be a string, not null"]),
      (#"{"key":1,"value":1}"#, ["key: must be a string, not a number"]),
      (#"{"key":{},"value":1}"#, ["key: must be a string, not an object"]),
      (#"{"key":"","value":1}"#, ["key: must not be empty"]),
      (#"{"key":"a\u0000","value":1}"#, ["key: holds a control character"]),
      (#"{"key":"a","value":1,"key":"b"}"#, ["key: occurs more than once in its object"]),
      (#"{"key":"a","value":{"x":1,"x":1}}"#, ["value.x: occurs more than once in its object"]),
      (#"{"key":"a","value":{"x":{"y":1,"y":1}}}"#, ["value.y: occurs more than once in its object"]),
      ("[]", ["body: must be a JSON object"]),
      ("", ["body: is empty; a JSON object is expected"]),
      (#"{"key":"a","value":+1}"#, ["body: invalid JSON near byte 19: neither a number nor true, false or null"]),
    ])
  func refused(body: String, details: [String]) {
    #expect(problems(body) == details)
  }

  @Test("name, value and nesting are limited")
  func limits() {
    let long = String(repeating: "k", count: 201)
    #expect(problems("{\"key\":\"\(long)\",\"value\":1}") == ["key: is 201 bytes long; at most 200 are allowed"])
    #expect(problems("{\"key\":\"\(long.dropLast())\",\"value\":1}") == ["(was accepted)"])
    let value = String(repeating: "1", count: 16385)
    #expect(
      problems("{\"key\":\"k\",\"value\":\(value)}")
        == ["value: has a value of 16385 bytes; at most 16384 are allowed"])
    #expect(problems("{\"key\":\"k\",\"value\":\(value.dropLast())}") == ["(was accepted)"])
    let nested = String(repeating: "[", count: 31) + String(repeating: "]", count: 31)
    #expect(problems("{\"key\":\"k\",\"value\":\(nested)}") == ["(was accepted)"])
    #expect(problems("{\"key\":\"k\",\"value\":[\(nested)]}") == ["value: nests deeper than 32 levels"])
  }
}
