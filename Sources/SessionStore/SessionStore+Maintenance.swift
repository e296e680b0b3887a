internal import EventLog
internal import Platform
internal import Projections
internal import SessionModel

// The maintenance thread: it sweeps, and looks at the clock, the disk, the log's file and the readers.

extension SessionStore {
  func maintain() {
    func rest(_ milliseconds: Int) -> Bool {
      maintenance.wait(milliseconds: milliseconds) { $0 ? true : nil } == nil
    }
    let sweeper = Sweeper(self, pause: rest)
    var clock = ClockWatch(wall: now(), nanoseconds: monotonicNanoseconds())
    var nextLook: UInt64 = 0
    var nextClearing = monotonicNanoseconds() + 60_000_000_000
    var pause = 0
    repeat {
      let started = monotonicNanoseconds()
      if let step = clock.step(wall: now(), nanoseconds: started) { observer.notice(step) }
      let isTrusted = clock.isTrusted(nanoseconds: started)
      if started >= nextLook {
        lookForLog()
        lookAtDisk()
        nextLook = started + 1_000_000_000
      }
      if started >= nextClearing {
        clearStaleReaders()
        nextClearing = started + 60_000_000_000
      }
      // Right after the start, too: sessions may have come due while nothing ran. When there is more to do it goes on.
      let interval = configuration.sweepIntervalMilliseconds
      let isDone = interval == 0 || !isTrusted || sweeper.run(milliseconds: 1000)
      pause = isDone ? (interval == 0 ? 1000 : interval) : 0
    } while rest(pause)
  }

  private func clearStaleReaders() {
    do {
      try log.clearStaleReaders()
      try projections.clearStaleReaders()
    } catch {
      observer.notice("\(StoreError(error))")
    }
  }

  /// Fails when the log's file isn't there any more, or is another one: what is committed would be lost with the process.
  private func lookForLog() {
    guard directory.hasLostLog(logFile) else { return }
    fail(
      .directory("\(directory.logFile) was removed or replaced while it was in use; put it back, or restore a backup"))
  }

  func lookAtDisk() {
    do throws(SystemError) {
      let unflushed = overlay.usage.bytes
      switch try disk.look(unflushedBytes: unflushed) {
      case true?:
        let reason = unflushed > disk.bytes ? "what waits to be flushed" : "storage.diskReserveBytes"
        observer.notice(
          "changes are refused: less than \(max(disk.bytes, unflushed)) bytes are free on the disk (\(reason)); make room"
        )
      case false?: observer.notice("changes are taken again: there is room on the disk")
      case nil: break
      }
    } catch {
      observer.notice("\(error)")
    }
  }
}
