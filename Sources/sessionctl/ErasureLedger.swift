internal import Platform
internal import SessionCodec

/// A file with events of erasures, a line each, as the feed and replay give them.
struct ErasureLedger {
  private static let maximumBytes = 1 << 30

  /// The erasures of the file at `path`; events of other types are passed over. Throws when it can't be read, or a line is
  /// no event.
  static func read(_ path: String) throws -> [ErasedEvent] {
    let content = try Files.read(path, maximumBytes: maximumBytes)
    var events: [ErasedEvent] = []
    for (number, line) in content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      if line.isEmpty { continue }
      let bytes = Array(line)
      switch readErasedEvent(bytes.span) {
      case .success(let event): if let event { events.append(event) }
      case .failure(let problem):
        let reason = printable(problem.details.first ?? problem.message)
        throw CommandFailure.failed(
          "\(printable(path)), line \(number + 1), is no event: \(reason); nothing was restored")
      }
    }
    return events
  }
}
