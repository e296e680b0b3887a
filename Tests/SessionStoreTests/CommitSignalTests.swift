import EventLog
import Platform
import Projections
import SessionModel
import TestSupport
import Testing

@testable import SessionStore

@Suite("What feeds hear of commits") struct CommitSignalTests {
  @Test("whoever has seen less doesn't wait")
  func seenLess() {
    let signal = CommitSignal()
    let seen = signal.count
    signal.advance()
    let start = monotonicNanoseconds()
    signal.wait(after: seen, milliseconds: 10_000)
    #expect(monotonicNanoseconds() - start < 5_000_000_000)
    #expect(signal.count == seen + 1)
  }

  @Test("the wait ends when its time is up")
  func timeIsUp() {
    let signal = CommitSignal()
    signal.wait(after: signal.count, milliseconds: 10)
    #expect(signal.count == 0)
  }

  @Test("no commit is missed by a thread that waits between looks")
  func racing() {
    let signal = CommitSignal()
    let commits: UInt64 = 20_000
    let writer = Thread(name: "test") { for _ in 0..<commits { signal.advance() } }
    var seen: UInt64 = 0
    let start = monotonicNanoseconds()
    while seen < commits {
      signal.wait(after: seen, milliseconds: 20_000)
      seen = signal.count
    }
    // A missed wake-up would have cost a whole wait.
    #expect(monotonicNanoseconds() - start < 15_000_000_000)
    writer.join()
  }

  @Test("a commit of the store is heard, and one that writes nothing doesn't matter")
  func store() throws {
    let test = try TestStore()
    let seen = test.store.commits.count
    test.send(.begin("s1"))
    test.store.commits.wait(after: seen, milliseconds: 10_000)
    #expect(test.store.commits.count > seen)
    #expect(test.store.lastPosition(of: TestStore.tenant.authorized) == 1)
  }

  /// A log that calls `committed` when what was appended can be read, before anybody is told.
  private struct WatchedLog: CommitLog {
    let base: EventLog
    let committed: @Sendable () -> Void

    func append(
      _ batch: [LogRecord], erasing erased: [LogPlace], expecting tails: [TenantID: UInt64]
    ) throws(EventLogError) -> AppendOutcome {
      let outcome = try base.append(batch, erasing: erased, expecting: tails)
      committed()
      return outcome
    }
  }

  @Test("a feed shows no event before snapshots do")
  func feedAndSnapshots() throws {
    let folder = try TemporaryFolder()
    var configuration = SessionStore.Configuration()
    configuration.environment = TestStore.environment
    var checkpoints: [TenantID: Checkpoint] = [:]
    let store = try SessionStore(
      directory: DataDirectory(folder.path), configuration: configuration, observer: .init(), now: { .start }
    ) { checkpoints = $1 }
    let tenant = TestStore.tenant
    @Sendable func look() -> (last: UInt64, read: Int, isAtEnd: Bool) {
      var filter = EventFilter(kind: nil, session: nil, customer: nil)
      var read = 0
      let reach = try? store.readEvents(of: tenant.authorized, after: 0, scanLimit: 10, filter: &filter) { _ in
        read += 1
        return true
      }
      return (store.lastPosition(of: tenant.authorized), read, reach?.isAtEnd == true)
    }
    let before = Monitor([UInt64]())
    let log = WatchedLog(base: store.log) {
      let seen = look()
      #expect(seen.isAtEnd && seen.last == UInt64(seen.read))
      before.withLock { $0.append(seen.last) }
    }
    var cycle = store.makeCycle(over: log, from: checkpoints)
    for number in UInt64(1)...3 {
      let salt = [UInt8](repeating: 7, count: Frame.saltByteCount)
      let pending = PendingCommand(tenant: tenant, task: .change(.begin("s\(number)")), salt: salt) { _ in }
      store.write([pending], &cycle)
      #expect(look() == (number, Int(number), true))
    }
    #expect(before.withLock { $0 } == [0, 1, 2])
  }
}
