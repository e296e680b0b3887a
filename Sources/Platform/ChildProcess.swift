internal import CLinux
internal import Glibc

/// Another run of this very program, whose standard output is read line by line.
///
/// For work that may bring a process down whatever one does, such as reading a damaged memory-mapped file.
public enum ChildProcess {
  /// How a child ended.
  public enum Ending: Equatable, Sendable {
    /// By itself, with that status.
    case exited(Int32)
    /// By a signal.
    case signalled(Int32)

    /// Whether it ran into memory that can't be read, divided by a number that it read there, or a library saw that its
    /// data can't be right: SIGSEGV, SIGBUS, SIGFPE, SIGABRT.
    public var isMemoryFault: Bool {
      switch self {
      case .exited: false
      case .signalled(let signal): [SIGSEGV, SIGBUS, SIGFPE, SIGABRT].contains(signal)
      }
    }
  }

  /// Runs this program with `arguments` and hands each line of its output to `body`; returns how it ended.
  public static func run(
    _ arguments: [String], _ body: (String) -> Void
  ) throws(SystemError) -> Ending {
    var ends: (read: Int32, write: Int32) = (-1, -1)
    guard unsafe clinux_pipe(&ends.read, &ends.write) == 0 else { throw .current("make a pipe") }
    let child: pid_t
    do throws(SystemError) {
      child = try spawn(arguments, output: ends.write)
    } catch {
      close(ends.read)
      close(ends.write)
      throw error
    }
    close(ends.write)
    readLines(ends.read, body)
    close(ends.read)
    var status: Int32 = 0
    while unsafe waitpid(child, &status, 0) < 0 {
      guard errno == EINTR else { throw .current("wait for the child process") }
    }
    // wait(2): the low seven bits hold the signal that ended it, 0 for an exit whose status is in the next eight.
    return status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .signalled(status & 0x7f)
  }

  /// Has the kernel end this process, which `run` started, when the one that started it ends, however that comes about.
  public static func endWithParent() {
    _ = clinux_end_with_parent()
    // If that had ended before, nobody reads what this one writes.
    var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
    if unsafe poll(&output, 1, 0) == 1 { Process.exit(1) }
  }

  private static func spawn(_ arguments: [String], output: Int32) throws(SystemError) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
    var variables = Process.environment(prefix: "")
    // A crash is an answer here; the runtime needn't explain it.
    variables["SWIFT_BACKTRACE"] = "enable=no"
    var child = pid_t()
    // proc(5): the program that this process runs, though its file may have been replaced meanwhile.
    let path = "/proc/self/exe"
    let code = unsafe withStrings([CommandLine.arguments.first ?? "sessionctl"] + arguments) { arguments in
      unsafe withStrings(variables.map { "\($0.key)=\($0.value)" }) { variables in
        unsafe posix_spawn(&child, path, &actions, nil, arguments, variables)
      }
    }
    guard code == 0 else { throw SystemError(code: code, action: "start another process") }
    return child
  }

  /// Runs `body` with `texts` as C has them: terminated strings, the last pointer null.
  private static func withStrings<Result>(
    _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    var pointers = unsafe texts.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe body(&pointers)
  }

  private static func readLines(_ descriptor: Int32, _ body: (String) -> Void) {
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    var line: [UInt8] = []
    while true {
      let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      for byte in chunk[..<count] {
        guard byte == UInt8(ascii: "\n") else {
          line.append(byte)
          continue
        }
        body(String(decoding: line, as: UTF8.self))
        line.removeAll(keepingCapacity: true)
      }
    }
  }
}
