import SessionModel
import Testing
import TestSupport

@Suite("decide: the same request again") struct DecideRetryTests {
  let euro = SessionContext([.currency: "EUR"])
  let dollar = ContextChanges.one(.currency, "USD")

  @Test("a request with a known idempotency key gets its first answer again")
  func key() {
    let given = Given.started(euro, key: SessionModelTests.key(1)).and(.patched, key: SessionModelTests.key(2))
      .and(.patched)
    #expect(
      given.when(.patch(dollar), naming: 1, fingerprint: Given.fingerprint(1), key: SessionModelTests.key(2))
        == .alreadyApplied(version: 2))
    #expect(
      given.when(.replace(euro, upsert: true), fingerprint: Given.fingerprint(0), key: SessionModelTests.key(1))
        == .alreadyApplied(version: 1))
  }

  @Test("a known idempotency key of another request is refused, before anything else is looked at")
  func keyReused() {
    let given = Given.started(SessionContext([.customerID: "c1"]), key: SessionModelTests.key(1))
    #expect(
      given.when(.patch(dollar), naming: 9, proof: .missing, key: SessionModelTests.key(1))
        == .reject(.idempotencyKeyReused))
    #expect(
      given.and(.ended).when(.replace(euro, upsert: true), key: SessionModelTests.key(1))
        == .reject(.idempotencyKeyReused))
  }

  @Test("an unknown idempotency key changes nothing about a request")
  func keyUnknown() {
    #expect(
      Given.started(euro, key: SessionModelTests.key(1)).when(.patch(dollar), naming: 1, key: SessionModelTests.key(2))
        == .append(kind: .patched, life: 1, version: 2, changes: dollar))
    #expect(
      Given.nothing.when(.patch(dollar), naming: 1, key: SessionModelTests.key(2)) == .reject(.sessionNotFound))
  }

  @Test("the answer to a key is given again after the session's end, and while its new life goes on")
  func keyOverLives() {
    let ended = Given.started(euro, key: SessionModelTests.key(1)).and(.ended, key: SessionModelTests.key(2))
    #expect(
      ended.when(.end, fingerprint: Given.fingerprint(1), key: SessionModelTests.key(2))
        == .alreadyApplied(version: 2))
    let reborn = ended.and(.started, key: SessionModelTests.key(3))
    #expect(
      reborn.when(.end, fingerprint: Given.fingerprint(1), key: SessionModelTests.key(2))
        == .alreadyApplied(version: 2))
    #expect(
      reborn.when(.replace(euro, upsert: true), fingerprint: Given.fingerprint(2), key: SessionModelTests.key(3))
        == .alreadyApplied(version: 1))
  }

  @Test("the key of one of the last 32 events is known, the one before is forgotten")
  func window() {
    let keyed = Given.started(euro, key: SessionModelTests.key(1))
    func again(_ given: Given) -> Decision {
      given.when(.replace(euro, upsert: true), fingerprint: Given.fingerprint(0), key: SessionModelTests.key(1))
    }
    #expect(again(keyed.and(31, times: .patched)) == .alreadyApplied(version: 1))
    #expect(again(keyed.and(32, times: .patched)) == .reject(.versionRequired))
    // Touches are no accepted requests, so they don't push a key out.
    #expect(again(keyed.and(31, times: .patched).and(40, times: .touched)) == .alreadyApplied(version: 1))
  }

  @Test("every key of the last 32 events is known, each with the version that it led to")
  func wholeWindow() {
    var given = Given.started(euro, key: SessionModelTests.key(0))
    for number in 1..<40 { given = given.and(.patched, key: SessionModelTests.key(UInt64(number))) }
    for number in 0..<40 {
      let decision = given.when(
        .patch(dollar), naming: 40, fingerprint: Given.fingerprint(number), key: SessionModelTests.key(UInt64(number)))
      if number >= 8 {
        #expect(decision == .alreadyApplied(version: UInt32(number + 1)))
      } else {
        #expect(decision == .append(kind: .patched, life: 1, version: 41, changes: dollar))
      }
    }
    #expect(given.state?.acceptedRequests.count == 32)
  }

  @Test(
    "without a key, the PUT or PATCH that led to the current version is known again",
    arguments: [
      Command.Action.replace(SessionContext([.currency: "EUR"]), upsert: false),
      .replace(SessionContext([.currency: "EUR"]), upsert: true), .patch(ContextChanges.one(.currency, "EUR")),
    ])
  func lastRequest(_ action: Command.Action) {
    let given = Given.started(euro).and(.patched).and(.replaced)
    #expect(given.when(action, naming: 2, fingerprint: Given.fingerprint(2)) == .alreadyApplied(version: 3))
    #expect(
      given.when(action, ifMatch: .oneOf([2]), fingerprint: Given.fingerprint(2)) == .alreadyApplied(version: 3))
    #expect(
      given.when(action, ifMatch: .oneOf([8, 2]), fingerprint: Given.fingerprint(2)) == .alreadyApplied(version: 3))
  }

  @Test("one with a key of its own is another request, whatever else it has in common with the last")
  func otherKey() {
    let given = Given.started(euro).and(.patched)
    let (print, key) = (Given.fingerprint(1), Fingerprint(low: 7, high: 7))
    #expect(
      given.when(.patch(dollar), naming: 1, fingerprint: print, key: key)
        == .reject(.versionConflict(sent: 1, current: 2)))
    let begun = Given.started(euro)
    #expect(
      begun.when(.replace(SessionContext(), upsert: true), fingerprint: Given.fingerprint(0), key: key)
        == .reject(.versionRequired))
  }

  @Test("touches in between don't hide the request that led to the current version")
  func lastRequestAndTouch() {
    let given = Given.started(euro).and(.patched).and(.touched)
    #expect(given.when(.patch(dollar), naming: 1, fingerprint: Given.fingerprint(1)) == .alreadyApplied(version: 2))
  }

  @Test("another request that names the version before is a conflict")
  func notTheLastRequest() {
    let given = Given.started(euro).and(.patched).and(.patched)
    let conflict = Decision.reject(.versionConflict(sent: 2, current: 3))
    #expect(given.when(.patch(dollar), naming: 2, fingerprint: Given.fingerprint(9)) == conflict)
    // The request before the last one isn't repeated either.
    #expect(
      given.when(.patch(dollar), naming: 1, fingerprint: Given.fingerprint(1))
        == .reject(.versionConflict(sent: 1, current: 3)))
  }

  @Test("the same request that names the current version is a new change")
  func sameBodyNewVersion() {
    let given = Given.started(euro).and(.patched)
    #expect(
      given.when(.patch(dollar), naming: 2, fingerprint: Given.fingerprint(1))
        == .append(kind: .patched, life: 1, version: 3, changes: dollar))
    #expect(
      given.when(.patch(dollar), ifMatch: .any, fingerprint: Given.fingerprint(1))
        == .append(kind: .patched, life: 1, version: 3, changes: dollar))
  }

  @Test("the PUT that began a session is known again, whatever version it names")
  func creatingPut() {
    let given = Given.started(euro)
    for version in [nil, 0, 1, 5] as [Int64?] {
      #expect(
        given.when(.replace(euro, upsert: true), naming: version, fingerprint: Given.fingerprint(0))
          == .alreadyApplied(version: 1))
    }
    #expect(
      given.when(.replace(euro, upsert: true), ifNoneMatch: .any, fingerprint: Given.fingerprint(0))
        == .alreadyApplied(version: 1))
    #expect(
      given.when(.replace(euro, upsert: true), fingerprint: Given.fingerprint(3)) == .reject(.versionRequired))
  }

  @Test("the PUT that began a session is an ordinary one once the session has changed")
  func creatingPutLater() {
    let given = Given.started(euro).and(.patched)
    #expect(
      given.when(.replace(euro, upsert: true), fingerprint: Given.fingerprint(0)) == .reject(.versionRequired))
  }

  @Test("a PUT that matches any version is a new change each time once the session has changed")
  func puttingAnyVersion() {
    let given = Given.started(euro).and(.replaced)
    #expect(
      given.when(.replace(euro, upsert: true), ifMatch: .any, fingerprint: Given.fingerprint(1))
        == .append(kind: .replaced, life: 1, version: 3, changes: ContextChanges(from: euro, to: euro)))
  }

  @Test("the PUT that began a new life is known again, too")
  func creatingPutOfNewLife() {
    let given = Given.started(euro).and(.expired).and(.started)
    #expect(
      given.when(.replace(euro, upsert: true), fingerprint: Given.fingerprint(2)) == .alreadyApplied(version: 1))
  }

  @Test("attributes and ends can be repeated for good reason, so only a key makes them a retry")
  func repeatable() {
    let attribute = Attribute("a", "1")
    let given = Given.started(euro).and(.attributeSet, ContextChanges(attributes: .set(attribute)))
    #expect(
      given.when(.setAttribute(attribute), naming: 1, fingerprint: Given.fingerprint(1))
        == .append(kind: .attributeSet, life: 1, version: 3, changes: ContextChanges(attributes: .set(attribute))))
    #expect(
      given.when(.removeAttribute("a"), naming: 1, fingerprint: Given.fingerprint(1))
        == .append(kind: .attributeRemoved, life: 1, version: 3, changes: ContextChanges(attributes: .removed("a"))))
    #expect(
      given.when(.end, naming: 1, fingerprint: Given.fingerprint(1))
        == .append(kind: .ended, life: 1, version: 3, changes: ContextChanges()))
  }

  @Test("a retry is only answered to who may change the context")
  func retryNeedsProof() {
    let given = Given.started(SessionContext([.customerID: "c1"])).and(.patched)
    #expect(
      given.when(.patch(dollar), naming: 1, proof: .missing, fingerprint: Given.fingerprint(1))
        == .reject(.customerProofMissing))
    #expect(
      given.when(.patch(dollar), naming: 1, proof: .customer("c1"), fingerprint: Given.fingerprint(1))
        == .alreadyApplied(version: 2))
  }
}
