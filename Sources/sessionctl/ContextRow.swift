internal import Platform
internal import SessionCodec
internal import SessionModel

/// A field of a context, or an attribute, with its value as JSON.
struct ContextRow: Equatable {
  /// The field's name; `context.` and the name for an attribute.
  let name: String
  let json: [UInt8]

  /// The fields that are set, then the attributes, in their order.
  static func list(_ context: SessionContext) -> [ContextRow] {
    let fields = Field.allCases.compactMap { field in
      context[field].map { value in
        var json: [UInt8] = []
        json.appendJSONString(value)
        return ContextRow(name: field.name, json: json)
      }
    }
    return fields + context.attributes.map { ContextRow(name: "context." + $0.name, json: $0.value) }
  }

  /// A field, or an attribute, of which two contexts hold different values; nil where it isn't set.
  struct Difference {
    let name: String
    let old: [UInt8]?
    let new: [UInt8]?
  }

  /// What differs between two contexts: fields in their order, then attributes in the old one's order, then new ones.
  static func differences(from old: SessionContext, to new: SessionContext) -> [Difference] {
    let (before, after) = (list(old), list(new))
    let attributes = (old.attributes + new.attributes).map { "context." + $0.name }
    var seen: Set<[UInt8]> = []
    var differences: [Difference] = []
    for name in Field.allCases.map(\.name) + attributes where seen.insert(Array(name.utf8)).inserted {
      let sides = (find(name, in: before), find(name, in: after))
      if sides.0 != sides.1 { differences.append(Difference(name: name, old: sides.0, new: sides.1)) }
    }
    return differences
  }

  private static func find(_ name: String, in rows: [ContextRow]) -> [UInt8]? {
    rows.first { $0.name.utf8.elementsEqual(name.utf8) }?.json
  }

  /// A value for people.
  static func text(_ json: [UInt8]?) -> String {
    json.map { printable(String(decoding: $0, as: UTF8.self)) } ?? "-"
  }
}
