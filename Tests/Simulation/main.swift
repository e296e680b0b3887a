import Glibc
import Platform
import TestSupport

// Runs simulations from consecutive seeds, one after the other on one thread:
//
//     sessiond-simulate [--seed FIRST] [--count N] [--steps N] [--doctored NAME]
//
// Exit status 1 with the seed when one finds a violation. The folder of a seed bears its number, and is left where the
// process dies in one. With --doctored a step is done wrong, and it's a failure when no seed finds that.

struct Arguments {
  var seed: UInt64 = 1
  var count: UInt64 = 2000
  var steps = 60
  var doctored: Doctored?

  init?(_ words: [String]) {
    guard words.count.isMultiple(of: 2) else { return nil }
    for index in stride(from: 0, to: words.count, by: 2) {
      let value = words[index + 1]
      switch words[index] {
      case "--seed":
        guard let number = UInt64(value) else { return nil }
        seed = number
      case "--count":
        guard let number = UInt64(value), number > 0 else { return nil }
        count = number
      case "--steps":
        guard let number = Int(value), number > 0 else { return nil }
        steps = number
      case "--doctored":
        guard let name = Doctored(rawValue: value) else { return nil }
        doctored = name
      default: return nil
      }
    }
  }
}

guard let arguments = Arguments(Array(CommandLine.arguments.dropFirst())) else {
  print("usage: sessiond-simulate [--seed FIRST] [--count N] [--steps N] [--doctored NAME]; names:")
  for name in Doctored.allCases { print("  \(name.rawValue)") }
  exit(2)
}

let started = monotonicNanoseconds()
var counts = Simulation.Counts()
for offset in 0..<arguments.count {
  let seed = arguments.seed &+ offset
  do {
    let folder = try TemporaryFolder("seed-\(seed)")
    let simulation = try Simulation(seed: seed, folder: folder.path, doctored: arguments.doctored)
    try simulation.run(steps: arguments.steps)
    counts += simulation.counts
  } catch {
    if let doctored = arguments.doctored {
      print("\(doctored.rawValue): found by seed \(seed), after \(offset) others: \(error)")
      exit(0)
    }
    print("seed \(seed): \(error)")
    print("again: sessiond-simulate --seed \(seed) --count 1 --steps \(arguments.steps)")
    exit(1)
  }
}
let seconds = Double(monotonicNanoseconds() - started) / 1e9
if let doctored = arguments.doctored {
  print(
    "\(doctored.rawValue): NOT FOUND by the seeds from \(arguments.seed) to \(arguments.seed + arguments.count - 1)")
  exit(1)
}
print(
  "\(arguments.count) seeds from \(arguments.seed): no violation in \(counts.commands) commands, \(counts.accepted) "
    + "accepted, \(counts.erased) sessions erased, \(counts.expired) expiries seen, \(counts.pastAnswers) answers about the past, \(counts.faults) faults, \(counts.crashes) "
    + "crashes; \(Int(Double(arguments.count) / seconds)) seeds a second")
