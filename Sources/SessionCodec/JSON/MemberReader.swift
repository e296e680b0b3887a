internal import CSimdjson
internal import Platform
internal import SessionModel

/// Reads members of a request body by the rules of their fields and collects what is wrong with them.
struct MemberReader {
  /// What is wrong so far.
  private(set) var problems = FieldProblems()
  private let limits: BodyLimits

  init(limits: BodyLimits) {
    self.limits = limits
  }

  /// Notes that `field` is wrong.
  mutating func refuse(_ field: String, _ what: String) {
    problems.add(field, what)
  }

  /// The text of a field, nil for null and for one that is refused.
  mutating func text(_ member: JSONMember, of field: Field) -> String? {
    guard let text = text(member, field: field.name) else { return nil }
    let isWellFormed =
      switch field {
      case .customerID, .siteCode, .cartID: true
      case .currency: member.text.count == 3 && member.text.holdsOnly(isLetter)
      case .targetLocation: member.text.count == 2 && member.text.holdsOnly(isLetter)
      case .language: (2...35).contains(member.text.count) && member.text.holdsOnly(isLanguageCharacter)
      }
    guard isWellFormed else {
      refuse(field.name, "must be \(field.form)")
      return nil
    }
    return text
  }

  /// The text of a field without a form of its own, nil for null and for one that is refused.
  ///
  /// - Parameter maximumBytes: how long it may be, where that isn't the limit of texts.
  mutating func text(_ member: JSONMember, field: String, maximumBytes: Int? = nil) -> String? {
    switch member.kind {
    case .null:
      return nil
    case .string:
      guard isText(member.text, field: field, maximumBytes: maximumBytes) else { return nil }
      return member.textString
    default:
      refuse(field, "must be a string or null, not \(member.kind.description)")
      return nil
    }
  }

  /// The attribute that `member` is, nil when it is refused.
  mutating func attribute(_ member: JSONMember) -> Attribute? {
    // Once the body is refused with all the details that are given, thousands more would only cost time.
    guard !problems.areMany else { return nil }
    guard !member.name.isEmpty else {
      refuse("context", "the name of an attribute must not be empty")
      return nil
    }
    // The field is only named when something is wrong with it, which costs less than naming each.
    guard isName(member.name, maximumBytes: limits.maximumTextBytes), member.raw.count <= limits.maximumAttributeBytes
    else {
      let field = "context.\(abridged(member.nameString))"
      if isText(member.name, field: field) { _ = value(member, field: field) }
      return nil
    }
    return Attribute(name: member.nameString, value: Array(copying: member.raw))
  }

  /// A name, such as an attribute's, that is sent as a value; nil when it is refused.
  mutating func name(_ member: JSONMember, field: String) -> String? {
    guard member.kind == .string else {
      refuse(field, "must be a string, not \(member.kind.description)")
      return nil
    }
    return text(member, field: field)
  }

  /// The value of an attribute, nil when it is refused.
  mutating func value(_ member: JSONMember, field: String) -> [UInt8]? {
    guard member.raw.count <= limits.maximumAttributeBytes else {
      refuse(field, "has a value of \(member.raw.count) bytes; at most \(limits.maximumAttributeBytes) are allowed")
      return nil
    }
    return Array(copying: member.raw)
  }

  /// A version, nil for null and for one that is refused.
  mutating func version(_ member: JSONMember, field: String) -> Int64? {
    switch member.kind {
    case .null:
      return nil
    case .integer where member.integer >= 0:
      return member.integer
    case .integer, .number:
      refuse(field, "must be an integer from 0 to \(Int64.max)")
    default:
      refuse(field, "must be an integer, not \(member.kind.description)")
    }
    return nil
  }

  /// Refuses a value that is neither an object nor null.
  mutating func requireObject(_ member: JSONMember, field: String) {
    guard member.kind != .object && member.kind != .null else { return }
    refuse(field, "must be an object or null, not \(member.kind.description)")
  }

  private mutating func isText(_ text: Span<UInt8>, field: String, maximumBytes: Int? = nil) -> Bool {
    let maximumBytes = maximumBytes ?? limits.maximumTextBytes
    if isName(text, maximumBytes: maximumBytes) { return true }
    if text.isEmpty {
      refuse(field, "must not be empty")
    } else if text.count > maximumBytes {
      refuse(field, "is \(text.count) bytes long; at most \(maximumBytes) are allowed")
    } else {
      refuse(field, "holds a control character")
    }
    return false
  }
}

private func isName(_ text: Span<UInt8>, maximumBytes: Int) -> Bool {
  (1...maximumBytes).contains(text.count) && !text.holdsControlCharacter
}

extension Field {
  /// What a text of this field has to look like, in words.
  fileprivate var form: String {
    switch self {
    case .customerID, .siteCode, .cartID: "text"
    case .currency: "three ASCII letters such as EUR (ISO 4217)"
    case .targetLocation: "two ASCII letters such as DE (ISO 3166)"
    case .language: "2 to 35 ASCII letters, digits, hyphens or underscores such as de-DE"
    }
  }
}

extension CSimdjsonKind {
  /// The kind with its article, as a message needs it.
  fileprivate var description: String {
    switch self {
    case .null: "null"
    case .boolean: "a boolean"
    case .integer, .number: "a number"
    case .string: "a string"
    case .object: "an object"
    case .array: "an array"
    }
  }
}

extension Span<UInt8> {
  /// Whether the text holds a character below U+0020 or U+007F.
  fileprivate var holdsControlCharacter: Bool {
    for index in indices where self[index] < 0x20 || self[index] == 0x7f { return true }
    return false
  }

  fileprivate func holdsOnly(_ isAllowed: (UInt8) -> Bool) -> Bool {
    for index in indices where !isAllowed(self[index]) { return false }
    return true
  }
}

private func isLetter(_ byte: UInt8) -> Bool {
  (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
}

private func isLanguageCharacter(_ byte: UInt8) -> Bool {
  isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
}
