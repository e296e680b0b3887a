import Platform
import Testing

@Suite("threads and waiting") struct MonitorTests {
  @Test("a waiting thread goes on when its condition has come, and not before")
  func wait() {
    let monitor = Monitor(0)
    let thread = Thread(name: "a name longer than fifteen bytes") {
      for _ in 0..<100 { monitor.signal { $0 += 1 } }
    }
    #expect(monitor.wait { $0 >= 100 ? $0 : nil } == 100)
    thread.join()
  }

  @Test("waiting with a limit gives up after it, not before")
  func timeout() {
    let monitor = Monitor(0)
    let start = monotonicNanoseconds()
    #expect(monitor.wait(milliseconds: 20) { $0 == 1 ? true : nil } == nil)
    #expect(monotonicNanoseconds() - start >= 20_000_000)
    #expect(monitor.wait(milliseconds: -5) { $0 == 0 ? true : nil } == true)
  }

  @Test("many threads change the state one after the other")
  func exclusion() {
    let monitor = Monitor(0)
    let threads = (0..<4).map { number in
      Thread(name: "counter-\(number)") { for _ in 0..<1000 { monitor.withLock { $0 += 1 } } }
    }
    for thread in threads { thread.join() }
    #expect(monitor.withLock { $0 } == 4000)
  }

  @Test("a signal wakes all who wait")
  func broadcast() {
    let monitor = Monitor((isOpen: false, passed: 0))
    let threads = (0..<4).map { number in
      Thread(name: "waiter-\(number)") {
        _ = monitor.wait { $0.isOpen ? true : nil }
        monitor.signal { $0.passed += 1 }
      }
    }
    monitor.signal { $0.isOpen = true }
    #expect(monitor.wait { $0.passed == 4 ? true : nil })
    for thread in threads { thread.join() }
  }

  @Test("the wall clock shows this century, the other one only runs forward")
  func clocks() {
    #expect(currentMicroseconds() > 1_700_000_000_000_000)
    let first = monotonicNanoseconds()
    #expect(monotonicNanoseconds() >= first)
  }

  @Test("variables are found by the beginning of their names")
  func environment() {
    let all = Process.environment(prefix: "")
    #expect(all["PATH"] != nil)
    #expect(Process.environment(prefix: "PAT")["PATH"] == all["PATH"])
    #expect(Process.environment(prefix: "NO_SUCH_VARIABLE_").isEmpty)
  }
}
