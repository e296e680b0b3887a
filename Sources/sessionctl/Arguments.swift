/// The command line, taken apart: `sessionctl [--data-dir DIR] COMMAND [ARGUMENT…] [--OPTION [VALUE]…]`.
struct Arguments {
  /// What can't be meant, in words.
  struct Problem: Error {
    let text: String
  }

  /// Options that take no value.
  private static let flags: Set<String> = ["--json", "--help", "--version"]

  private(set) var words: [String] = []
  private var options: [String: String] = [:]

  /// Takes arguments apart, the program's name left out.
  init(_ arguments: [String]) throws(Problem) {
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      guard argument.hasPrefix("--") else {
        words.append(argument)
        continue
      }
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      if Self.flags.contains(argument) {
        options[argument] = ""
      } else if parts.count == 2 {
        options[parts[0]] = parts[1]
      } else {
        guard let value = rest.popFirst() else { throw Problem(text: "\(argument) needs a value") }
        options[argument] = value
      }
    }
  }

  /// Takes an option's value out; nil when it isn't there.
  mutating func take(_ option: String) -> String? { options.removeValue(forKey: option) }

  /// Takes a flag out.
  mutating func takeFlag(_ flag: String) -> Bool { options.removeValue(forKey: flag) != nil }

  /// Takes the next word out; nil when there is none.
  mutating func takeWord() -> String? { words.isEmpty ? nil : words.removeFirst() }

  /// Refuses what nobody has taken out.
  func finish() throws(Problem) {
    if let option = options.keys.min() { throw Problem(text: "there is no option \(option) here") }
    if let word = words.first { throw Problem(text: "\(word) is one word too many") }
  }
}
