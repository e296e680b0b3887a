internal import Platform

/// Runs a copy on a thread of its own, and meanwhile shows how its file grows.
enum CopyProgress {
  /// Runs `body`, which writes about `total` bytes to `file`. Throws what it throws.
  static func run(_ name: String, file: String, total: UInt64, _ body: () throws -> Void) throws {
    guard Process.isErrorTerminal else { return try body() }
    let isDone = Monitor(false)
    let watcher = Thread(name: "progress") {
      var bar = ProgressBar(name, total: total, unit: .bytes)
      while isDone.wait(milliseconds: 200, { $0 ? true : nil }) == nil { bar.reach(Files.size(file)) }
      bar.finish()
    }
    defer {
      isDone.signal { $0 = true }
      watcher.join()
    }
    try body()
  }
}
