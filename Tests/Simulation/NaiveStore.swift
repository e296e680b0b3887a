import Platform
import SessionModel
import TestSupport

@testable import SessionStore

/// A second, plain account of what the store must answer and hold: dictionaries and whole histories, one command after
/// the other, the rules written down once more from the API contract. Shares nothing with the decider, the fold or the
/// log.
struct NaiveStore {
  /// An event as the log must have it. Its changes are spelled out whole, whatever the log's own are.
  struct Entry {
    var event: Event
    var isErased = false

    /// What is left of it for those who read the past.
    var visible: Event {
      guard isErased else { return event }
      var event = event
      (event.changes, event.origin, event.request) = (ContextChanges(), Origin(actor: ""), nil)
      return event
    }
  }

  struct Tenant {
    var log: [Entry] = []
    var sessions: [String: NaiveSession] = [:]
    /// The positions of each session's events, in order.
    var positions: [String: [Int]] = [:]
    /// The sessions that carry or carried each customer's id.
    var carriers: [String: Set<String>] = [:]

    func events(_ id: String) -> [Entry] { (positions[id] ?? []).map { log[$0 - 1] } }
  }

  /// What a task must come to.
  enum Outcome {
    case command(CommandOutcome)
    /// The sessions with the positions that lose their payload and that of the event that says so.
    case erased([(id: String, lost: [UInt64], position: UInt64)], at: Instant, tail: UInt64)
  }

  let rules: DecisionRules
  var tenants: [TenantID: Tenant] = [:]

  init(rules: DecisionRules) {
    self.rules = rules
  }

  // MARK: Tasks

  mutating func run(_ task: WriterTask, of tenant: TenantID, at time: Int64) -> Outcome {
    switch task {
    case .change(let command): return .command(change(command, tenant, time))
    case .erase(let subject, let origin): return erase(subject, origin, tenant, time)
    }
  }

  /// The time at which a tenant is looked at and written to: not before its last event.
  func now(_ tenant: TenantID, _ time: Int64) -> Int64 {
    max(time, tenants[tenant]?.log.last?.event.recordedAt.microseconds ?? time)
  }

