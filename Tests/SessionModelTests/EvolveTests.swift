import SessionModel
import Testing
import TestSupport

@Suite("evolve") struct EvolveTests {
  @Test("a fold over any history comes to what a plain model comes to", arguments: propertySeeds())
  func naiveModel(_ seed: UInt64) {
    var randomness = SeededRandomness(seed: seed)
    for round in 0..<150 {
      var history: [Event] = []
      var state: Session?
      var time: Int64 = 0
      for position in 1...randomness.number(1...70) {
        time += randomness.number(0...5)
        let event = randomness.event(Given.session, position: UInt64(position), at: time)
        history.append(event)
        evolve(&state, event)
        if let difference = NaiveSession(history).difference(to: state) {
          Issue.record("seed \(seed), round \(round), event \(position): \(difference)")
          return
        }
      }
    }
  }

  @Test("every kind of event folds on every kind of state", arguments: propertySeeds())
  func total(_ seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    for kind in Event.Kind.allCases {
      for status in [nil, .active, .ended, .expired, .erased] as [Session.Status?] {
        for _ in 0..<20 {
          var state = status == nil ? nil : randomness.session()
          if let status { state?.status = status }
          state?.eventCount = randomness.number(0...100)
          var event = randomness.event(Given.session, position: randomness.next())
          event.kind = kind
          var next = state
          evolve(&next, event)
          #expect(next?.lastPosition == event.position)
          #expect(next?.version == (kind.movesVersion || state == nil ? event.version : state?.version))
          #expect(try #require(next).acceptedRequests.count <= Session.rememberedEvents + 1)
        }
      }
    }
  }

