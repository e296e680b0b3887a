import Platform
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
    #expect(try test.store.lastPosition(of: TestStore.tenant.authorized) == 1)
  }
}
