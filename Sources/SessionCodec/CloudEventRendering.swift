internal import Platform
public import SessionModel

extension Event {
  /// Appends the event as a CloudEvent (version 1.0, JSON format) of `tenant`'s log.
  ///
  /// - Parameter isErased: whether its payload was removed; it says so, and has no data then.
  public func appendCloudEvent(of tenant: TenantID, isErased: Bool, to json: inout [UInt8]) {
    json.append(contentsOf: #"{"specversion":"1.0","id":""#.utf8)
    json.appendDecimal(position)
    json.append(contentsOf: #"","source":"/session-context/"#.utf8)
    json.append(contentsOf: tenant.description.utf8)
    json.append(contentsOf: #"","type":""#.utf8)
    json.append(contentsOf: kind.name.utf8)
    json.append(contentsOf: #"","subject":"#.utf8)
    json.appendJSONString(sessionID.description)
    json.append(contentsOf: #","time":""#.utf8)
    json.appendTimestampMicroseconds(recordedAt)
    json.append(contentsOf: #"","datacontenttype":"application/json","position":"#.utf8)
    json.appendDecimal(position)
    json.append(contentsOf: #","sessionlife":"#.utf8)
    json.appendDecimal(life)
    json.append(contentsOf: #","sessionversion":"#.utf8)
    json.appendDecimal(version)
    for (name, value) in [
      ("actor", origin.actor), ("requestid", origin.requestID), ("traceparent", origin.traceParent),
    ] where !value.isEmpty {
      json.append(contentsOf: ",\"\(name)\":".utf8)
      json.appendJSONString(value)
    }
    if isErased { json.append(contentsOf: #","erased":true"#.utf8) }
    json.append(contentsOf: #","data":"#.utf8)
    changes.appendData(to: &json)
    json.append(UInt8(ascii: "}"))
  }
}

extension ContextChanges {
  /// Appends the fields that changed with their new values as a JSON object; null: cleared.
  public func appendData(to json: inout [UInt8]) {
    json.append(UInt8(ascii: "{"))
    var isFirst = true
    func appendName(_ name: String) {
      if !isFirst { json.append(UInt8(ascii: ",")) }
      isFirst = false
      json.append(contentsOf: "\"\(name)\":".utf8)
    }
    for change in fields {
      appendName(change.field.name)
      if let value = change.value { json.appendJSONString(value) } else { json.append(contentsOf: "null".utf8) }
    }
    switch attributes {
    case .unchanged:
      break
    case .replaced(let attributes):
      appendName("context")
      if attributes.isEmpty { json.append(contentsOf: "null".utf8) } else { json.appendObject(attributes) }
    case .set(let attribute):
      appendName("context")
      json.appendObject([attribute])
    case .removed(let name):
      appendName("context")
      json.appendObject([Attribute(name: name, value: Array("null".utf8))])
    }
    json.append(UInt8(ascii: "}"))
  }
}

extension [UInt8] {
  /// Appends attributes as a JSON object, their values as they were sent.
  fileprivate mutating func appendObject(_ attributes: [Attribute]) {
    append(UInt8(ascii: "{"))
    for (index, attribute) in attributes.enumerated() {
      if index > 0 { append(UInt8(ascii: ",")) }
      appendJSONString(attribute.name)
      append(UInt8(ascii: ":"))
      append(contentsOf: attribute.value)
    }
    append(UInt8(ascii: "}"))
  }
}

extension Event {
  /// Appends the event as one line of JSON that a line feed ends (NDJSON).
  ///
  /// Attribute values are kept as they were sent. In JSON a line break can only stand between tokens, as a blank can.
  public func appendCloudEventLine(of tenant: TenantID, isErased: Bool, to json: inout [UInt8]) {
    let start = json.count
    appendCloudEvent(of: tenant, isErased: isErased, to: &json)
    for index in start..<json.count where json[index].isLineBreak { json[index] = UInt8(ascii: " ") }
    json.append(UInt8(ascii: "\n"))
  }
}

extension UInt8 {
  /// Whether it ends a line: a line feed or a carriage return.
  public var isLineBreak: Bool { self == UInt8(ascii: "\n") || self == UInt8(ascii: "\r") }
}
