internal import Platform
internal import SessionModel

// Fields of a context as stored in event payloads and snapshots: entries of one tag byte and what it calls for.
// All numbers are little-endian. Tags are never reused.
//
//   1…6   a text field (Field.rawValue): u16 length, text; length 0xFFFF: the field is cleared
//   16    all attributes: u16 count, then each: u16 length, name, u32 length, JSON text
//   17    one attribute set: u16 length, name, u32 length, JSON text
//   18    one attribute removed: u16 length, name
//
// Values are JSON text already, so that a replay parses nothing and a document is made by copying.

enum FieldTag {
  static let allAttributes: UInt8 = 16
  static let attributeSet: UInt8 = 17
  static let attributeRemoved: UInt8 = 18
  static let cleared: UInt16 = 0xffff
}

extension ContextChanges {
  /// How many bytes ``Swift/OutputSpan/appendFields(_:)`` appends for them.
  var storedByteCount: Int {
    var count = 0
    for change in fields { count += 3 + (change.value?.utf8.count ?? 0) }
    switch attributes {
    case .unchanged: break
    case .replaced(let attributes): count += 3 + attributes.reduce(0) { $0 + $1.storedByteCount }
    case .set(let attribute): count += 1 + attribute.storedByteCount
    case .removed(let name): count += 3 + name.utf8.count
    }
    return count
  }
}

extension SessionContext {
  /// How many bytes ``Swift/OutputSpan/appendFields(_:)`` appends for it.
  var storedByteCount: Int {
    var count = 0
    for field in Field.allCases {
      if let value = self[field] { count += 3 + value.utf8.count }
    }
    return attributes.isEmpty ? count : 3 + attributes.reduce(count) { $0 + $1.storedByteCount }
  }
}

extension Attribute {
  fileprivate var storedByteCount: Int { 6 + name.utf8.count + value.count }
}

extension OutputSpan<UInt8> {
  @_lifetime(self: copy self)
  mutating func appendFields(_ changes: ContextChanges) {
    for change in changes.fields {
      append(change.field.rawValue)
      if let value = change.value { appendText(value) } else { appendLittleEndian(FieldTag.cleared) }
    }
    switch changes.attributes {
    case .unchanged:
      break
    case .replaced(let attributes):
      appendAttributes(attributes)
    case .set(let attribute):
      append(FieldTag.attributeSet)
      appendAttribute(attribute)
    case .removed(let name):
      append(FieldTag.attributeRemoved)
      appendText(name)
    }
  }

  @_lifetime(self: copy self)
  mutating func appendFields(_ context: SessionContext) {
    for field in Field.allCases {
      guard let value = context[field] else { continue }
      append(field.rawValue)
      appendText(value)
    }
    if !context.attributes.isEmpty { appendAttributes(context.attributes) }
  }

  @_lifetime(self: copy self)
  private mutating func appendAttributes(_ attributes: [Attribute]) {
    append(FieldTag.allAttributes)
    appendLittleEndian(UInt16(attributes.count))
    for attribute in attributes { appendAttribute(attribute) }
  }

  @_lifetime(self: copy self)
  private mutating func appendAttribute(_ attribute: Attribute) {
    appendText(attribute.name)
    appendLittleEndian(UInt32(attribute.value.count))
    append(copying: attribute.value.span)
  }
}

extension RecordReader {
  /// Reads entries up to the record's end.
  @_lifetime(self: copy self)
  mutating func fields() throws(DamagedRecord) -> ContextChanges {
    var changes = ContextChanges()
    while !isAtEnd {
      let tag = try integer(UInt8.self)
      switch tag {
      case FieldTag.allAttributes:
        let count = Int(try integer(UInt16.self))
        var attributes: [Attribute] = []
        for _ in 0..<count { attributes.append(try attribute()) }
        changes.attributes = .replaced(attributes)
      case FieldTag.attributeSet:
        changes.attributes = .set(try attribute())
      case FieldTag.attributeRemoved:
        changes.attributes = .removed(try text())
      default:
        guard let field = Field(rawValue: tag) else { throw DamagedRecord("there is no field number \(tag)") }
        let count = try integer(UInt16.self)
        if changes.fields.isEmpty { changes.fields.reserveCapacity(Field.allCases.count) }
        let value: String? = count == FieldTag.cleared ? nil : try text(count: Int(count))
        changes.fields.append(ContextChanges.FieldChange(field: field, value: value))
      }
    }
    return changes
  }

  @_lifetime(self: copy self)
  private mutating func attribute() throws(DamagedRecord) -> Attribute {
    let name = try text()
    let count = Int(try integer(UInt32.self))
    return Attribute(name: name, value: [UInt8](copying: try bytes(count)))
  }
}
