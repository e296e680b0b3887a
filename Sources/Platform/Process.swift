internal import CLinux
internal import Glibc

/// What the process asks of, and is told by, the operating system.
public enum Process {
  /// The signals that a daemon answers to.
  public enum Signal: Int32, Sendable {
    /// Read the configuration again.
    case hangup = 1
    /// Stop, from the keyboard.
    case interrupt = 2
    /// Stop.
    case terminate = 15
  }

  /// Puts `/dev/null` in the place of standard input, output and error where they are closed: the next file that is
  /// opened would get the place, and what is said would be written into it. Call it before anything is opened.
  public static func occupyStandardDescriptors() {
    while true {
      let descriptor = unsafe open("/dev/null", O_RDWR)
      guard (0...2).contains(descriptor) else {
        if descriptor > 2 { close(descriptor) }
        return
      }
    }
  }

  /// Keeps the daemon's signals for ``waitForSignal()`` and ignores SIGPIPE. Call it before any thread starts: threads
  /// inherit it.
  public static func holdSignals() {
    // A write to a connection that the client has closed must be an error of that connection alone.
    _ = signal(SIGPIPE, SIG_IGN)
    var set = heldSignals()
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Waits for the next held signal.
  public static func waitForSignal() -> Signal {
    var set = heldSignals()
    while true {
      var number: Int32 = 0
      if unsafe sigwait(&set, &number) == 0, let signal = Signal(rawValue: number) { return signal }
    }
  }

  private static func heldSignals() -> sigset_t {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for signal in [Signal.hangup, .interrupt, .terminate] { unsafe sigaddset(&set, signal.rawValue) }
    return set
  }

  /// Has the process say `advice` in a line that begins with `lead`, on standard error, when a fault ends it: when it reads
  /// memory that can't be read, a library gives up, or the runtime stops it. Call it first of all: it asks for no memory,
  /// which may be what lacks.
  public static func explainFaults(lead: StaticString, _ advice: StaticString) {
    // A StaticString ends with a NUL.
    unsafe lead.utf8Start.withMemoryRebound(to: CChar.self, capacity: lead.utf8CodeUnitCount + 1) { lead in
      unsafe advice.utf8Start.withMemoryRebound(to: CChar.self, capacity: advice.utf8CodeUnitCount + 1) {
        unsafe clinux_explain_faults(lead, $0)
      }
    }
  }

  /// Allows as many open files as the system lets this process ask for.
  public static func raiseFileLimit() {
    var limit = rlimit()
    guard unsafe clinux_get_file_limit(&limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = limit.rlim_max
    // Not being allowed to is no reason to stop: the limit that was there stays.
    _ = unsafe clinux_set_file_limit(&limit)
  }

  /// The environment variables whose names begin with `prefix`.
  public static func environment(prefix: String) -> [String: String] {
    var variables: [String: String] = [:]
    var next = unsafe environ
    // environ(7): terminated strings `name=value` behind each other, the last pointer null.
    while let entry = unsafe next.pointee {
      let text = unsafe String(cString: entry)
      if text.hasPrefix(prefix), let equals = text.firstIndex(of: "=") {
        variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      unsafe next += 1
    }
    return variables
  }

  /// Writes text to standard output or standard error as it is.
  public static func write(_ text: String, toStandardError: Bool = false) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(toStandardError ? 2 : 1, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }

  /// Ends the process at once with that status, whatever its other threads are doing.
  ///
  /// Nothing else runs: exit(3) would take down libraries that those threads still use. What this module writes is
  /// written by then; who prints through C's streams has to flush them before.
  public static func exit(_ status: Int32) -> Never { _exit(status) }

  /// The process's number.
  public static var identifier: Int32 { getpid() }
}
