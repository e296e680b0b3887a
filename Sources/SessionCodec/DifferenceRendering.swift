public import SessionModel

extension [UInt8] {
  /// Appends what differs between two contexts as a JSON array, field by field:
  /// `[{"field":"currency","old":"EUR","new":"USD"},{"field":"context.campaign","new":17}]`.
  /// A side that isn't set is left out.
  public mutating func appendDifference(from old: SessionContext, to new: SessionContext) {
    append(UInt8(ascii: "["))
    var isFirst = true
    for field in Field.allCases where ContextChanges(from: old, to: new).fields.contains(where: { $0.field == field }) {
      appendEntry(field.name, &isFirst, old: old[field].map(jsonString), new: new[field].map(jsonString))
    }
    for attribute in old.attributes {
      let value = new.attributeIndex(attribute.name).map { new.attributes[$0].value }
      guard value != attribute.value else { continue }
      appendEntry("context." + attribute.name, &isFirst, old: attribute.value, new: value)
    }
    for attribute in new.attributes where old.attributeIndex(attribute.name) == nil {
      appendEntry("context." + attribute.name, &isFirst, old: nil, new: attribute.value)
    }
    append(UInt8(ascii: "]"))
  }

  private func jsonString(_ text: String) -> [UInt8] {
    var json: [UInt8] = []
    json.appendJSONString(text)
    return json
  }

  private mutating func appendEntry(_ field: String, _ isFirst: inout Bool, old: [UInt8]?, new: [UInt8]?) {
    if !isFirst { append(UInt8(ascii: ",")) }
    isFirst = false
    append(contentsOf: #"{"field":"#.utf8)
    appendJSONString(field)
    for (name, value) in [("old", old), ("new", new)] {
      guard let value else { continue }
      append(contentsOf: ",\"\(name)\":".utf8)
      append(contentsOf: value)
    }
    append(UInt8(ascii: "}"))
  }
}
