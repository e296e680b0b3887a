internal import Glibc

/// Collects what a program prints and writes it in large pieces, with every error told: a full disk, a closed pipe.
public struct Output: ~Copyable {
  /// What waits to be written; append to it.
  public var bytes: [UInt8] = []
  private let descriptor: Int32
  private static let pieceBytes = 64 << 10

  /// Standard output, which nothing else writes to meanwhile.
  public static func standard() -> Output { Output(descriptor: 1) }

  private init(descriptor: Int32) {
    self.descriptor = descriptor
    bytes.reserveCapacity(2 * Self.pieceBytes)
  }

  /// Appends text.
  public mutating func append(_ text: String) {
    bytes.append(contentsOf: text.utf8)
  }

  /// Whether somebody may still read what is written: false once the other end of a pipe is closed.
  public var hasReader: Bool {
    var state = pollfd(fd: descriptor, events: 0, revents: 0)
    // poll(2): errors are told without being asked for; a time of 0 doesn't wait.
    guard unsafe poll(&state, 1, 0) > 0 else { return true }
    return Int32(state.revents) & (Int32(POLLERR) | Int32(POLLNVAL)) == 0
  }

  /// Writes what waits when it is much.
  public mutating func flushWhenLarge() throws(SystemError) {
    if bytes.count >= Self.pieceBytes { try flush() }
  }

  /// Writes all that waits. Throws what the system refused; ``SystemError/isBrokenPipe`` when nobody reads any more.
  public mutating func flush() throws(SystemError) {
    defer { bytes.removeAll(keepingCapacity: true) }
    try writeAll(bytes.span, to: descriptor, "write the output")
  }
}

/// Writes all bytes to `descriptor`, however many calls it takes.
func writeAll(_ bytes: Span<UInt8>, to descriptor: Int32, _ action: @autoclosure () -> String) throws(SystemError) {
  var written = 0
  while written < bytes.count {
    let rest = bytes.extracting(written..<bytes.count)
    // write(2): reads at most `count` bytes from the pointer, and returns how many it took.
    let count = unsafe rest.withUnsafeBufferPointer { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
    if count < 0 && errno == EINTR { continue }
    guard count >= 0 else { throw .current(action()) }
    written += count
  }
}

extension SystemError {
  /// Whether the reader of a pipe has gone.
  public var isBrokenPipe: Bool { code == EPIPE }
}
