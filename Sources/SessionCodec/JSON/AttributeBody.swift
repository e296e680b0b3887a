public import SessionModel

/// Reads the body of a POST to `attributes` (API contract, section 2), `{"key":…, "value":…}`, or says everything that is
/// wrong with it. The attribute's value is what was sent, byte for byte.
public func readAttributeBody(
  _ body: Span<UInt8>, limits: BodyLimits = BodyLimits()
) -> Result<Attribute, BodyProblem> {
  let document = JSONDocument(body, maximumDepth: limits.maximumDepth, expand: false)
  if let problem = BodyProblem(document, body: body, limits: limits) { return .failure(problem) }
  var reader = MemberReader(limits: limits)
  var name: String?
  var value: [UInt8]?
  var isKeySent = false
  var isValueSent = false
  for index in 0..<document.count {
    let member = document[index]
    switch member.name {
    case "key":
      isKeySent = true
      name = reader.name(member, field: "key")
    case "value":
      isValueSent = true
      value = reader.value(member, field: "value")
    default:
      break
    }
  }
  if !isKeySent { reader.refuse("key", "is missing") }
  if !isValueSent { reader.refuse("value", "is missing") }
  if let problem = reader.problems.problem { return .failure(problem) }
  guard let name, let value else { preconditionFailure("a part of the body is neither read nor refused") }
  return .success(Attribute(name: name, value: value))
}
