internal import CLinux
internal import Glibc

extension Process {
  /// Whether standard error goes to a terminal, where a person looks at it.
  public static var isErrorTerminal: Bool { isatty(2) == 1 }

  /// Whether standard output goes to a plain file.
  public static var isOutputFile: Bool {
    var status = stat()
    return unsafe fstat(1, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// Makes a write to a pipe without a reader an error instead of the end of the process.
  public static func ignoreBrokenPipes() {
    _ = signal(SIGPIPE, SIG_IGN)
  }
}
