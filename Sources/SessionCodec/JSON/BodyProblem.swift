internal import CSimdjson

/// Why a request body is refused, for the answer 400.
public struct BodyProblem: Error, Equatable, Sendable {
  /// How many details are given at most.
  public static let maximumDetails = 10

  /// What is wrong in general.
  public let message: String
  /// What is wrong with each field, as `field: what is wrong`; at least one and at most ``maximumDetails``.
  public let details: [String]

  init(message: String, details: [String]) {
    self.message = message
    self.details = details
  }
}

extension BodyProblem {
  /// The problem that `document` is refused for, nil when there is none.
  init?(_ document: borrowing JSONDocument, body: Span<UInt8>, limits: BodyLimits) {
    let offset = document.problemOffset
    switch document.problem {
    case .none: return nil
    case .unavailable: fatalError("simdjson cannot read a request body: no memory, or no support for this processor")
    case .tooLarge: self.init(body: "is larger than \(csimdjson_maximum_bytes) bytes")
    case .empty: self.init(body: "is empty; a JSON object is expected")
    case .notAnObject: self.init(body: "must be a JSON object")
    case .byteOrderMark: self.init(body: "begins with a byte order mark; send UTF-8 without one")
    case .invalidUTF8: self.init(body: "invalid UTF-8 near byte \(invalidUTF8Offset(body))")
    case .unexpected: self.init(json: "unexpected character", at: offset)
    case .scalar: self.init(json: "neither a number nor true, false or null", at: offset)
    case .escape: self.init(json: "invalid escape in a string", at: offset)
    case .loneSurrogate: self.init(json: "half of a surrogate pair in a string", at: offset)
    case .controlCharacter: self.init(json: "control character in a string, which must be escaped", at: offset)
    case .unterminatedString: self.init(json: "string without an end", at: offset)
    case .truncated: self.init(json: "the text ends inside an object or array", at: offset)
    case .trailing: self.init(json: "more text after the object", at: offset)
    case .tooDeep:
      self.init(path: document.problemPath, "nests deeper than \(limits.maximumDepth) levels")
    case .duplicateName:
      self.init(path: document.problemPath + [document.problemName], "occurs more than once in its object")
    }
  }

  private init(body what: String) {
    self.init(path: ["body"], what)
  }

  private init(json what: String, at offset: Int) {
    self.init(body: "invalid JSON near byte \(offset): \(what)")
  }

  private init(path: [String], _ what: String) {
    let field = path.map(abridged).joined(separator: ".")
    self.init(message: BodyProblem.unreadable, details: ["\(field): \(what)"])
  }

  private static let unreadable = "The request body cannot be read"
}

/// The problems of single fields, collected so that a caller learns of all at once.
struct FieldProblems {
  private var details: [String] = []

  /// Notes that `field` is wrong.
  mutating func add(_ field: String, _ what: String) {
    guard !areMany else { return }
    details.append("\(field): \(what)")
  }

  /// Whether there are as many as are told.
  var areMany: Bool { details.count >= BodyProblem.maximumDetails }

  /// All of them, nil when there are none.
  var problem: BodyProblem? {
    details.isEmpty ? nil : BodyProblem(message: "The request body has invalid fields", details: details)
  }
}

/// A name of the caller's in a form that fits in a message: at most 40 characters, none of them a control character.
func abridged(_ name: String) -> String {
  let visible = name.unicodeScalars.prefix(41).map { $0.properties.generalCategory == .control ? "\u{fffd}" : $0 }
  var text = String(String.UnicodeScalarView(visible.prefix(40)))
  if visible.count > 40 { text += "…" }
  return text
}

private func invalidUTF8Offset(_ body: Span<UInt8>) -> Int {
  do throws(UTF8.ValidationError) {
    _ = try UTF8Span(validating: body)
    return 0
  } catch {
    return error.byteOffsets.lowerBound
  }
}
