import SessionCodec
import SessionModel
import TestSupport
import Testing

@Suite("Request bodies at random")
struct JSONPropertyTests {
  @Test("a document that was written is read as it was meant", arguments: seeds())
  func roundTrip(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<1000 {
      let body = random.contextBody()
      let text = random.render(body)
      #expect(readContextBody(text.span) == .success(body), "\(String(decoding: text, as: UTF8.self))")
    }
  }

  @Test("damaged documents are refused or read exactly as a plain second reader does", arguments: seeds())
  func mutations(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var accepted = 0
    var refused = 0
    for _ in 0..<1500 {
      var bytes = random.render(random.contextBody())
      for _ in 0..<12 {
        random.damage(&bytes)
        let members = JSONOracle.members(bytes)
        let meant = members.flatMap { JSONOracle.context($0) }
        let result = readContextBody(bytes.span)
        let agrees =
          switch result {
          case .success(let body): body == meant
          case .failure(let problem):
            meant == nil && (members == nil) == (problem.message == "The request body cannot be read")
              && (1...BodyProblem.maximumDetails).contains(problem.details.count)
          }
        guard agrees else {
          Issue.record("seed \(seed): \(result) instead of \(String(describing: meant)) for \(bytes)")
          return
        }
        if meant == nil { refused += 1 } else { accepted += 1 }
        // A refused document mostly stays refused: begin again.
        if members == nil { break }
      }
    }
    // Both outcomes have to be common, or this compares nothing.
    #expect(accepted > 500 && refused > 500, "\(accepted) accepted, \(refused) refused")
  }

  @Test("texts of JSON's own characters are refused or read as the second reader does", arguments: seeds())
  func soup(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let tokens = [
      "{", "}", "[", "]", ",", ":", "\"", "\\", "0", "1", "-", "+", ".", "e", "E", "null", "true", "false", "\"a\"",
      "\"b\"", "1",
      " ", "\n", "\\u0041", "\\ud800", "\\udc00", "é", "\u{c}", "\u{1a}", "\u{0}", "x", "{\"a\":1}", "[1]", "1e5",
    ]
    var accepted = 0
    for _ in 0..<20000 {
      let value = (0..<Int.random(in: 1...5, using: &random)).map { _ in random.pick(tokens) }.joined()
      // Padding moves the text over the borders of the blocks that are read at once.
      let padding = String(repeating: " ", count: random.chance(2) ? Int.random(in: 0..<130, using: &random) : 0)
      let bytes = Array("\(padding){\"context\":{\"k\":\(value)}}".utf8)
      let meant = JSONOracle.members(bytes).flatMap { JSONOracle.context($0) }
      guard (try? readContextBody(bytes.span).get()) == meant else {
        Issue.record("seed \(seed): \(readContextBody(bytes.span)) for \(value)")
        return
      }
      if meant != nil { accepted += 1 }
    }
    #expect(accepted > 200, "\(accepted) accepted")
  }
}

extension SeededGenerator {
  fileprivate mutating func contextBody() -> ContextBody {
    var body = ContextBody()
    if chance(3) { body.sessionID = text(count: 1...30, includingControls: false) }
    if chance(2) {
      body.version = chance(4) ? .random(in: 0 ... .max, using: &self) : .random(in: 0...99, using: &self)
    }
    for field in Field.allCases.shuffled(using: &self) where chance(2) {
      let value: String? =
        switch field {
        case _ where chance(5): nil
        case .currency: pick(["EUR", "usd"])
        case .targetLocation: pick(["DE", "at"])
        case .language: pick(["de", "de-DE", "zh_Hant"])
        case .customerID, .siteCode, .cartID: text(count: 1...40, includingControls: false)
        }
      body.changes.fields.append(.init(field: field, value: value))
    }
    if chance(2) {
      let count = Int.random(in: 0...(chance(20) ? 100 : 6), using: &self)
      body.changes.attributes = .replaced(
        (0..<count).map { number in
          Attribute(name: "\(text(count: 0...20, includingControls: false)):\(number)", value: value(depth: 0))
        })
    }
    return body
  }

