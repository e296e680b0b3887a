internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

extension Event.Kind {
  /// The type's name without what all have in common: `patched` for `session.patched.v1`.
  var shortName: String {
    String(name.dropFirst("session.".count).prefix { $0 != "." })
  }

  /// The kind of that name, in full or short.
  init?(text: String) {
    guard let kind = Self.allCases.first(where: { $0.name == text || $0.shortName == text }) else { return nil }
    self = kind
  }
}

extension RecordedEvent {
  /// Who asked for it, for people.
  var actorText: String {
    event.origin.actor.isEmpty ? "-" : printable(event.origin.actor)
  }

  /// What it changed, for people: `currency="USD" cartId=null context.a=1`.
  var changesText: String {
    if isErased { return "(erased)" }
    var parts = event.changes.fields.map { change in
      var json: [UInt8] = []
      if let value = change.value { json.appendJSONString(value) } else { json.append(contentsOf: "null".utf8) }
      return "\(change.field.name)=\(ContextRow.text(json))"
    }
    switch event.changes.attributes {
    case .unchanged: break
    case .replaced(let attributes):
      if attributes.isEmpty { parts.append("context=null") }
      parts += attributes.map(Self.text)
    case .set(let attribute): parts.append(Self.text(attribute))
    case .removed(let name): parts.append("context.\(printable(name))=null")
    }
    return parts.isEmpty ? "-" : parts.joined(separator: " ")
  }

  private static func text(_ attribute: Attribute) -> String {
    "context.\(printable(attribute.name))=\(ContextRow.text(attribute.value))"
  }
}
