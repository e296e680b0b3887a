public import SessionModel

extension SeededRandomness {
  /// A fingerprint; one of few when `few`, so that some are equal.
  public mutating func fingerprint(few: Bool = false) -> Fingerprint {
    few ? Fingerprint(low: number(1...4), high: 0) : Fingerprint(low: next(), high: next())
  }

  /// The mark of a request, often with a key.
  public mutating func requestMark() -> RequestMark {
    RequestMark(fingerprint: fingerprint(few: chance(2)), key: chance(2) ? nil : fingerprint(few: chance(2)))
  }

  /// An attribute with a name that others share.
  public mutating func attribute() -> Attribute {
    Attribute(name: pick(["a", "b", "c", "größe", "x y/z", text(1...12)]), value: jsonValue())
  }

  /// The JSON text of an attribute's value.
  public mutating func jsonValue() -> [UInt8] {
    Array(pick(["1", "true", "null", "[]", "{ \"a\" : [1,2.50] }", "\"\(number(0...99))\"", "-0.0e1"]).utf8)
  }

  /// Attributes, each name once.
  public mutating func attributes(_ count: ClosedRange<Int>) -> [Attribute] {
    var attributes: [Attribute] = []
    for _ in 0..<number(count) {
      let attribute = attribute()
      if !attributes.contains(where: { $0.name == attribute.name }) { attributes.append(attribute) }
    }
    return attributes
  }

  /// Changes of any form.
  public mutating func changes() -> ContextChanges {
    var changes = ContextChanges()
    for field in Field.allCases where chance(2) {
      changes.fields.append(ContextChanges.FieldChange(field: field, value: chance(4) ? nil : text(0...9)))
    }
    switch number(0...3) {
    case 0: changes.attributes = .replaced(attributes(0...5))
    case 1: changes.attributes = .set(attribute())
    case 2: changes.attributes = .removed(attribute().name)
    default: break
    }
    return changes
  }

  /// A context with any fields set.
  public mutating func context() -> SessionContext {
    var context = SessionContext()
    for field in Field.allCases where chance(2) { context[field] = text(0...9) }
    context.attributes = attributes(0...6)
    return context
  }

  /// An event of any kind, with any changes.
  public mutating func event(_ session: SessionID, position: UInt64 = 1, at microseconds: Int64 = 0) -> Event {
    Event(
      position: position, previousPosition: number(0...9), life: number(1...3), version: number(1 ... .max),
      recordedAt: Instant(microseconds: microseconds), sessionID: session, kind: pick(Event.Kind.allCases),
      changes: changes(), origin: Origin(actor: text(0...9), requestID: text(0...9), traceParent: text(0...9)),
      request: chance(3) ? nil : requestMark())
  }

  /// A state with any parts.
  public mutating func session() -> Session {
    Session(
      life: number(1 ... .max), version: number(1 ... .max), status: pick([.active, .ended, .expired, .erased]),
      context: context(), createdAt: instant(), modifiedAt: instant(), activeAt: instant(),
      lastPosition: next(), eventCount: next(), lastRequest: chance(2) ? nil : fingerprint(),
      acceptedRequests: (0..<number(0...Session.rememberedEvents)).map { _ in
        Session.AcceptedRequest(
          number: next(), key: fingerprint(), fingerprint: fingerprint(), version: number(0 ... .max))
      })
  }

  /// Any point in time.
  public mutating func instant() -> Instant { Instant(microseconds: number(.min ... .max)) }
}
