public import SessionModel

/// A second, plain account of what events lead to, made of dictionaries; shares nothing with `evolve`.
public struct NaiveSession {
  /// Which life it is.
  public private(set) var life: UInt32 = 0
  /// The version in that life.
  public private(set) var version: UInt32 = 0
  /// `none`, `active`, or what ended the life.
  public private(set) var status = "none"
  /// The fields that are set, by their names in JSON.
  public private(set) var fields: [String: String] = [:]
  /// The names' bytes: two names that look alike are two names.
  public private(set) var attributeOrder: [[UInt8]] = []
  /// The attributes' values by their names' bytes.
  public private(set) var attributes: [[UInt8]: [UInt8]] = [:]
  /// When it was created, modified and active, in microseconds.
  public private(set) var times: [String: Int64] = [:]
  /// The position of its last event.
  public private(set) var lastPosition: UInt64 = 0
  /// What tells the last request from others.
  public private(set) var lastFingerprint: Fingerprint?
  /// One entry per event that moved a version: the key with its fingerprint and version, if there was one.
  public private(set) var moves: [(key: Fingerprint, fingerprint: Fingerprint, version: UInt32)?] = []

  /// What the events of one session lead to, in their order.
  public init(_ history: [Event] = []) {
    for event in history { add(event) }
  }

  /// Takes in the next event.
  public mutating func add(_ event: Event) {
    let time = event.recordedAt.microseconds
    let isFirst = status == "none"
    lastPosition = event.position
    if isFirst || event.kind == .started {
      (life, version, status) = (event.life, event.version, "active")
      (fields, attributeOrder, attributes) = ([:], [], [:])
      times = ["created": time, "modified": time, "active": time]
    } else {
      times["active"] = max(times["active"] ?? time, time)
      if event.kind == .touched { return }
      version = event.version
      times["modified"] = time
    }
    change(event.changes)
    lastFingerprint = event.request.map(\.fingerprint)
    moves.append(event.request.flatMap { mark in mark.key.map { ($0, mark.fingerprint, event.version) } })
    guard !isFirst, [.ended, .expired, .erased].contains(event.kind) else { return }
    status = "\(event.kind)"
    (fields, attributeOrder, attributes) = ([:], [], [:])
    if event.kind == .erased {
      lastFingerprint = nil
      moves = moves.map { _ in nil }
    }
  }

  private mutating func change(_ changes: ContextChanges) {
    for change in changes.fields { fields[change.field.name] = change.value }
    switch changes.attributes {
    case .unchanged: break
    case .replaced(let all):
      attributeOrder = all.map { Array($0.name.utf8) }
      attributes = Dictionary(uniqueKeysWithValues: all.map { (Array($0.name.utf8), $0.value) })
    case .set(let attribute):
      let name = Array(attribute.name.utf8)
      if attributes.updateValue(attribute.value, forKey: name) == nil { attributeOrder.append(name) }
    case .removed(let text):
      let name = Array(text.utf8)
      if attributes.removeValue(forKey: name) != nil { attributeOrder = attributeOrder.filter { $0 != name } }
    }
  }

  /// What is different in `session`, nil when nothing is.
  public func difference(to session: Session?) -> String? {
    guard let session else { return status == "none" ? nil : "there is no session" }
    let stored = Dictionary(
      uniqueKeysWithValues: Field.allCases.compactMap { field in session.context[field].map { (field.name, $0) } })
    let window = moves.suffix(32).compactMap { $0 }
    let checks: [(String, Bool)] = [
      ("life", session.life == life), ("version", session.version == version),
      ("status", "\(session.status)" == status), ("fields", stored == fields),
      ("attribute order", session.context.attributes.map { Array($0.name.utf8) } == attributeOrder),
      ("attributes", session.context.attributes.allSatisfy { attributes[Array($0.name.utf8)] == $0.value }),
      ("created", session.createdAt.microseconds == times["created"]),
      ("modified", session.modifiedAt.microseconds == times["modified"]),
      ("active", session.activeAt.microseconds == times["active"]),
      ("position", session.lastPosition == lastPosition), ("last request", session.lastRequest == lastFingerprint),
      ("count", session.eventCount == UInt64(moves.count)),
      ("keys", session.acceptedRequests.map(\.key) == window.map(\.key)),
      ("fingerprints", session.acceptedRequests.map(\.fingerprint) == window.map(\.fingerprint)),
      ("versions", session.acceptedRequests.map(\.version) == window.map(\.version)),
    ]
    return checks.first { !$0.1 }?.0
  }
}
