internal import Platform
public import SessionModel

extension SnapshotView {
  /// Appends the session's document as a GET answers it: set fields alone, `context` only when it has attributes.
  ///
  /// Made straight from the stored bytes, since this is the path that is read most.
  public func appendDocument(of sessionID: SessionID, to json: inout [UInt8]) throws(DamagedRecord) {
    let maximum = try documentBytes(idBytes: sessionID.description.utf8.count)
    try json.append(addingCapacity: maximum) { output throws(DamagedRecord) in
      try appendDocument(of: sessionID, to: &output)
    }
  }

  /// How long the document is at most. Worth a walk over the fields: a bound that needs none would ask the allocator for
  /// several times as much, which it is slow to give.
  private func documentBytes(idBytes: Int) throws(DamagedRecord) -> Int {
    // All that stands around the fields, with the longest version.
    var count = 160 + jsonStringBytes(upTo: idBytes)
    var reader = RecordReader(fields)
    while !reader.isAtEnd {
      guard try reader.integer(UInt8.self) == FieldTag.allAttributes else {
        // Comma, name and colon are 18 bytes or less.
        count += 18 + jsonStringBytes(upTo: try reader.bytes(Int(reader.integer(UInt16.self))).count)
        continue
      }
      for _ in 0..<(try reader.integer(UInt16.self)) {
        count += 2 + jsonStringBytes(upTo: try reader.bytes(Int(reader.integer(UInt16.self))).count)
        count += try reader.bytes(Int(reader.integer(UInt32.self))).count
      }
    }
    return count
  }

  @_lifetime(json: copy json)
  private func appendDocument(of sessionID: SessionID, to json: inout OutputSpan<UInt8>) throws(DamagedRecord) {
    json.append(#"{"sessionId":"#)
    sessionID.description.withBytes { json.appendJSONString($0) }
    var reader = RecordReader(fields)
    while !reader.isAtEnd {
      let tag = try reader.integer(UInt8.self)
      if tag == FieldTag.allAttributes {
        try appendAttributes(&reader, to: &json)
        continue
      }
      guard let field = Field(rawValue: tag) else { throw DamagedRecord("there is no field number \(tag)") }
      json.append(field.memberStart)
      json.appendJSONString(try reader.bytes(Int(reader.integer(UInt16.self))))
    }
    json.append(#","metadata":{"version":"#)
    json.appendDecimal(UInt64(version))
    json.append(#","createdAt":""#)
    json.appendTimestamp(createdAt)
    json.append(#"","modifiedAt":""#)
    json.appendTimestamp(modifiedAt)
    json.append(#""}}"#)
  }

  @_lifetime(json: copy json)
  private func appendAttributes(
    _ reader: inout RecordReader, to json: inout OutputSpan<UInt8>
  ) throws(DamagedRecord) {
    json.append(#","context":{"#)
    let count = try reader.integer(UInt16.self)
    for index in 0..<count {
      if index > 0 { json.append(UInt8(ascii: ",")) }
      json.appendJSONString(try reader.bytes(Int(reader.integer(UInt16.self))))
      json.append(UInt8(ascii: ":"))
      json.append(copying: try reader.bytes(Int(reader.integer(UInt32.self))))
    }
    json.append(UInt8(ascii: "}"))
  }
}

extension Field {
  /// What stands before the field's value in a document: comma, name and colon.
  fileprivate var memberStart: StaticString {
    switch self {
    case .customerID: #","customerId":"#
    case .siteCode: #","siteCode":"#
    case .currency: #","currency":"#
    case .cartID: #","cartId":"#
    case .targetLocation: #","targetLocation":"#
    case .language: #","language":"#
    }
  }
}

extension Session {
  /// Appends the state's document, as a GET would have answered it.
  public func appendDocument(of sessionID: SessionID, to json: inout [UInt8]) {
    let key = Array(sessionID.description.utf8)
    let record = SnapshotRecord.encode(self, key: key.span)
    let isWhole = (try? Self.appendDocument(record.span, key: key.span, of: sessionID, to: &json)) != nil
    precondition(isWhole, "a record that was made just now is whole")
  }

  private static func appendDocument(
    _ record: Span<UInt8>, key: Span<UInt8>, of sessionID: SessionID, to json: inout [UInt8]
  ) throws(DamagedRecord) {
    try SnapshotView(record, key: key).appendDocument(of: sessionID, to: &json)
  }
}
