internal import Platform
internal import SessionCodec
internal import SessionModel

extension ErasureReceipt {
  /// The receipt as JSON (API contract, section 4).
  public var json: [UInt8] {
    var json: [UInt8] = []
    json.append(contentsOf: #"{"erasedAt":""#.utf8)
    json.appendTimestampMicroseconds(erasedAt)
    json.append(contentsOf: #"","sessions":["#.utf8)
    for (index, session) in sessions.enumerated() {
      if index > 0 { json.append(UInt8(ascii: ",")) }
      json.append(contentsOf: #"{"sessionId":"#.utf8)
      json.appendJSONString(session.id.description)
      json.append(contentsOf: #","erasedPositions":["#.utf8)
      for (index, position) in session.erasedPositions.enumerated() {
        if index > 0 { json.append(UInt8(ascii: ",")) }
        json.appendDecimal(position)
      }
      json.append(contentsOf: #"],"position":"#.utf8)
      json.appendDecimal(session.position)
      json.append(UInt8(ascii: "}"))
    }
    json.append(contentsOf: #"],"position":"#.utf8)
    json.appendDecimal(position)
    json.append(contentsOf: #","chainHead":""#.utf8)
    json.append(contentsOf: chainHead.hexadecimal.utf8)
    json.append(contentsOf: #""}"#.utf8)
    return json
  }
}
