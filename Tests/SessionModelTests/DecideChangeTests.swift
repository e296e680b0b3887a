import SessionModel
import Testing
import TestSupport

@Suite("decide: changes of a live session") struct DecideChangeTests {
  let euro = SessionContext([.currency: "EUR", .siteCode: "main"])

  @Test("PUT with the current version replaces; the event holds what differs, and clears what is left out")
  func replace() {
    let new = SessionContext([.currency: "USD", .language: "de"])
    #expect(
      Given.started(euro).when(.replace(new, upsert: false), naming: 1)
        == .append(
          kind: .replaced, life: 1, version: 2,
          changes: ContextChanges(fields: [
            .init(field: .siteCode, value: nil), .init(field: .currency, value: "USD"),
            .init(field: .language, value: "de"),
          ])))
  }

  @Test("PUT with upsert on a live session is an ordinary update, which needs the version")
  func upsertOnLive() {
    let given = Given.started(euro)
    #expect(given.when(.replace(euro, upsert: true)) == .reject(.versionRequired))
    #expect(
      given.when(.replace(euro, upsert: true), naming: 1)
        == .append(kind: .replaced, life: 1, version: 2, changes: ContextChanges()))
  }

  @Test("PUT replaces all attributes, and leaves them out of the event when they are the same")
  func replaceAttributes() {
    let old = SessionContext([:], attributes: [Attribute("a", "1")])
    let given = Given.started(old)
    #expect(
      given.when(.replace(SessionContext(), upsert: false), naming: 1)
        == .append(kind: .replaced, life: 1, version: 2, changes: ContextChanges(attributes: .replaced([]))))
    #expect(
      given.when(.replace(old, upsert: false), naming: 1)
        == .append(kind: .replaced, life: 1, version: 2, changes: ContextChanges()))
  }

  @Test("PATCH changes the fields that it names; the event holds those that differ")
  func patch() {
    let sent = ContextChanges(fields: [
      .init(field: .currency, value: "EUR"), .init(field: .siteCode, value: nil), .init(field: .language, value: nil),
    ])
    #expect(
      Given.started(euro).when(.patch(sent), naming: 1)
        == .append(kind: .patched, life: 1, version: 2, changes: .one(.siteCode, nil)))
  }

  @Test("PATCH with a context replaces all attributes, unless they are the same")
  func patchAttributes() {
    let given = Given.started(SessionContext([:], attributes: [Attribute("a", "1")]))
    let other = ContextChanges(attributes: .replaced([Attribute("b", "2")]))
    #expect(
      given.when(.patch(other), naming: 1) == .append(kind: .patched, life: 1, version: 2, changes: other))
    #expect(
      given.when(.patch(ContextChanges(attributes: .replaced([Attribute("a", "1")]))), naming: 1)
        == .append(kind: .patched, life: 1, version: 2, changes: ContextChanges()))
  }

  @Test(
    "PUT and PATCH without any version are refused",
    arguments: [
      Command.Action.replace(SessionContext(), upsert: false), .replace(SessionContext(), upsert: true),
      .patch(ContextChanges()),
    ])
  func versionRequired(_ action: Command.Action) {
    #expect(Given.started(euro).when(action) == .reject(.versionRequired))
    #expect(Given.started(euro).when(action, ifNoneMatch: .oneOf([9])) == .reject(.versionRequired))
  }

  @Test(
    "another version than the current one is a conflict that tells both",
    arguments: [
      0, 1, 3, -1, Int64.min, Int64.max, Int64(UInt32.max) + 3,
    ])
  func conflict(_ sent: Int64) {
    #expect(
      Given.started(euro).and(.patched).when(.patch(ContextChanges()), naming: sent)
        == .reject(.versionConflict(sent: sent, current: 2)))
  }

  @Test("If-Match with the current version, or *, stands in for metadata.version")
  func ifMatch() {
    let given = Given.started(euro).and(.patched)
    let accepted = Decision.append(kind: .patched, life: 1, version: 3, changes: ContextChanges())
    #expect(given.when(.patch(ContextChanges()), ifMatch: .oneOf([7, 2])) == accepted)
    #expect(given.when(.patch(ContextChanges()), ifMatch: .any) == accepted)
    #expect(given.when(.patch(ContextChanges()), naming: 2, ifMatch: .oneOf([2])) == accepted)
  }

  @Test(
    "an If-Match that doesn't hold is refused before the version of the body is looked at",
    arguments: [
      Command.Action.patch(ContextChanges()), .replace(SessionContext(), upsert: false),
      .setAttribute(Attribute("a", "1")), .removeAttribute("a"), .end,
    ])
  func ifMatchFails(_ action: Command.Action) {
    let given = Given.started(euro).and(.patched)
    #expect(given.when(action, naming: 2, ifMatch: .oneOf([1, 3])) == .reject(.preconditionFailed(current: 2)))
    #expect(given.when(action, naming: 2, ifMatch: .oneOf([])) == .reject(.preconditionFailed(current: 2)))
    #expect(given.when(action, naming: 1, ifMatch: .oneOf([1])) == .reject(.preconditionFailed(current: 2)))
  }

  @Test("an If-Match that holds doesn't excuse a wrong version in the body")
  func bothVersions() {
    #expect(
      Given.started(euro).and(.patched).when(.patch(ContextChanges()), naming: 1, ifMatch: .oneOf([2]))
        == .reject(.versionConflict(sent: 1, current: 2)))
  }

  @Test("If-None-Match refuses a change when it names the current version, or any")
  func ifNoneMatch() {
    let given = Given.started(euro)
    #expect(
      given.when(.replace(euro, upsert: true), naming: 1, ifNoneMatch: .any)
        == .reject(.preconditionFailed(current: 1)))
    #expect(
      given.when(.patch(ContextChanges()), naming: 1, ifNoneMatch: .oneOf([1]))
        == .reject(.preconditionFailed(current: 1)))
    #expect(
      given.when(.patch(ContextChanges()), naming: 1, ifNoneMatch: .oneOf([2]))
        == .append(kind: .patched, life: 1, version: 2, changes: ContextChanges()))
  }

  @Test("an attribute is set without a version, and the version moves; also when the value is the same")
  func setAttribute() {
    let attribute = Attribute("a", "1")
    let change = ContextChanges(attributes: .set(attribute))
    #expect(
      Given.started(euro).when(.setAttribute(attribute))
        == .append(kind: .attributeSet, life: 1, version: 2, changes: change))
    #expect(
      Given.started(euro).and(.attributeSet, change).when(.setAttribute(attribute))
        == .append(kind: .attributeSet, life: 1, version: 3, changes: change))
  }

  @Test("a full session takes no further attribute, but overwrites and removes those it has")
  func attributeLimit() {
    let full = Given.started(SessionContext([:], attributes: [Attribute("a", "1"), Attribute("b", "2")]))
      .ruled { $0.maximumAttributes = 2 }
    #expect(full.when(.setAttribute(Attribute("c", "3"))) == .reject(.tooManyAttributes(maximum: 2)))
    #expect(
      full.when(.setAttribute(Attribute("b", "3")))
        == .append(
          kind: .attributeSet, life: 1, version: 2, changes: ContextChanges(attributes: .set(Attribute("b", "3")))))
    let roomy = full.ruled { $0.maximumAttributes = 3 }
    #expect(
      roomy.when(.setAttribute(Attribute("c", "3")))
        == .append(
          kind: .attributeSet, life: 1, version: 2, changes: ContextChanges(attributes: .set(Attribute("c", "3")))))
  }

  @Test("an attribute is removed by its name; a missing one is refused by its name")
  func removeAttribute() {
    let given = Given.started(SessionContext([:], attributes: [Attribute("a", "1")]))
    #expect(
      given.when(.removeAttribute("a"))
        == .append(
          kind: .attributeRemoved, life: 1, version: 2, changes: ContextChanges(attributes: .removed("a"))))
    #expect(given.when(.removeAttribute("b")) == .reject(.attributeNotFound("b")))
  }

  @Test("ending needs no version")
  func end() {
    #expect(
      Given.started(euro).when(.end) == .append(kind: .ended, life: 1, version: 2, changes: ContextChanges()))
  }

  @Test("to begin a session that is there is done already")
  func beginLive() {
    #expect(Given.started(euro).and(.patched).when(.begin(SessionContext())) == .alreadyApplied(version: 2))
  }

  @Test("a session at the last version takes no further change")
  func versionsExhausted() {
    var state = Given.started(euro).state
    state?.version = .max
    let command = Command(
      sessionID: Given.session, action: .end, request: RequestMark(fingerprint: Given.fingerprint(50)),
      origin: Origin(actor: "test"))
    #expect(decide(command, on: state, at: .start, by: DecisionRules()) == .reject(.versionsExhausted))
    state?.version = .max - 1
    #expect(
      decide(command, on: state, at: .start, by: DecisionRules())
        == .append(kind: .ended, life: 1, version: .max, changes: ContextChanges()))
  }
}
