import Platform
import SessionModel
import Testing
import TestSupport

@testable import Projections

@Suite("the overlay") struct OverlayTests {
  @Test("entries that a flush is moving aren't moved again by the next one")
  func movedOnce() throws {
    let overlay = Overlay(maximumBytes: 1 << 20)
    let keys = ["s1", "s2"].map { SessionKey(TestProjections.tenant, SessionID(valid: $0)) }
    overlay.moveActivity(of: [])
    #expect(overlay.freeze() == nil)
    overlay.moveActivity(of: [keys[0]])
    overlay.moveActivity(of: [keys[0]])
    #expect(overlay.freeze()?.overtaken == [keys[0]])
    overlay.moveActivity(of: keys)
    overlay.dropFlushed()
    #expect(overlay.freeze()?.overtaken == [keys[1]])
    overlay.dropFlushed()
    #expect(overlay.usage == (0, 0, 0))
  }

  private func key(_ session: String) -> SessionKey { SessionKey(TestProjections.tenant, SessionID(valid: session)) }

  @Test("what is published is seen at once, and the newest wins")
  func publish() {
    let overlay = Overlay(maximumBytes: 1 << 20)
    #expect(overlay.snapshot(key("s1")) == nil)
    overlay.publish(publication("s1", position: 1))
    overlay.publish(publication("s2", position: 2))
    #expect(overlay.snapshot(key("s1")) == snapshot("s1", position: 1))
    overlay.publish(publication("s1", position: 3))
    #expect(overlay.snapshot(key("s1")) == snapshot("s1", position: 3))
    #expect(overlay.snapshot(key("s2")) == snapshot("s2", position: 2))
    #expect(overlay.snapshot(key("s3")) == nil)
  }

  @Test("a frozen part stays visible until it is dropped; what is published meanwhile is newer")
  func freezeAndDrop() throws {
    let overlay = Overlay(maximumBytes: 1 << 20)
    #expect(overlay.freeze() == nil)
    overlay.publish(publication("s1", position: 1))
    overlay.publish(publication("s2", position: 2))
    let frozen = try #require(overlay.freeze())
    #expect(frozen.snapshots.count == 2)
    #expect(frozen.checkpoints == [TestProjections.tenant: checkpoint(2)])
    #expect(overlay.snapshot(key("s1")) == snapshot("s1", position: 1))
    overlay.publish(publication("s1", position: 3))
    #expect(overlay.snapshot(key("s1")) == snapshot("s1", position: 3))
    #expect(overlay.snapshot(key("s2")) == snapshot("s2", position: 2))
    #expect(overlay.usage.events == 3)
    overlay.dropFlushed()
    #expect(overlay.snapshot(key("s1")) == snapshot("s1", position: 3))
    #expect(overlay.snapshot(key("s2")) == nil)
    #expect(try #require(overlay.freeze()).snapshots.count == 1)
    overlay.dropFlushed()
    #expect(overlay.snapshot(key("s1")) == nil)
    #expect(overlay.usage == (0, 0, 0))
  }

  @Test("publications add up: newest snapshots and checkpoints, all customers, the events' number")
  func merge() {
    var merged = publication("s1", position: 1, customer: "c1")
    merged.merge(publication("s1", position: 2, customer: "c2"))
    merged.merge(publication("s1", position: 3, of: TenantID(valid: "rival")))
    #expect(merged.snapshots.count == 2)
    #expect(merged.snapshots[key("s1")] == snapshot("s1", position: 2))
    #expect(merged.customers[key("s1")]?.count == 2)
    #expect(merged.checkpoints == [TestProjections.tenant: checkpoint(2), TenantID(valid: "rival"): checkpoint(3)])
    #expect(merged.eventCount == 3)
  }

  @Test("an erasure hides what a session carried, flushed or not, and not what it came to carry afterwards")
  func erasure() throws {
    let overlay = Overlay(maximumBytes: 1 << 20)
    let tenant = TestProjections.tenant
    func added(_ customer: String) -> [String] {
      overlay.carriers(of: customer, in: tenant).added.map(\.description).sorted()
    }
    func isErased(_ session: String) -> Bool {
      overlay.carriers(of: "c1", in: tenant).isErased(SessionID(valid: session))
    }
    overlay.publish(publication("s1", position: 1, customer: "c1"))
    overlay.publish(publication("s2", position: 2, customer: "c1"))
    let unerased = overlay.usage.bytes
    #expect(added("c1") == ["s1", "s2"])
    _ = overlay.freeze()
    overlay.publish(publication("s1", position: 3, kind: .erased))
    #expect(added("c1") == ["s2"])
    #expect(isErased("s1") && !isErased("s2"))
    overlay.publish(publication("s1", position: 4, customer: "c1"))
    #expect(added("c1") == ["s1", "s2"])
    // Whatever the index says of s1 is still of before the erasure.
    #expect(isErased("s1"))
    overlay.publish(publication("s1", position: 5, kind: .erased))
    #expect(added("c1") == ["s2"])
    overlay.dropFlushed()
    #expect(added("c1") == [])
    #expect(isErased("s1"))
    #expect(overlay.usage.bytes < unerased)
    _ = overlay.freeze()
    overlay.dropFlushed()
    #expect(!isErased("s1"))
  }

