internal import CSimdjson
internal import Platform
public import SessionModel

/// What a CloudEvent of the type `session.erased.v1` says.
public struct ErasedEvent: Equatable, Sendable {
  /// Whose session was erased.
  public var tenant: TenantID
  /// The session.
  public var sessionID: SessionID
  /// The position of the event in the tenant's log.
  public var position: UInt64
  /// When it was recorded.
  public var recordedAt: Instant

  /// An event of those parts.
  public init(tenant: TenantID, sessionID: SessionID, position: UInt64, recordedAt: Instant) {
    self.tenant = tenant
    self.sessionID = sessionID
    self.position = position
    self.recordedAt = recordedAt
  }
}

/// Reads an event as the feed gives it (API contract, section 4): nil for one of another type; or says what is wrong.
public func readErasedEvent(_ json: Span<UInt8>) -> Result<ErasedEvent?, BodyProblem> {
  let limits = BodyLimits()
  let document = JSONDocument(json, maximumDepth: limits.maximumDepth + 2, expand: false)
  if let problem = BodyProblem(document, body: json, limits: limits) { return .failure(problem) }
  var texts: [String: String] = [:]
  var position: Int64 = 0
  for index in 0..<document.count {
    let member = document[index]
    switch member.name {
    case "type", "source", "subject", "time":
      if member.kind == .string { texts[member.nameString] = member.textString }
    case "position" where member.kind == .integer: position = member.integer
    default: break
    }
  }
  guard let type = texts["type"] else {
    return .failure(BodyProblem(message: "It is no event", details: ["type: is missing"]))
  }
  guard type == Event.Kind.erased.name else { return .success(nil) }
  let source = "/session-context/"
  guard let name = texts["source"], name.hasPrefix(source), let tenant = TenantID(String(name.dropFirst(source.count))),
    let session = texts["subject"].flatMap({ SessionID($0) }),
    let time = texts["time"].flatMap({ Instant(rfc3339: $0) }), position > 0
  else {
    return .failure(
      BodyProblem(message: "It is no event", details: ["source, subject, time, position: must be an event's"]))
  }
  return .success(ErasedEvent(tenant: tenant, sessionID: session, position: UInt64(position), recordedAt: time))
}