  @Test(
    "accepted commands number a life's versions from 1 without gaps, and refused ones change nothing",
    arguments: propertySeeds())
  func commandsAndVersions(_ seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    let rules = DecisionRules(
      timeToLive: TimeToLive(anonymousSeconds: 20, customerSeconds: 40), tombstoneSeconds: 15, maximumAttributes: 4)
    for _ in 0..<60 {
      var state: Session?
      var time = Instant.start
      var position: UInt64 = 0
      for _ in 0..<80 {
        time = time.advanced(bySeconds: randomness.number(0...randomness.pick([1, 8, 30])))
        let command = randomCommand(&randomness, state)
        if decide(command, on: state, at: time, by: rules) == .expireFirst {
          let expired = try #require(state)
          position += 1
          evolve(
            &state,
            Event(
              position: position, previousPosition: expired.lastPosition, life: expired.life,
              version: expired.version + 1, recordedAt: time, sessionID: Given.session, kind: .expired,
              changes: ContextChanges(), origin: .expiry, request: nil))
        }
        switch decide(command, on: state, at: time, by: rules) {
        case .append(let kind, let life, let version, let changes):
          position += 1
          let isNew = kind == .started
          #expect(life == (state?.life ?? 0) + (isNew ? 1 : 0), "seed \(seed)")
          #expect(version == (isNew ? 1 : (state?.version ?? 0) + 1), "seed \(seed)")
          #expect(isNew != (state?.isLive(at: time, timeToLive: rules.timeToLive) ?? false), "seed \(seed)")
          let before = state
          evolve(
            &state,
            Event(
              position: position, previousPosition: state?.lastPosition ?? 0, life: life, version: version,
              recordedAt: time, sessionID: Given.session, kind: kind, changes: changes, origin: command.origin,
              request: command.request))
          let next = try #require(state)
          if kind == .attributeSet {
            let most = max(before?.context.attributes.count ?? 0, rules.maximumAttributes)
            #expect(next.context.attributes.count <= most, "seed \(seed)")
          }
          #expect(isNew || next.createdAt == before?.createdAt, "seed \(seed)")
          #expect(next.modifiedAt == time && next.activeAt == time, "seed \(seed)")
          // The very same command again, at the same time, is either a retry or a change that names no version.
          if command.request?.key != nil {
            #expect(decide(command, on: next, at: time, by: rules) == .alreadyApplied(version: version), "seed \(seed)")
          }
          if case .replace(let context, _) = command.action { #expect(next.context == context, "seed \(seed)") }
        case .alreadyApplied(let version):
          #expect(version > 0, "seed \(seed)")
        case .reject:
          continue
        case .expireFirst:
          Issue.record("the expiry has been recorded, seed \(seed)")
        }
      }
    }
  }

  private func randomCommand(_ randomness: inout SeededRandomness, _ state: Session?) -> Command {
    let action: Command.Action
    switch randomness.number(0...6) {
    case 0, 1: action = .replace(randomness.context(), upsert: randomness.chance(2))
    case 2, 3: action = .patch(randomness.changes())
    case 4: action = .setAttribute(randomness.attribute())
    case 5: action = .removeAttribute(randomness.pick(["a", "b", "c"]))
    default: action = randomness.chance(3) ? .end : .begin(randomness.context())
    }
    var precondition = Precondition()
    if !randomness.chance(5) { precondition.expectedVersion = Int64(state?.version ?? 1) }
    if randomness.chance(5) { precondition.ifMatch = .oneOf([randomness.number(1...3)]) }
    return Command(
      sessionID: Given.session, action: action, precondition: precondition,
      request: RequestMark(
        fingerprint: randomness.fingerprint(), key: randomness.chance(3) ? randomness.fingerprint(few: true) : nil),
      origin: Origin(actor: "test"))
  }

  @Test("a life that is over leaves a skeleton: position, version and keys, and nothing of the context")
  func skeleton() {
    let context = SessionContext([.customerID: "c1", .currency: "EUR"], attributes: [Attribute("a", "1")])
    for kind in [Event.Kind.ended, .expired] {
      let state = Given.started(context, key: key(1)).and(kind).state
      #expect(state?.context == SessionContext())
      #expect(state?.version == 2)
      #expect(state?.lastPosition == 2)
      #expect(state?.acceptedRequests.map(\.key) == [key(1)])
    }
  }

  @Test("erasure leaves nothing that a payload led to: it folds to the same with the payloads and without")
  func erasure() {
    let context = SessionContext([.customerID: "c1"], attributes: [Attribute("a", "1")])
    let given = Given.started(context, key: key(1)).and(.patched, .one(.currency, "EUR"), key: key(2)).and(.touched)
      .and(.ended, key: key(3)).and(.started, .one(.customerID, "c2"), key: key(4)).and(.erased)
    let state = given.state
    #expect(state?.status == .erased)
    #expect(state?.context == SessionContext())
    #expect(state?.acceptedRequests == [])
    #expect(state?.lastRequest == nil)
    #expect(state?.eventCount == 5)
    let emptied = given.events.map { event in
      var event = event
      event.changes = ContextChanges()
      event.request = nil
      event.origin = Origin(actor: "")
      return event
    }
    #expect(emptied.reduce(into: nil as Session?) { evolve(&$0, $1) } == state)
  }

  @Test("an event whose payload was erased folds and keeps version and times")
  func erased() {
    let given = Given.started(SessionContext([.currency: "EUR"])).and(.patched)
    var erased = given.events[1]
    erased.changes = ContextChanges()
    erased.request = nil
    let state = [given.events[0], erased].reduce(into: nil as Session?) { evolve(&$0, $1) }
    #expect(state?.version == 2)
    #expect(state?.modifiedAt == erased.recordedAt)
    #expect(state?.lastRequest == nil)
  }

  @Test("a new life begins with an empty context and its own times, and keeps the keys of the last 32 events")
  func newLife() {
    let given = Given.started(SessionContext([.currency: "EUR"]), key: key(1)).and(.ended).and(.started)
    let state = given.state
    #expect(state?.life == 2)
    #expect(state?.version == 1)
    #expect(state?.status == .active)
    #expect(state?.context == SessionContext())
    #expect(state?.createdAt == given.events[2].recordedAt)
    #expect(state?.acceptedRequests.map(\.key) == [key(1)])
    #expect(state?.eventCount == 3)
  }
}