  @Test("the memory is counted by what is held, not by what was published")
  func byteCount() {
    let overlay = Overlay(maximumBytes: 1 << 20)
    overlay.publish(publication("s1", position: 1, customer: "c1"))
    let once = overlay.usage.bytes
    for position in 2...100 as ClosedRange<UInt64> {
      overlay.publish(publication("s1", position: position, customer: "c1"))
    }
    #expect(overlay.usage.bytes == once)
    #expect(overlay.usage.sessions == 1)
    #expect(overlay.usage.events == 100)
    overlay.publish(publication("s2", position: 101))
    #expect(overlay.usage.bytes > once)
  }

  @Test("a writer waits while the overlay is full, and goes on when a part is frozen away and dropped")
  func backPressure() {
    let overlay = Overlay(maximumBytes: publication("s1", position: 1).byteCount)
    #expect(overlay.waitForRoom(milliseconds: 0) == true)
    overlay.publish(publication("s1", position: 1))
    #expect(overlay.isHalfFull)
    #expect(overlay.waitForRoom(milliseconds: 1) == nil)
    let steps = Monitor<[String]>([])
    let writer = Thread(name: "writer") {
      steps.signal { $0.append("waits") }
      let hasRoom = overlay.waitForRoom(milliseconds: 60_000)
      steps.signal { $0.append(hasRoom == true ? "room" : "closed") }
    }
    _ = steps.wait { $0.first == "waits" ? true : nil }
    // The writer may not go on before the flush, however long that takes; the flush is what lets it.
    #expect(steps.wait(milliseconds: 30) { $0.count > 1 ? true : nil } == nil)
    #expect(overlay.freeze() != nil)
    overlay.dropFlushed()
    #expect(steps.wait(milliseconds: 10_000) { $0 == ["waits", "room"] ? true : nil } == true)
    writer.join()
  }

  @Test("closing ends all waiting")
  func close() {
    let overlay = Overlay(maximumBytes: 1)
    overlay.publish(publication("s1", position: 1))
    let answer = Monitor<Bool?>(nil)
    let writer = Thread(name: "writer") {
      let hasRoom = overlay.waitForRoom(milliseconds: 60_000)
      answer.signal { $0 = hasRoom }
    }
    overlay.close()
    #expect(answer.wait { $0 } == false)
    writer.join()
    #expect(overlay.waitUntilDue(milliseconds: 60_000))
    #expect(overlay.freeze()?.snapshots.count == 1)
  }

  @Test("the projector's wait ends at once when half of the overlay is used, and otherwise after its time")
  func freezeAfter() {
    let overlay = Overlay(maximumBytes: publication("s1", position: 1).byteCount * 2)
    #expect(!overlay.waitUntilDue(milliseconds: 1))
    #expect(overlay.freeze() == nil)
    let start = monotonicNanoseconds()
    overlay.publish(publication("s1", position: 1))
    #expect(!overlay.waitUntilDue(milliseconds: 60_000))
    #expect(monotonicNanoseconds() - start < 30_000_000_000)
    #expect(overlay.freeze()?.snapshots.count == 1)
    let roomy = Overlay(maximumBytes: 1 << 20)
    roomy.publish(publication("s1", position: 1))
    #expect(!roomy.waitUntilDue(milliseconds: 1))
    #expect(roomy.freeze()?.snapshots.count == 1)
  }

  @Test("a reader always finds a session while it moves from overlay to projections")
  func flushUnderReaders() throws {
    let test = try TestProjections()
    let overlay = Overlay(maximumBytes: 1 << 20)
    let projector = Projector(overlay: overlay, projections: test.projections)
    overlay.publish(publication("s1", position: 1))
    let (projections, key) = (test.projections, key("s1"))
    let misses = Monitor(0)
    let isDone = Monitor(false)
    let readers = (0..<2).map { number in
      Thread(name: "reader-\(number)") {
        var last: UInt32 = 0
        while !isDone.withLock({ $0 }) {
          // In this order, as SnapshotReader does.
          var version: UInt32?
          if let bytes = overlay.snapshot(key) {
            version = bytes.span.loadLittleEndian(at: 8)
          } else if let view = try? projections.view(), let bytes = try? view.snapshot(key) {
            version = bytes.loadLittleEndian(at: 8)
          }
          if version == nil || version ?? 0 < last { misses.withLock { $0 += 1 } }
          last = version ?? last
        }
      }
    }
    for position in 2...150 as ClosedRange<UInt64> {
      overlay.publish(publication("s1", position: position))
      try projector.flush()
    }
    isDone.withLock { $0 = true }
    for reader in readers { reader.join() }
    #expect(misses.withLock { $0 } == 0)
    #expect(try test.snapshot("s1") == snapshot("s1", position: 150))
  }
}
