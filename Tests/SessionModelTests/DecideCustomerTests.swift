import SessionModel
import Testing
import TestSupport

@Suite("decide: who may change a customer's context") struct DecideCustomerTests {
  /// The customer stored, the customer sent, the proof, and what comes of it.
  static let cases: [(stored: String?, sent: String?, proof: CustomerProof, rejection: Rejection?)] = [
    (nil, nil, .missing, nil),
    (nil, nil, .customer("c1"), nil),
    ("c1", nil, .missing, .customerProofMissing),
    ("c1", nil, .customer("c1"), nil),
    ("c1", nil, .customer("c2"), .customerProofMismatch),
    (nil, "c1", .missing, .customerProofMissing),
    (nil, "c1", .customer("c1"), nil),
    (nil, "c1", .customer("c2"), .customerProofMismatch),
    ("c1", "c1", .customer("c1"), nil),
    ("c1", "c2", .customer("c1"), .customerProofMismatch),
    ("c1", "c2", .customer("c2"), .customerProofMismatch),
    ("c1", "c2", .notRequired, nil),
    ("c1", nil, .notRequired, nil),
  ]

  @Test("PUT and PATCH need the proof of the stored and of the sent customer", arguments: cases)
  func proof(stored: String?, sent: String?, proof: CustomerProof, rejection: Rejection?) {
    var context = SessionContext()
    context.customerID = stored
    let given = Given.started(context)
    var new = SessionContext()
    new.customerID = sent
    let patch = sent.map { ContextChanges.one(.customerID, $0) } ?? ContextChanges()
    for action in [Command.Action.replace(new, upsert: false), .replace(new, upsert: true), .patch(patch)] {
      let decision = given.when(action, naming: 1, proof: proof)
      if let rejection {
        #expect(decision == .reject(rejection))
      } else if case .append(_, 1, 2, _) = decision {
        continue
      } else {
        Issue.record("\(action): \(decision)")
      }
    }
  }

  @Test("a PUT that begins a customer's session needs the customer's proof")
  func begin() {
    let sent = SessionContext([.customerID: "c1"])
    #expect(Given.nothing.when(.replace(sent, upsert: true), proof: .missing) == .reject(.customerProofMissing))
    #expect(
      Given.nothing.when(.replace(sent, upsert: true), proof: .customer("c2")) == .reject(.customerProofMismatch))
    #expect(
      Given.nothing.when(.replace(sent, upsert: true), proof: .customer("c1"))
        == .append(kind: .started, life: 1, version: 1, changes: .one(.customerID, "c1")))
  }

  @Test("the customer of a past life has no say in a new one")
  func pastLife() {
    let given = Given.started(SessionContext([.customerID: "c1"])).and(.expired)
    #expect(
      given.when(.replace(SessionContext(), upsert: true), proof: .missing)
        == .append(kind: .started, life: 2, version: 1, changes: ContextChanges()))
  }

  @Test("clearing the customer needs the stored customer's proof")
  func logout() {
    let given = Given.started(SessionContext([.customerID: "c1"]))
    let clear = ContextChanges.one(.customerID, nil)
    #expect(given.when(.patch(clear), naming: 1, proof: .missing) == .reject(.customerProofMissing))
    #expect(
      given.when(.patch(clear), naming: 1, proof: .customer("c1"))
        == .append(kind: .patched, life: 1, version: 2, changes: clear))
  }

  @Test(
    "attributes and ends need no proof",
    arguments: [
      Command.Action.setAttribute(Attribute("a", "1")), .end, .begin(SessionContext()),
    ])
  func others(_ action: Command.Action) {
    let decision = Given.started(SessionContext([.customerID: "c1"])).when(action, proof: .missing)
    if case .reject = decision { Issue.record("\(decision)") }
  }

  @Test("the proof comes before the version: a stranger learns nothing of it")
  func order() {
    let given = Given.started(SessionContext([.customerID: "c1"]))
    #expect(given.when(.patch(ContextChanges()), naming: 9, proof: .missing) == .reject(.customerProofMissing))
    #expect(
      given.when(.patch(ContextChanges()), ifMatch: .oneOf([9]), proof: .customer("c2"))
        == .reject(.customerProofMismatch))
  }
}
