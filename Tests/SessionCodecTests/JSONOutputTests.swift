import SessionCodec
import SessionModel
import Testing

private func json(_ text: String) -> String {
  var bytes: [UInt8] = []
  bytes.appendJSONString(text)
  return String(decoding: bytes, as: UTF8.self)
}

@Suite("Writing JSON")
struct JSONOutputTests {
  @Test("strings are quoted, and escaped only where they must be")
  func strings() {
    #expect(json("") == "\"\"")
    #expect(json("EUR") == "\"EUR\"")
    #expect(json("a\"b\\c/d") == #""a\"b\\c/d""#)
    #expect(json("\u{8}\t\n\u{c}\r") == #""\b\t\n\f\r""#)
    #expect(json("\u{0}\u{1}\u{f}\u{10}\u{1f}") == #""\u0000\u0001\u000f\u0010\u001f""#)
    #expect(json("\u{7f}é€😀\u{2028}") == "\"\u{7f}é€😀\u{2028}\"")
    #expect(json("\"") == #""\"""#)
    #expect(json(String(repeating: "\"", count: 20)) == "\"" + String(repeating: "\\\"", count: 20) + "\"")
  }

  @Test("every byte is escaped or copied rightly at every place")
  func everyPlace() {
    for scalar in UInt8(0)...127 {
      let character = String(UnicodeScalar(scalar))
      let escaped = String(json(character).dropFirst().dropLast())
      #expect((scalar < 0x20 || scalar == 0x22 || scalar == 0x5c) == (escaped.utf8.count > 1))
      for place in 0...17 {
        let (before, after) = (String(repeating: "x", count: place), String(repeating: "é", count: 17 - place))
        #expect(json(before + character + after) == "\"\(before)\(escaped)\(after)\"")
      }
    }
  }

  @Test("what is written can be read", arguments: seeds())
  func roundTrip(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<1000 {
      let text = random.text(count: 1...30, includingControls: true)
      var bytes: [UInt8] = Array("{\"key\":\"k\",\"value\":0,\"".utf8)
      bytes.removeLast()
      bytes.appendJSONString("x" + text)
      bytes += Array(":0}".utf8)
      _ = try readAttributeBody(bytes.span).get()
      let printable = random.text(count: 1...30, includingControls: false)
      var body: [UInt8] = Array("{\"value\":0,\"key\":".utf8)
      body.appendJSONString(Array(printable.utf8).span)
      body.append(UInt8(ascii: "}"))
      #expect(try readAttributeBody(body.span).get().name == printable)
    }
  }

  @Test("numbers are written in decimal")
  func decimals() {
    func decimal(_ number: some FixedWidthInteger) -> String {
      var bytes: [UInt8] = []
      bytes.appendDecimal(number)
      return String(decoding: bytes, as: UTF8.self)
    }
    #expect(decimal(0) == "0")
    #expect(decimal(UInt64.max) == "18446744073709551615")
    #expect(decimal(Int64.min) == "-9223372036854775808")
    #expect(decimal(Int64.max) == "9223372036854775807")
    #expect(decimal(UInt32.max) == "4294967295")
    #expect(decimal(Int8.min) == "-128")
    var power: UInt64 = 1
    for _ in 0..<19 {
      for number in [power - 1, power, power + 1] { #expect(decimal(number) == String(number)) }
      power *= 10
    }
  }
}
