import EventLog
import Platform
import Projections
import SessionCodec
import SessionModel
import Testing
import TestSupport

@testable import SessionStore

@Suite("many threads") struct ConcurrencyTests {
  @Test(
    "8 threads on 20 sessions: no version is given twice or left out, and the log folds to the documents",
    arguments: propertySeeds().suffix(1))
  func submitters(_ seed: UInt64) throws {
    let folder = try TemporaryFolder()
    let tenants = [TestStore.tenant, TenantID(valid: "rival")]
    let accepted = Monitor<[Accepted]>([])
    do {
      let test = try TestStore(folder) {
        $0.overlayBytes = 20_000
        $0.flushIntervalMilliseconds = 2
      }
      let store = test.store
      let threads = (0..<8).map { number in
        Thread(name: "submitter-\(number)") {
          submit(to: store, tenants, seed: seed &+ UInt64(number), accepted)
        }
      }
      for thread in threads { thread.join() }
      #expect(test.failures.isEmpty)
    }
    try StoredLog(folder) { log in
      let projections = try Projections(
        path: folder("projections"), storeID: log.log.storeID, options: TestStore.environment
      ) { Issue.record("\($0)") }
      for tenant in tenants {
        let events = try log.events(tenant)
        // Each acknowledged change is one event, and each event was acknowledged once.
        let acknowledged = accepted.withLock { $0 }.filter { $0.tenant == tenant }.sorted { $0.position < $1.position }
        #expect(events.map(\.position) == (1...UInt64(events.count)).map { $0 }, "seed \(seed)")
        #expect(acknowledged.map(\.position) == events.map(\.position), "seed \(seed)")
        #expect(acknowledged.map(\.version) == events.map(\.version), "seed \(seed)")
        #expect(acknowledged.map(\.session) == events.map(\.sessionID), "seed \(seed)")
        var states: [SessionID: Session] = [:]
        for event in events {
          let before = states[event.sessionID]
          let isNew = event.kind == .started
          #expect(event.version == (isNew ? 1 : (before?.version ?? 0) + 1), "seed \(seed)")
          #expect(event.previousPosition == before?.lastPosition ?? 0, "seed \(seed)")
          evolve(&states[event.sessionID], event)
        }
        #expect(states.count == 20)
        let view = try projections.view()
        for (session, state) in states {
          let key = SessionKey(tenant, session)
          let isFold = try view.snapshot(key)?.isEqual(to: SnapshotRecord.encode(state, key: key.bytes.span).span)
          #expect(isFold == true, "seed \(seed)")
        }
        let checkpoint = try view.checkpoint(of: tenant)
        #expect(checkpoint.tail.position == UInt64(events.count))
        #expect(checkpoint.openSessions == UInt64(states.values.filter { $0.status == .active }.count))
      }
    }
  }

  /// A change that was acknowledged.
  private struct Accepted {
    let tenant: TenantID
    let session: SessionID
    let version: UInt32
    let position: UInt64
  }

  /// Makes changes, one after the other, and notes which were accepted; reads what it wrote.
  private func submit(to store: SessionStore, _ tenants: [TenantID], seed: UInt64, _ accepted: Monitor<[Accepted]>) {
    var randomness = SeededRandomness(seed: seed)
    for _ in 0..<150 {
      let tenant = randomness.pick(tenants)
      let session = SessionID(valid: "s\(randomness.number(1...20))")
      let seen = (try? store.document(session, of: tenant.authorized))??.version
      let action: Command.Action
      switch randomness.number(0...4) {
      case 0: action = .replace(randomness.context(), upsert: true)
      case 1: action = .patch(randomness.changes())
      default: action = seen == nil ? .begin(randomness.context()) : .setAttribute(Attribute(name: "a", value: [0x31]))
      }
      let answer = Monitor<CommandOutcome?>(nil)
      let command = Command(session.description, action, naming: seen.map { Int64($0) }, mark: randomness.next())
      store.submit(command, for: tenant.authorized) { outcome in answer.signal { $0 = outcome } }
      switch answer.wait({ $0 }) {
      case .accepted(let version, let position):
        accepted.withLock {
          $0.append(Accepted(tenant: tenant, session: session, version: version, position: position))
        }
        let read = (try? store.document(session, of: tenant.authorized))??.version
        if read == nil || read ?? 0 < version {
          Issue.record("read \(read ?? 0) after writing \(version), seed \(seed)")
        }
      case .rejected, .alreadyApplied: continue
      case let other: Issue.record("\(other), seed \(seed)")
      }
    }
  }
}