  private mutating func erase(
    _ subject: ErasureSubject, _ origin: Origin, _ tenant: TenantID, _ time: Int64
  ) -> Outcome {
    var ids: [String]
    switch subject {
    case .session(let id):
      ids = [id.description]
      if session(tenant, ids[0]).status == "none" { return .command(.rejected(.sessionNotFound)) }
    case .customer(let customer):
      ids = (tenants[tenant]?.carriers[customer] ?? []).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
    ids.removeAll { session(tenant, $0).status == "erased" }
    var done: [(id: String, lost: [UInt64], position: UInt64)] = []
    for id in ids {
      guard let name = SessionID(id) else { continue }
      let lost = payloads(tenant, id)
      let command = Command(sessionID: name, action: .erase(closedBy: nil), request: nil, origin: origin)
      guard case .accepted(_, let position) = change(command, tenant, time) else { continue }
      done.append((id, lost, position))
    }
    let log = tenants[tenant]?.log ?? []
    let erasedAt = done.isEmpty ? time : log.last?.event.recordedAt.microseconds ?? time
    return .erased(done, at: Instant(microseconds: erasedAt), tail: UInt64(log.count))
  }

  /// The positions of a session's events that hold something, since it was last erased.
  private func payloads(_ tenant: TenantID, _ id: String) -> [UInt64] {
    let events = tenants[tenant]?.events(id) ?? []
    let start = events.lastIndex { $0.event.kind == .erased }.map { $0 + 1 } ?? 0
    return events[start...].filter { !$0.isErased }.map(\.event.position)
  }

  func session(_ tenant: TenantID, _ id: String) -> NaiveSession { tenants[tenant]?.sessions[id] ?? NaiveSession() }

  func openSessions(_ tenant: TenantID) -> Int {
    tenants[tenant]?.sessions.values.count { $0.status == "active" } ?? 0
  }

  func isLive(_ session: NaiveSession, at now: Int64) -> Bool {
    guard session.status == "active", let active = session.times["active"] else { return false }
    let seconds = timeToLive(session)
    return seconds == 0 || now < active + seconds * 1_000_000
  }

  func timeToLive(_ session: NaiveSession) -> Int64 {
    session.fields["customerId"] == nil ? rules.timeToLive.anonymousSeconds : rules.timeToLive.customerSeconds
  }

  // MARK: Commands

  private mutating func change(_ command: Command, _ tenant: TenantID, _ time: Int64) -> CommandOutcome {
    let now = now(tenant, time)
    let id = command.sessionID.description
    let session = session(tenant, id)
    if let key = command.request?.key,
      let before = session.moves.suffix(32).compactMap({ $0 }).last(where: { $0.key == key })
    {
      return before.fingerprint == command.request?.fingerprint
        ? .alreadyApplied(version: before.version) : .rejected(.idempotencyKeyReused)
    }
    switch command.action {
    case .expire:
      if session.status == "none" { return .rejected(.sessionNotFound) }
      if session.status != "active" || isLive(session, at: now) { return .alreadyApplied(version: session.version) }
      return add(.expired, command, tenant, session, now)
    case .erase(let closedBy):
      if session.status == "none" { return .rejected(.sessionNotFound) }
      if session.status == "erased" { return .alreadyApplied(version: session.version) }
      if let closedBy, session.status == "active" || session.times["modified"] ?? 0 > closedBy.microseconds {
        return .alreadyApplied(version: session.version)
      }
      return add(.erased, command, tenant, session, now)
    default: break
    }
    guard isLive(session, at: now) else { return begin(command, tenant, session, now) }
    if let rejection = checkCustomer(command, session) { return .rejected(rejection) }
    if command.request?.key == nil, repeats(command, session) { return .alreadyApplied(version: session.version) }
    if let rejection = checkBelief(command, session) { return .rejected(rejection) }
    return change(command, tenant, session, now)
  }

  private mutating func begin(
    _ command: Command, _ tenant: TenantID, _ session: NaiveSession, _ now: Int64
  ) -> CommandOutcome {
    if session.status == "ended", now < (session.times["active"] ?? 0) + rules.tombstoneSeconds * 1_000_000 {
      return .rejected(.sessionEnded)
    }
    let context: SessionContext
    switch command.action {
    case .begin(let sent), .replace(let sent, upsert: true): context = sent
    default: return .rejected(.sessionNotFound)
    }
    if let rejection = checkCustomer(command, NaiveSession()) { return .rejected(rejection) }
    if command.precondition.ifMatch != nil { return .rejected(.preconditionFailed(current: nil)) }
    var session = session
    if session.status == "active" {
      let expiry = Command(sessionID: command.sessionID, action: .expire, request: nil, origin: Origin(actor: "expiry"))
      _ = add(.expired, expiry, tenant, session, now)
      session = self.session(tenant, command.sessionID.description)
    }
    let maximum = rules.maximumSessions
    if maximum > 0, openSessions(tenant) >= maximum {
      return .rejected(.tooManySessions(maximum: maximum))
    }
    return add(.started, command, tenant, session, now, context)
  }

  private func checkCustomer(_ command: Command, _ session: NaiveSession) -> Rejection? {
    var sent: String?
    switch command.action {
    case .replace(let context, _): sent = context.customerID
    case .patch(let changes):
      for change in changes.fields where change.field == .customerID { sent = change.value }
    default: return nil
    }
    let involved = [session.fields["customerId"], sent].compactMap { $0 }
    if involved.isEmpty { return nil }
    switch command.customerProof {
    case .notRequired: return nil
    case .missing: return .customerProofMissing
    case .customer(let name): return involved.allSatisfy { $0 == name } ? nil : .customerProofMismatch
    }
  }

  private func repeats(_ command: Command, _ session: NaiveSession) -> Bool {
    guard let mark = command.request, mark.fingerprint == session.lastFingerprint else { return false }
    switch command.action {
    case .replace(_, let upsert): return upsert && session.version == 1 || names(command, session.version - 1)
    case .patch: return names(command, session.version - 1)
    default: return false
    }
  }

  private func names(_ command: Command, _ version: UInt32) -> Bool {
    if let expected = command.precondition.expectedVersion { return expected == Int64(version) }
    if case .oneOf(let versions)? = command.precondition.ifMatch { return versions.contains(version) }
    return false
  }

  private func checkBelief(_ command: Command, _ session: NaiveSession) -> Rejection? {
    func holds(_ versions: Precondition.Versions) -> Bool {
      if case .oneOf(let versions) = versions { return versions.contains(session.version) }
      return true
    }
    let belief = command.precondition
    if let ifMatch = belief.ifMatch, !holds(ifMatch) { return .preconditionFailed(current: session.version) }
    if let ifNoneMatch = belief.ifNoneMatch, holds(ifNoneMatch) { return .preconditionFailed(current: session.version) }
    switch command.action {
    case .replace, .patch: break
    default: return nil
    }
    guard let expected = belief.expectedVersion else { return belief.ifMatch == nil ? .versionRequired : nil }
    return expected == Int64(session.version) ? nil : .versionConflict(sent: expected, current: session.version)
  }

  private mutating func change(
    _ command: Command, _ tenant: TenantID, _ session: NaiveSession, _ now: Int64
  ) -> CommandOutcome {
    var context = context(of: session)
    let kind: Event.Kind
    switch command.action {
    case .begin: return .alreadyApplied(version: session.version)
    case .touch:
      let seconds = timeToLive(session)
      guard seconds > 0, now >= (session.times["active"] ?? 0) + seconds * 100_000 else {
        return .alreadyApplied(version: session.version)
      }
      kind = .touched
    case .end: kind = .ended
    case .replace(let sent, _): (kind, context) = (.replaced, sent)
    case .patch(let changes):
      kind = .patched
      for change in changes.fields { context[change.field] = change.value }
      if case .replaced(let attributes) = changes.attributes { context.attributes = attributes }
    case .setAttribute(let attribute):
      kind = .attributeSet
      if let index = context.attributes.firstIndex(where: { isSame($0.name, attribute.name) }) {
        context.attributes[index] = attribute
      } else {
        guard context.attributes.count < rules.maximumAttributes else {
          return .rejected(.tooManyAttributes(maximum: rules.maximumAttributes))
        }
        context.attributes.append(attribute)
      }
    case .removeAttribute(let name):
      kind = .attributeRemoved
      guard let index = context.attributes.firstIndex(where: { isSame($0.name, name) }) else {
        return .rejected(.attributeNotFound(name))
      }
      context.attributes.remove(at: index)
    case .expire, .erase: preconditionFailure("decided on before")
    }
    return add(kind, command, tenant, session, now, context)
  }

  /// Names that look alike are two names.
  private func isSame(_ name: String, _ other: String) -> Bool { Array(name.utf8) == Array(other.utf8) }

  private func context(of session: NaiveSession) -> SessionContext {
    var context = SessionContext()
    for field in Field.allCases { context[field] = session.fields[field.name] }
    context.attributes = session.attributeOrder.map { name in
      Attribute(name: String(decoding: name, as: UTF8.self), value: session.attributes[name] ?? [])
    }
    return context
  }

  /// Adds the event of an accepted command; without a context it changes none.
  private mutating func add(
    _ kind: Event.Kind, _ command: Command, _ tenant: TenantID, _ session: NaiveSession, _ now: Int64,
    _ context: SessionContext? = nil
  ) -> CommandOutcome {
    let id = command.sessionID.description
    var changes = ContextChanges()
    if let context, [.started, .replaced, .patched, .attributeSet, .attributeRemoved].contains(kind) {
      changes.fields = Field.allCases.map { ContextChanges.FieldChange(field: $0, value: context[$0]) }
      changes.attributes = .replaced(context.attributes)
    }
    var log = tenants[tenant] ?? Tenant()
    let isNew = kind == .started
    let event = Event(
      position: UInt64(log.log.count + 1), previousPosition: session.lastPosition,
      life: isNew ? session.life + 1 : session.life,
      version: isNew ? 1 : kind == .touched ? session.version : session.version + 1,
      recordedAt: Instant(microseconds: now), sessionID: command.sessionID, kind: kind, changes: changes,
      origin: command.origin, request: command.request)
    log.log.append(Entry(event: event))
    log.sessions[id, default: NaiveSession()].add(event)
    log.positions[id, default: []].append(log.log.count)
    if kind == .erased {
      for position in payloads(tenant, id) { log.log[Int(position) - 1].isErased = true }
      for customer in log.carriers.keys { log.carriers[customer]?.remove(id) }
    } else if let customer = context?.customerID, !changes.fields.isEmpty {
      log.carriers[customer, default: []].insert(id)
    }
    tenants[tenant] = log
    return .accepted(version: event.version, position: event.position)
  }

  // MARK: Once

  /// A request that was sent again and applied twice although nothing excuses that, nil without one.
  ///
  /// An erasure forgets requests, and so do 32 later changes. Without a key a request is only known to the life that it
  /// changed, and only where it named the one version that it meant to change.
  func appliedTwice() -> String? {
    for (tenant, log) in tenants {
      for (id, positions) in log.positions {
        var seen: [String: (event: Event, moves: Int)] = [:]
        var moves = 0
        for position in positions {
          let event = log.log[position - 1].event
          if event.kind == .erased { seen = [:] }
          if event.kind != .touched { moves += 1 }
          let hasKey = event.request?.key != nil && event.kind != .touched
          let isNamed = [.replaced, .patched].contains(event.kind) && event.origin.requestID.contains("@")
          guard hasKey || isNamed else { continue }
          let before = seen.updateValue((event, moves), forKey: event.origin.requestID)
          guard let before,
            hasKey ? moves - before.moves < 32 : before.event.life == event.life
          else { continue }
          return "\(tenant), session \(id): a request is applied twice: \(before.event), \(event)"
        }
      }
    }
    return nil
  }

  // MARK: The past

  /// A session as the events up to a time tell, those of its life alone; nil when it could not be read then.
  func past(_ tenant: TenantID, _ id: String, at time: Int64) -> (session: NaiveSession, isErased: Bool)? {
    let all = tenants[tenant]?.events(id) ?? []
    let events = all.prefix { $0.event.recordedAt.microseconds <= time }
    guard let start = events.lastIndex(where: { $0.event.kind == .started }) else { return nil }
    let session = NaiveSession(events[start...].map(\.visible))
    // What happened next in the same life happened to a session that was there all the while.
    let next = events.endIndex < all.endIndex ? all[events.endIndex].event : nil
    let wentOn =
      next.map { $0.life == all[start].event.life && ![.started, .expired, .erased].contains($0.kind) } ?? false
    return wentOn || isLive(session, at: time) ? (session, events[start...].contains(where: \.isErased)) : nil
  }
}
