/// What an event changes of a context: the fields with their new values, nil where one is cleared.
public struct ContextChanges: Equatable, Sendable {
  /// A text field and its new value, nil when it is cleared.
  public struct FieldChange: Equatable, Sendable {
    /// The field that changes.
    public var field: Field
    /// Its new value, nil when it is cleared.
    public var value: String?

    /// The change of `field` to `value`.
    public init(field: Field, value: String?) {
      self.field = field
      self.value = value
    }

    /// Whether both change the same field to the same bytes.
    public static func == (left: FieldChange, right: FieldChange) -> Bool {
      left.field == right.field && left.value.isIdentical(to: right.value)
    }
  }

  /// What happens to the custom attributes.
  public enum AttributesChange: Equatable, Sendable {
    /// They stay as they are.
    case unchanged
    /// All of them are replaced by these; empty: all are cleared.
    case replaced([Attribute])
    /// One is added or overwritten.
    case set(Attribute)
    /// The one of that name is removed.
    case removed(String)
  }

  /// The text fields that change, each at most once.
  public var fields: [FieldChange]
  /// What happens to the custom attributes.
  public var attributes: AttributesChange

  /// Changes of fields and attributes; by default of nothing.
  public init(fields: [FieldChange] = [], attributes: AttributesChange = .unchanged) {
    self.fields = fields
    self.attributes = attributes
  }

  /// What turns `old` into `new`.
  public init(from old: SessionContext, to new: SessionContext) {
    self.init()
    for field in Field.allCases where !old[field].isIdentical(to: new[field]) {
      if fields.isEmpty { fields.reserveCapacity(Field.allCases.count) }
      fields.append(FieldChange(field: field, value: new[field]))
    }
    if old.attributes != new.attributes { attributes = .replaced(new.attributes) }
  }

  /// Carries the changes out on `context`.
  public func apply(to context: inout SessionContext) {
    for change in fields { context[change.field] = change.value }
    switch attributes {
    case .unchanged:
      break
    case .replaced(let attributes):
      context.attributes = attributes
    case .set(let attribute):
      if let index = context.attributeIndex(attribute.name) {
        context.attributes[index].value = attribute.value
      } else {
        context.attributes.append(attribute)
      }
    case .removed(let name):
      context.attributes.removeAll { $0.name.isIdentical(to: name) }
    }
  }
}