  private mutating func value(depth: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    switch Int.random(in: 0..<(depth < 4 ? 7 : 5), using: &self) {
    case 0: bytes += Array(pick(["null", "true", "false"]).utf8)
    case 1, 2:
      let numbers = ["0", "-0", "1", "-17", "3.25", "1e999", "1E+2", "-0.0e-0", "123456789012345678901234567890"]
      bytes += Array(pick(numbers).utf8)
    case 3, 4: bytes += string(text(count: 0...30, includingControls: true))
    case 5:
      bytes.append(UInt8(ascii: "["))
      for index in 0..<Int.random(in: 0...4, using: &self) {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        bytes += whitespace() + value(depth: depth + 1) + whitespace()
      }
      bytes.append(UInt8(ascii: "]"))
    default:
      bytes.append(UInt8(ascii: "{"))
      for index in 0..<Int.random(in: 0...(chance(10) ? 30 : 4), using: &self) {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        bytes += whitespace() + string("\(index):\(text(count: 0...5, includingControls: true))") + whitespace()
        bytes += Array(":".utf8) + whitespace() + value(depth: depth + 1) + whitespace()
      }
      bytes.append(UInt8(ascii: "}"))
    }
    return bytes
  }

  private mutating func whitespace() -> [UInt8] {
    chance(3) ? (0..<Int.random(in: 0...4, using: &self)).map { _ in pick([0x20, 0x09, 0x0a, 0x0d]) } : []
  }

  /// `text` as a JSON string, with escapes where they need not be, too.
  private mutating func string(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    guard chance(3) else {
      bytes.appendJSONString(text)
      return bytes
    }
    bytes.append(UInt8(ascii: "\""))
    for unit in text.utf16 {
      let digits = String(unit, radix: 16, uppercase: chance(2))
      bytes += Array("\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8)
    }
    bytes.append(UInt8(ascii: "\""))
    return bytes
  }

  fileprivate mutating func render(_ body: ContextBody) -> [UInt8] {
    var members: [[UInt8]] = []
    func place(_ name: [UInt8], _ value: [UInt8]) -> [UInt8] { name + Array(":".utf8) + value }
    for change in body.changes.fields {
      let value = change.value.map { string($0) } ?? Array("null".utf8)
      members.append(
        place(whitespace() + string(change.field.name) + whitespace(), whitespace() + value + whitespace()))
    }
    func insert(_ name: String, _ value: [UInt8]) {
      let member = place(string(name), whitespace() + value + whitespace())
      members.insert(member, at: Int.random(in: 0...members.count, using: &self))
    }
    if let sessionID = body.sessionID { insert("sessionId", string(sessionID)) }
    if let version = body.version {
      let other = chance(2) ? "\"createdAt\":\"2022-09-20T12:33:52.456Z\"," : ""
      insert("metadata", Array("{\(other)\"version\" : \(version)}".utf8))
    }
    if case .replaced(let attributes) = body.changes.attributes {
      let inner = attributes.map { place(string($0.name), whitespace() + $0.value + whitespace()) }
      insert("context", Array("{".utf8) + inner.joined(separator: [UInt8(ascii: ",")]) + Array("}".utf8))
    }
    if chance(4) { insert("unknown", value(depth: 0)) }
    return whitespace() + Array("{".utf8) + members.joined(separator: [UInt8(ascii: ",")]) + Array("}".utf8)
      + whitespace()
  }

  /// One small change at a random place.
  fileprivate mutating func damage(_ bytes: inout [UInt8]) {
    guard !bytes.isEmpty else { return }
    let place = Int.random(in: 0..<bytes.count, using: &self)
    let telling =
      Array("{}[],:\"\\ 0129-+.eEnulltruefalse/\t\n\r\u{0}\u{c}\u{1a}\u{1f}\u{7f}".utf8) + [
        0x80, 0xc3, 0xed, 0xf0, 0xff,
      ]
    switch Int.random(in: 0..<6, using: &self) {
    case 0: bytes[place] = pick(telling)
    case 1: bytes[place] = .random(in: 0...255, using: &self)
    case 2: bytes.insert(pick(telling), at: place)
    case 3: bytes.remove(at: place)
    case 4:
      let end = min(bytes.count, place + Int.random(in: 1...20, using: &self))
      bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &self))
    default:
      // A letter within a string: mostly leaves the document valid.
      if (0x61...0x79).contains(bytes[place]) { bytes[place] += 1 }
    }
  }
}
