import SessionModel
import Testing
import TestSupport

@Suite("decide: beginning, end and expiry") struct DecideLifeTests {
  let euro = SessionContext([.currency: "EUR"])
  let mutations: [Command.Action] = [
    .replace(SessionContext(), upsert: false), .patch(ContextChanges()), .setAttribute(Attribute("a", "1")),
    .removeAttribute("a"), .end,
  ]
  let begun = ContextChanges.one(.currency, "EUR")

  @Test("PUT with upsert, and begin, start an absent session with version 1, whatever version was sent")
  func upsert() {
    let started = Decision.append(kind: .started, life: 1, version: 1, changes: begun)
    #expect(Given.nothing.when(.replace(euro, upsert: true)) == started)
    #expect(Given.nothing.when(.replace(euro, upsert: true), naming: 17) == started)
    #expect(Given.nothing.when(.begin(euro)) == started)
  }

  @Test("without upsert nothing can be done to an absent session")
  func absent() {
    for action in mutations {
      #expect(Given.nothing.when(action, naming: 1) == .reject(.sessionNotFound))
      #expect(Given.nothing.when(action, ifMatch: .any) == .reject(.sessionNotFound))
    }
  }

  @Test("If-Match can't hold for an absent session, If-None-Match always does")
  func preconditionsOnAbsent() {
    #expect(
      Given.nothing.when(.replace(euro, upsert: true), ifMatch: .any) == .reject(.preconditionFailed(current: nil)))
    #expect(
      Given.nothing.when(.replace(euro, upsert: true), ifMatch: .oneOf([1]))
        == .reject(.preconditionFailed(current: nil)))
    #expect(
      Given.nothing.when(.replace(euro, upsert: true), ifNoneMatch: .any)
        == .append(kind: .started, life: 1, version: 1, changes: begun))
  }

  @Test("an ended session refuses every write while its tombstone stands, upsert too")
  func tombstone() {
    let ended = Given.started(euro).and(.ended)
    for action in mutations + [.replace(euro, upsert: true), .begin(euro)] {
      #expect(ended.when(action, naming: 2) == .reject(.sessionEnded))
    }
  }

  @Test("the tombstone falls after its time, to the microsecond; then a new life begins with version 1")
  func tombstoneEnd() {
    let ended = Given.started(euro).and(.ended).ruled { $0.tombstoneSeconds = 60 }
    var time = ended.lastTime.advanced(bySeconds: 60)
    time.microseconds -= 1
    #expect(ended.when(.replace(euro, upsert: true), at: time) == .reject(.sessionEnded))
    #expect(ended.when(.patch(begun), naming: 2, at: time) == .reject(.sessionEnded))
    time.microseconds += 1
    #expect(
      ended.when(.replace(euro, upsert: true), at: time)
        == .append(kind: .started, life: 2, version: 1, changes: begun))
    #expect(ended.when(.patch(begun), naming: 2, at: time) == .reject(.sessionNotFound))
  }

  @Test("without a tombstone's time an ended session can begin again at once")
  func noTombstone() {
    let ended = Given.started(euro).and(.ended).ruled { $0.tombstoneSeconds = 0 }
    #expect(
      ended.when(.begin(SessionContext()), at: ended.lastTime)
        == .append(kind: .started, life: 2, version: 1, changes: ContextChanges()))
  }

  @Test("expiry is exact to the microsecond, and an expired session is an absent one")
  func expiry() {
    let given = Given.started(euro).and(.patched).ruled { $0.timeToLive.anonymousSeconds = 10 }
    var time = given.lastTime.advanced(bySeconds: 10)
    time.microseconds -= 1
    #expect(
      given.when(.patch(ContextChanges()), naming: 2, at: time)
        == .append(kind: .patched, life: 1, version: 3, changes: ContextChanges()))
    #expect(given.state?.isLive(at: time, timeToLive: given.rules.timeToLive) == true)
    time.microseconds += 1
    #expect(given.state?.isLive(at: time, timeToLive: given.rules.timeToLive) == false)
    for action in mutations { #expect(given.when(action, naming: 2, at: time) == .reject(.sessionNotFound)) }
    #expect(given.when(.replace(euro, upsert: true), naming: 2, at: time) == .expireFirst)
    #expect(given.when(.begin(euro), at: time) == .expireFirst)
  }

  @Test("a touch moves the expiry and not the version")
  func touch() {
    let given = Given.started(euro).and(3, times: .touched).ruled { $0.timeToLive.anonymousSeconds = 2 }
    #expect(
      given.when(.patch(ContextChanges()), naming: 1)
        == .append(kind: .patched, life: 1, version: 2, changes: ContextChanges()))
  }

  @Test("a recorded expiry is an absence without a tombstone")
  func recordedExpiry() {
    let expired = Given.started(euro).and(.expired)
    #expect(expired.when(.patch(begun), naming: 2) == .reject(.sessionNotFound))
    #expect(
      expired.when(.replace(euro, upsert: true))
        == .append(kind: .started, life: 2, version: 1, changes: begun))
  }

  @Test("an expiry is recorded from its very instant on, once, as the life's next version")
  func expire() {
    let given = Given.started(euro).and(.patched).ruled { $0.timeToLive.anonymousSeconds = 10 }
    var time = given.lastTime.advanced(bySeconds: 10)
    time.microseconds -= 1
    #expect(given.when(.expire, at: time) == .alreadyApplied(version: 2))
    time.microseconds += 1
    #expect(
      given.when(.expire, at: time) == .append(kind: .expired, life: 1, version: 3, changes: ContextChanges()))
    #expect(given.and(.expired).when(.expire, at: time) == .alreadyApplied(version: 3))
  }

  @Test("activity since an expiry was noticed makes recording it nothing, and so does an end or an endless life")
  func expireOvertaken() {
    let given = Given.started(euro).ruled { $0.timeToLive.anonymousSeconds = 10 }
    let time = given.lastTime.advanced(bySeconds: 10)
    #expect(given.and(.touched).when(.expire, at: time) == .alreadyApplied(version: 1))
    #expect(given.and(.patched, .one(.customerID, "c1")).when(.expire, at: time) == .alreadyApplied(version: 2))
    #expect(given.and(.ended).when(.expire, at: time.advanced(bySeconds: 99)) == .alreadyApplied(version: 2))
    #expect(given.ruled { $0.timeToLive.anonymousSeconds = 0 }.when(.expire, at: time) == .alreadyApplied(version: 1))
    #expect(Given.nothing.when(.expire, at: time) == .reject(.sessionNotFound))
  }

  @Test("erasure is recorded whether the session lives, has expired or was ended, and once")
  func erase() {
    let given = Given.started(euro).and(.patched)
    for (past, version) in [(given, 3 as UInt32), (given.and(.expired), 4), (given.and(.ended), 4)] {
      #expect(
        past.when(.erase(closedBy: nil), at: past.lastTime.advanced(bySeconds: 9_999_999))
          == .append(kind: .erased, life: 1, version: version, changes: ContextChanges()))
      #expect(past.and(.erased).when(.erase(closedBy: nil)) == .alreadyApplied(version: version))
    }
    #expect(Given.nothing.when(.erase(closedBy: nil)) == .reject(.sessionNotFound))
  }

  @Test("retention erases what has been closed for long enough, and nothing that lives again")
  func retention() {
    let given = Given.started(euro)
    let closed = given.and(.ended)
    let time = closed.lastTime
    let earlier = Instant(microseconds: time.microseconds - 1)
    #expect(
      closed.when(.erase(closedBy: time))
        == .append(kind: .erased, life: 1, version: 3, changes: ContextChanges()))
    #expect(closed.when(.erase(closedBy: earlier)) == .alreadyApplied(version: 2))
    #expect(given.when(.erase(closedBy: .init(microseconds: .max))) == .alreadyApplied(version: 1))
    #expect(closed.and(.started).when(.erase(closedBy: .init(microseconds: .max))) == .alreadyApplied(version: 1))
  }

  @Test("an erased session is absent, and has no tombstone: the next upsert begins a new life at once")
  func afterErasure() {
    for given in [Given.started(euro).and(.ended).and(.erased), Given.started(euro).and(.erased)] {
      for action in mutations { #expect(given.when(action, naming: 3) == .reject(.sessionNotFound)) }
      #expect(
        given.when(.replace(euro, upsert: true), at: given.lastTime)
          == .append(kind: .started, life: 2, version: 1, changes: begun))
    }
  }

  @Test("an erased session remembers no idempotency key and no request")
  func erasedMemory() {
    let given = Given.started(euro, key: key(1)).and(.erased)
    #expect(
      given.when(.replace(euro, upsert: true), fingerprint: Given.fingerprint(0), key: key(1))
        == .append(kind: .started, life: 2, version: 1, changes: begun))
  }

  @Test("customers' sessions have a time to live of their own; 0 is for ever")
  func classes() {
    let customer = SessionContext([.customerID: "c1"])
    let later = Instant.start.advanced(bySeconds: 100_000)
    let accepted = Decision.append(kind: .patched, life: 1, version: 2, changes: ContextChanges())
    #expect(Given.started(customer).when(.patch(ContextChanges()), naming: 1, at: later) == accepted)
    #expect(Given.started(euro).when(.patch(ContextChanges()), naming: 1, at: later) == .reject(.sessionNotFound))
    let reversed = TimeToLive(anonymousSeconds: 0, customerSeconds: 5)
    #expect(
      Given.started(customer).ruled { $0.timeToLive = reversed }.when(.patch(ContextChanges()), naming: 1, at: later)
        == .reject(.sessionNotFound))
    #expect(
      Given.started(euro).ruled { $0.timeToLive = reversed }.when(.patch(ContextChanges()), naming: 1, at: later)
        == accepted)
  }

  @Test("login and logout of the customer change the class that expiry goes by")
  func changeOfClass() {
    let login = Given.started(euro).and(.patched, .one(.customerID, "c1"))
    let later = Instant.start.advanced(bySeconds: 100_000)
    #expect(login.state?.isLive(at: later, timeToLive: TimeToLive()) == true)
    let logout = login.and(.patched, .one(.customerID, nil))
    #expect(logout.state?.isLive(at: later, timeToLive: TimeToLive()) == false)
  }

  @Test("a time to live that reaches past the end of time is for ever")
  func hugeTimeToLive() {
    let given = Given.started(euro).ruled { $0.timeToLive.anonymousSeconds = .max }
    #expect(given.state?.isLive(at: Instant(microseconds: .max - 1), timeToLive: given.rules.timeToLive) == true)
    #expect(Instant.start.advanced(bySeconds: .max).microseconds == .max)
  }

  @Test("a tenant with as many open sessions as it may gets no further one")
  func sessionLimit() {
    let limited = Given.nothing.ruled { $0.maximumSessions = 3 }
    let started = Decision.append(kind: .started, life: 1, version: 1, changes: begun)
    #expect(limited.when(.replace(euro, upsert: true), openSessions: 2) == started)
    #expect(limited.when(.replace(euro, upsert: true), openSessions: 3) == .reject(.tooManySessions(maximum: 3)))
    #expect(limited.when(.begin(euro), openSessions: 9) == .reject(.tooManySessions(maximum: 3)))
    #expect(Given.nothing.when(.begin(euro), openSessions: .max) == started)
  }

  @Test("the limit on sessions leaves open sessions alone, and the place of one that has run out goes to its new life")
  func sessionLimitOfExisting() {
    let given = Given.started(euro).ruled {
      $0.maximumSessions = 1
      $0.timeToLive.anonymousSeconds = 10
    }
    #expect(
      given.when(.patch(begun), naming: 1, openSessions: 1)
        == .append(kind: .patched, life: 1, version: 2, changes: ContextChanges()))
    #expect(given.when(.begin(euro), at: given.lastTime.advanced(bySeconds: 10), openSessions: 1) == .expireFirst)
    let expired = given.and(.expired)
    #expect(
      expired.when(.begin(euro), openSessions: 0)
        == .append(kind: .started, life: 2, version: 1, changes: begun))
    #expect(expired.when(.begin(euro), openSessions: 1) == .reject(.tooManySessions(maximum: 1)))
  }

  @Test("what would be refused in any case records no expiry")
  func refusedAfterExpiry() {
    let given = Given.started(euro).ruled { $0.timeToLive.anonymousSeconds = 10 }
    let late = given.lastTime.advanced(bySeconds: 10)
    #expect(given.when(.patch(begun), naming: 1, at: late) == .reject(.sessionNotFound))
    let customers = SessionContext([.customerID: "c1"])
    #expect(
      given.when(.replace(customers, upsert: true), proof: .missing, at: late) == .reject(.customerProofMissing))
    #expect(
      given.when(.replace(euro, upsert: true), ifMatch: .any, at: late) == .reject(.preconditionFailed(current: nil)))
  }
}
