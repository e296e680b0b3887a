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

/// Nanoseconds as seconds in decimals.
func seconds(_ nanoseconds: UInt64) -> String { "\(Double(nanoseconds) / 1e9)" }
