import SessionModel
import Testing
import TestSupport

@testable import SessionCodec

@Suite("bodies that ask for an erasure") struct JSONErasureBodyTests {
  private func read(_ json: String) -> Result<ErasureBody, BodyProblem> {
    let bytes = Array(json.utf8)
    return readErasureBody(bytes.span)
  }

  private func details(_ json: String) -> [String] {
    if case .failure(let problem) = read(json) { problem.details } else { [] }
  }

  @Test("names a session or a customer")
  func good() {
    #expect(read(#"{"sessionId":"s1"}"#) == .success(.session(SessionID(valid: "s1"))))
    #expect(read(#" { "customerId" : "c\u00fc\"" } "#) == .success(.customer("cü\"")))
    let longest = String(repeating: "x", count: 200)
    #expect(read(#"{"customerId":"\#(longest)"}"#) == .success(.customer(longest)))
  }

  @Test("names exactly one of them")
  func exactlyOne() {
    for json in ["{}", #"{"sessionId":"s1","customerId":"c1"}"#] {
      #expect(details(json) == ["sessionId, customerId: exactly one of them must say what is erased"], "\(json)")
    }
  }

  @Test("holds nothing else")
  func strict() {
    #expect(
      details(#"{"sessionId":"s1","reason":"asked"}"#) == [
        "reason: has no meaning here; name either sessionId or customerId"
      ])
    #expect(details(#"{"sessionID":"s1"}"#).count == 2)
  }

  @Test(
    "is refused where a name can't be one, with the field",
    arguments: [
      #"{"sessionId":null}"#, #"{"sessionId":1}"#, #"{"sessionId":""}"#, #"{"sessionId":["s1"]}"#,
      #"{"sessionId":"a\u0000b"}"#, #"{"sessionId":"\#(String(repeating: "é", count: 101))"}"#,
    ])
  func badName(_ json: String) {
    #expect(details(json).count == 1)
    #expect(details(json).first?.hasPrefix("sessionId: ") == true)
    #expect(details(json.replacing("sessionId", with: "customerId")).first?.hasPrefix("customerId: ") == true)
  }

  @Test("is refused where it is no JSON object, or names something twice")
  func badJSON() {
    for json in ["", "[]", "{", #""s1""#, #"{"sessionId":"s1","sessionId":"s1"}"#, #"{"sessionId":"s1"}x"#] {
      #expect(details(json).count == 1, "\(json)")
    }
  }
}
