internal import CSystemd
internal import Glibc

/// What the service manager is told, and what it hands over. Without one, nothing happens.
public enum ServiceManager {
  /// Something that the manager should know (sd_notify(3)).
  public enum Notice: Sendable, Equatable {
    /// The start, or the reading of the configuration, is done.
    case ready
    /// The configuration is read again; `ready` follows.
    case reloading
    /// The service stops.
    case stopping
    /// What the service is doing, in one line for people.
    case status(String)
    /// The service still works; due in every interval of the watchdog.
    case watchdog
    /// A start or stop takes that much longer, counted from now, in microseconds.
    case extendTimeout(microseconds: UInt64)

    var assignment: String {
      switch self {
      case .ready: "READY=1"
      case .reloading: "RELOADING=1"
      case .stopping: "STOPPING=1"
      // The protocol is one assignment a line.
      case .status(let text): "STATUS=" + String(text.map { $0.isNewline ? " " : $0 })
      case .watchdog: "WATCHDOG=1"
      case .extendTimeout(let microseconds): "EXTEND_TIMEOUT_USEC=\(microseconds)"
      }
    }
  }

  /// Tells the manager, all at once. A manager that can't be reached is no reason to stop working.
  public static func notify(_ notices: Notice...) {
    // sd_notify(3): does nothing without NOTIFY_SOCKET; thread-safe while the variable is left alone.
    _ = unsafe sd_notify(0, notices.map(\.assignment).joined(separator: "\n"))
  }

  /// The watchdog's interval in microseconds (sd_watchdog_enabled(3)), nil when nobody watches this process.
  public static var watchdogMicroseconds: UInt64? {
    var interval: UInt64 = 0
    return unsafe sd_watchdog_enabled(0, &interval) > 0 && interval > 0 ? interval : nil
  }

  /// A socket that the manager has opened and passed on.
  public struct InheritedSocket: Sendable, Equatable {
    /// The descriptor, which belongs to whoever takes it from here.
    public let descriptor: Int32
    /// The name of its socket unit, or what `FileDescriptorName=` says.
    public let name: String
  }

  /// The sockets that the manager has passed to this process (sd_listen_fds(3)); nil when what the environment says of them
  /// doesn't fit the descriptors that are there.
  public static func inheritedSockets() -> [InheritedSocket]? {
    var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    // sd_listen_fds_with_names(3): as many names as descriptors, which begin at 3; the array and its texts are ours to
    // free. It sets FD_CLOEXEC on each.
    let count = unsafe sd_listen_fds_with_names(0, &names)
    guard count >= 0 else { return nil }
    guard count > 0, let names = unsafe names else { return [] }
    defer { unsafe free(names) }
    return (0..<Int(count)).map { index in
      let name = unsafe names[index]
      defer { unsafe free(name) }
      return InheritedSocket(
        descriptor: SD_LISTEN_FDS_START + Int32(index), name: unsafe name.map { unsafe String(cString: $0) } ?? "")
    }
  }
}
