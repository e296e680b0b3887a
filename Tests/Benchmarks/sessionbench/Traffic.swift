internal import SessionModel
internal import TestSupport

/// What a shop would send: first each session's whole context, as a document of 400 bytes; then attributes of the
/// sessions in turn.
struct Traffic {
  /// The tenant whose sessions these are.
  static let tenant = TenantID(valid: "acme")
  /// How many bytes of text fill the document up to 400.
  private static let noteBytes = 122

  /// How many sessions there are.
  let sessionCount: Int
  private let context: SessionContext

  init(sessionCount: Int) {
    self.sessionCount = sessionCount
    var context = SessionContext()
    context.siteCode = "main"
    context.currency = "EUR"
    context.cartID = "61079711ce0eb90861357045"
    context.targetLocation = "DE"
    context.language = "de"
    context.attributes = [
      Attribute(name: "channel", value: Array(#""web""#.utf8)),
      Attribute(name: "note", value: Array("\"\(String(repeating: "x", count: Self.noteBytes))\"".utf8)),
    ]
    self.context = context
  }

  /// The session that the event of that number, from 0, changes. They are named as Tests/Benchmarks/put.lua names them.
  func session(_ number: Int) -> SessionID {
    let digits = String(number % sessionCount)
    return SessionID(valid: "00-" + String(repeating: "0", count: 8 - digits.utf8.count) + digits)
  }

  /// The command that leads to the event of that number.
  func command(_ number: Int) -> Command {
    Command(
      sessionID: session(number),
      action: number < sessionCount ? .replace(context, upsert: true) : .setAttribute(attribute(number)),
      request: request(number), origin: Self.origin)
  }

  /// The event of that number, in a log that holds nothing else.
  func event(_ number: Int, at time: Instant) -> Event {
    let isFirst = number < sessionCount
    return Event(
      position: UInt64(number + 1), previousPosition: isFirst ? 0 : UInt64(number + 1 - sessionCount), life: 1,
      version: UInt32(number / sessionCount + 1), recordedAt: time, sessionID: session(number),
      kind: isFirst ? .started : .attributeSet,
      changes: isFirst
        ? ContextChanges(from: SessionContext(), to: context) : ContextChanges(attributes: .set(attribute(number))),
      origin: Self.origin, request: request(number))
  }

  private static let origin = Origin(actor: "development")

  private func request(_ number: Int) -> RequestMark {
    RequestMark(fingerprint: Fingerprint(low: UInt64(number), high: ~UInt64(number)))
  }

  private func attribute(_ number: Int) -> Attribute {
    Attribute(name: "step", value: Array(String(number).utf8))
  }
}
