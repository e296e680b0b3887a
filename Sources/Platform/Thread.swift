internal import CLinux
internal import Glibc

/// A thread of the operating system with a name that `top` and `gdb` show.
///
/// LMDB binds a write transaction to its thread and commits block, so this work doesn't belong on a cooperative pool.
public final class Thread: Sendable {
  private let handle: pthread_t

  private final class Start {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// Starts `body` on a new thread; `name` is cut to 15 bytes, the kernel's limit.
  /// Ends the process, saying so, when the system allows no further thread, since none of ours is optional.
  public init(name: String, _ body: @escaping @Sendable () -> Void) {
    let start = unsafe Unmanaged.passRetained(Start(name: String(name.utf8.prefix(15)) ?? "sessiond", body: body))
    var created = pthread_t()
    let result = unsafe pthread_create(
      &created, nil,
      { argument in
        // The reference was passed retained to this thread alone.
        guard let argument = unsafe argument else { return nil }
        let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        _ = unsafe clinux_name_thread(start.name)
        start.body()
        return nil
      }, start.toOpaque())
    if result != 0 {
      Process.write("no further thread can be started: \(errorText(result)); raise TasksMax\n", toStandardError: true)
      Process.exit(1)
    }
    handle = created
  }

  /// Waits until the thread's body has returned. Call it once.
  public func join() {
    pthread_join(handle, nil)
  }
}
