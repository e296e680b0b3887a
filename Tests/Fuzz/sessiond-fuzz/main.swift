import CFuzzer
import Glibc

// sessiond-fuzz TARGET [libFuzzer's options and folders], or sessiond-fuzz seeds FOLDER: one program for all targets;
// see Tests/fuzz.

/// What bytes from outside are given to. Each target says more of them than that nothing crashes: what is read can be
/// written and read again to the same, or a second reader agrees, or what must be refused is.
let targets: [String: @Sendable ([UInt8]) -> Void] = [
  "config": fuzzConfig, "frame": fuzzFrame, "gate": fuzzGate, "json": fuzzJSON, "path": fuzzPath,
  "payload": fuzzPayload, "snapshot": fuzzSnapshot, "token": fuzzToken,
]

/// Ends the process when a property doesn't hold: libFuzzer keeps the input.
func require(_ holds: Bool, _ problem: @autoclosure () -> String) {
  guard !holds else { return }
  print("property: \(problem())")
  fflush(nil)
  abort()
}

let words = CommandLine.arguments
if words.count == 3, words[1] == "seeds" {
  try writeSeeds(words[2])
  exit(0)
}
guard words.count > 1, let target = targets[words[1]] else {
  print("usage: sessiond-fuzz \(targets.keys.sorted().joined(separator: "|")) [options of libFuzzer]")
  exit(2)
}
/// The target of this process: libFuzzer's callback can't bring one along.
let chosen = target

// libFuzzer keeps the texts for the life of the process.
var options = unsafe ([words[0]] + words.dropFirst(2)).map { unsafe strdup($0) }
unsafe options.append(nil)
var count = Int32(words.count - 1)
let status = unsafe options.withUnsafeMutableBufferPointer { buffer in
  var arguments = buffer.baseAddress
  return unsafe LLVMFuzzerRunDriver(&count, &arguments) { data, size in
    // libFuzzer: `size` bytes, which are its own again when this returns.
    chosen(unsafe [UInt8](UnsafeBufferPointer(start: data, count: size)))
    return 0
  }
}
exit(status)
