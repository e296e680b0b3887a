internal import CSimdjson
public import SessionModel

/// What the body of a PUT or PATCH asks for.
public struct ContextBody: Equatable, Sendable {
  /// The session that it names, which has to be the one of the path.
  public var sessionID: String?
  /// The version that it means to change: `metadata.version`.
  public var version: Int64?
  /// The fields that were sent, in that order: one that was null is cleared, and a `context` replaces all attributes.
  public var changes: ContextChanges

  /// A body of those parts; by default an empty one.
  public init(sessionID: String? = nil, version: Int64? = nil, changes: ContextChanges = ContextChanges()) {
    self.sessionID = sessionID
    self.version = version
    self.changes = changes
  }
}

/// Reads the body of a PUT or PATCH (API contract, section 1), or says everything that is wrong with it.
///
/// Unknown fields are passed over, and so is everything in `metadata` but the version. They have to be valid JSON all
/// the same, and names must not occur twice in any object.
public func readContextBody(_ body: Span<UInt8>, limits: BodyLimits = BodyLimits()) -> Result<ContextBody, BodyProblem>
{
  let document = JSONDocument(body, maximumDepth: limits.maximumDepth, expand: true)
  if let problem = BodyProblem(document, body: body, limits: limits) { return .failure(problem) }
  var reader = MemberReader(limits: limits)
  var result = ContextBody()
  result.changes.fields.reserveCapacity(Field.allCases.count)
  var attributes: [Attribute]?
  for index in 0..<document.count {
    let member = document[index]
    switch member.container {
    case .top:
      if let field = Field(named: member.name) {
        let value = reader.text(member, of: field)
        result.changes.fields.append(ContextChanges.FieldChange(field: field, value: value))
        continue
      }
      switch member.name {
      case "sessionId":
        // As long as in a path, since documents are sent back whole.
        result.sessionID = reader.text(member, field: "sessionId", maximumBytes: String.nameBytes.upperBound)
      case "context":
        reader.requireObject(member, field: "context")
        attributes = []
        attributes?.reserveCapacity(min(document.count(after: index, in: .context), limits.maximumAttributes))
      case "metadata":
        reader.requireObject(member, field: "metadata")
      default:
        break
      }
    case .metadata:
      if "version" ~= member.name { result.version = reader.version(member, field: "metadata.version") }
    case .context:
      if let attribute = reader.attribute(member) { attributes?.append(attribute) }
    }
  }
  if let attributes {
    if attributes.count > limits.maximumAttributes {
      reader.refuse(
        "context", "has \(attributes.count) attributes; at most \(limits.maximumAttributes) are allowed")
    }
    result.changes.attributes = .replaced(attributes)
  }
  if let problem = reader.problems.problem { return .failure(problem) }
  return .success(result)
}

extension Field {
  fileprivate init?(named name: Span<UInt8>) {
    switch name {
    case "customerId": self = .customerID
    case "siteCode": self = .siteCode
    case "currency": self = .currency
    case "cartId": self = .cartID
    case "targetLocation": self = .targetLocation
    case "language": self = .language
    default: return nil
    }
  }
}
