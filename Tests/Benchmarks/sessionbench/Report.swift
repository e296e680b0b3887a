internal import Glibc
internal import Platform

/// What went other than it must, so that no figure counts.
struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Prints one line of JSON with numbers.
func report(_ figures: [(name: String, value: String)]) {
  let members = figures.map { "\"\($0.name)\": \($0.value)" }
  Process.write("{\(members.joined(separator: ", "))}\n")
}

/// The processor time that all threads of this process have used so far, in nanoseconds.
func processorNanoseconds() -> UInt64 {
  var time = timespec()
  unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Nanoseconds as seconds in decimals.
func seconds(_ nanoseconds: UInt64) -> String { "\(Double(nanoseconds) / 1e9)" }
