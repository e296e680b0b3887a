import SessionModel
import Testing
import TestSupport

/// `String` compares by canonical equivalence (Unicode, UAX #15), while the store keeps and sorts bytes.
@Suite("texts are told apart by their bytes") struct UnicodeTests {
  /// é as one scalar, and as e with a combining accent.
  let composed = "caf\u{e9}"
  let decomposed = "cafe\u{301}"

  @Test("ids of different bytes are different sessions")
  func sessions() {
    #expect(SessionID(valid: composed) != SessionID(valid: decomposed))
  }

  @Test("ids whose accents come in another order are different sessions, however long they are", arguments: [0, 1, 40])
  func orderedAccents(padding: Int) {
    // Canonically equivalent, and of the same length in bytes.
    let (above, below) = ("\u{301}", "\u{323}")
    let prefix = String(repeating: "x", count: padding)
    let (left, right) = (prefix + "a" + above + below, prefix + "a" + below + above)
    #expect(left == right && left.utf8.count == right.utf8.count)
    #expect(SessionID(valid: left) != SessionID(valid: right))
    #expect(SessionID(valid: left) == SessionID(valid: prefix + "a" + above + below))
  }

  @Test("ids that Unicode takes for the same text hash by their bytes, so that nobody can choose many that collide")
  func hashes() {
    let marks: [Unicode.Scalar] = ["\u{5b0}", "\u{5b1}", "\u{5b2}", "\u{5b3}", "\u{5b4}", "\u{5b5}"]
    var texts = ["a"]
    for _ in marks {
      texts = texts.flatMap { text in marks.filter { !text.unicodeScalars.contains($0) }.map { text + String($0) } }
    }
    #expect(texts.count == 720)
    #expect(texts.allSatisfy { $0 == texts[0] })
    #expect(Set(texts.map { SessionID(valid: $0).hashValue }).count > 700)
  }

  @Test("attributes whose names differ in bytes are different ones")
  func attributes() {
    var context = SessionContext([:], attributes: [Attribute(composed, "1")])
    ContextChanges(attributes: .set(Attribute(decomposed, "2"))).apply(to: &context)
    #expect(context.attributes.count == 2)
    context.attributes = [Attribute(composed, "1"), Attribute(decomposed, "2")]
    ContextChanges(attributes: .removed(composed)).apply(to: &context)
    #expect(context.attributes.count == 1)
  }

  @Test("a field whose bytes change is a change")
  func fields() {
    let old = SessionContext([.cartID: composed])
    let new = SessionContext([.cartID: decomposed])
    #expect(ContextChanges(from: old, to: new).fields.count == 1)
    var changed: ContextChanges?
    if case .append(_, _, _, let changes) = Given.started(old).when(.patch(.one(.cartID, decomposed)), naming: 1) {
      changed = changes
    }
    #expect(changed?.fields.count == 1)
  }

  @Test("an attribute under a name of other bytes is no replacement of the attributes by the same ones")
  func replacedAttributes() {
    let old = SessionContext([:], attributes: [Attribute(composed, "1")])
    let new = SessionContext([:], attributes: [Attribute(decomposed, "1")])
    #expect(ContextChanges(from: old, to: new).attributes == .replaced(new.attributes))
  }

  @Test("a customer whose id has other bytes is another customer")
  func customers() {
    let given = Given.started(SessionContext([.customerID: composed]))
    #expect(
      given.when(.patch(ContextChanges()), naming: 1, proof: .customer(decomposed))
        == .reject(.customerProofMismatch))
  }
}
