import LMDB
import Platform
import SessionModel
import Synchronization
import TestSupport
import Testing

@testable import SessionStore

/// A store in a folder of its own, with a clock that the test sets.
final class TestStore {
  static let tenant = TenantID(valid: "acme")
  static let environment = Environment.Options(mapSizeBytes: 1 << 27)

  let folder: TemporaryFolder
  let clock: TestClock
  let store: SessionStore
  private let heard: Heard
  private var isOpen = true

  /// What the store told its observer.
  private final class Heard: Sendable {
    let signsOfLife = Atomic<Int>(0)
    let notices = Monitor<[String]>([])
    let replayed = Monitor<[Int]>([])
    let failures = Monitor<[StoreError]>([])
  }

  init(
    _ folder: TemporaryFolder? = nil, clock: TestClock = TestClock(),
    configure: (inout SessionStore.Configuration) -> Void = { _ in }
  ) throws {
    let heard = Heard()
    var configuration = SessionStore.Configuration(
      environment: Self.environment, flushIntervalMilliseconds: 50, sweepIntervalMilliseconds: 0)
    configure(&configuration)
    self.folder = try folder ?? TemporaryFolder()
    self.clock = clock
    self.heard = heard
    store = try SessionStore(
      directory: DataDirectory(self.folder.path), configuration: configuration,
      observer: SessionStore.Observer(
        notice: { text in heard.notices.withLock { $0.append(text) } },
        replayed: { count in heard.replayed.withLock { $0.append(count) } },
        failed: { error in heard.failures.signal { $0.append(error) } },
        writerAlive: { heard.signsOfLife.add(1, ordering: .relaxed) }),
      now: { clock.now })
  }

  deinit { close() }

  /// Stops the store; its folder can be opened again when the last reference to this is gone, too.
  func close() {
    if isOpen { store.close() }
    isOpen = false
  }

  var notices: [String] { heard.notices.withLock { $0 } }
  /// How often the writer said that it works.
  var signsOfLife: Int { heard.signsOfLife.load(ordering: .relaxed) }
  /// The numbers of events replayed at start, as they were told.
  var replayed: [Int] { heard.replayed.withLock { $0 } }
  var failures: [StoreError] { heard.failures.withLock { $0 } }

  /// Waits until the store has failed.
  func failure() -> StoreError? { heard.failures.wait(milliseconds: 10_000) { $0.first } }

  /// Hands over a command and waits for what comes of it.
  @discardableResult
  func send(_ command: Command, of tenant: TenantID = tenant) -> CommandOutcome {
    let answer = Monitor<CommandOutcome?>(nil)
    store.submit(command, for: tenant.authorized) { outcome in answer.signal { $0 = outcome } }
    guard let outcome = answer.wait(milliseconds: 60_000, { $0 }) else {
      preconditionFailure("the store answers nothing")
    }
    return outcome
  }

  /// Erases, and returns the receipt; nil when it was refused.
  func erase(_ subject: ErasureSubject, of tenant: TenantID = tenant) -> ErasureReceipt? {
    let answer = Monitor<CommandOutcome?>(nil)
    store.erase(subject, of: tenant.authorized, origin: Origin(actor: "service:dpo")) { outcome in
      answer.signal { $0 = outcome }
    }
    guard case .erased(let receipt)? = answer.wait(milliseconds: 60_000, { $0 }) else { return nil }
    return receipt
  }

  /// Does what is due to sessions, as the maintenance thread would now; the projections must be flushed.
  @discardableResult
  func sweep() -> Bool { Sweeper(store) { _ in true }.run(milliseconds: 60_000) }

  /// Waits until all that was written is in the projections.
  func flushed() {
    let never = Monitor(())
    while store.usage.overlayEvents > 0 { never.wait(milliseconds: 2) { _ in nil as Void? } }
  }

  /// The document of a session as text, nil when there is none.
  func document(_ session: String, of tenant: TenantID = tenant) throws -> String? {
    try store.document(SessionID(valid: session), of: tenant.authorized).map {
      String(decoding: $0.json, as: UTF8.self)
    }
  }
}

extension Command {
  /// A command on that session; `mark` tells requests apart.
  convenience init(
    _ session: String, _ action: Action, naming version: Int64? = nil, mark: UInt64 = .random(in: 0 ... .max),
    key: UInt64? = nil
  ) {
    self.init(
      sessionID: SessionID(valid: session), action: action, precondition: Precondition(expectedVersion: version),
      request: RequestMark(
        fingerprint: Fingerprint(low: mark, high: 0), key: key.map { Fingerprint(low: $0, high: 1) }),
      origin: Origin(actor: "service:test"))
  }

  /// The upsert of a session with that cart.
  static func begin(_ session: String, cart: String = "cart") -> Command {
    var context = SessionContext()
    context.cartID = cart
    return Command(session, .replace(context, upsert: true))
  }

  /// A change of the cart.
  static func patch(_ session: String, cart: String, naming version: Int64) -> Command {
    Command(session, .patch(ContextChanges(fields: [.init(field: .cartID, value: cart)])), naming: version)
  }

  /// A change of an attribute, which needs no version.
  static func set(_ session: String, _ name: String, _ json: String) -> Command {
    Command(session, .setAttribute(Attribute(name: name, value: Array(json.utf8))))
  }
}

extension TestStore {
  /// All events of a session, newest first, those of past lives too.
  func history(_ session: String, of tenant: TenantID = tenant) throws -> [RecordedEvent] {
    var events: [RecordedEvent] = []
    _ = try store.readEvents(of: SessionID(valid: session), tenant.authorized, from: .newest, limit: 1000) {
      events.append($0)
      return true
    }
    return events
  }
}

extension Verification {
  /// Verifies all tenants, or those given, and tells all of it in the end.
  func run(tenants only: [TenantID]? = nil) throws(StoreError) -> Report {
    var report = Report()
    try run(tenants: only, after: nil, from: nil) { report.take($0) }
    return report
  }
}

/// How the projections in a data directory differ from ones that are built anew, which then stand in their place.
func differencesFromRebuilt(_ folder: TemporaryFolder) throws -> [String] {
  var differences: [String] = []
  let rebuild = try Rebuild(DataDirectory(folder.path))
  _ = try rebuild.build { _ in }
  #expect(try rebuild.replace())
  try ProjectionsComparison.run(
    DataDirectory(folder.path), old: rebuild.besides, new: folder("projections")
  ) { differences.append($0) }
  try rebuild.remove()
  return differences
}
