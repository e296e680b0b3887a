/// The words of the command line: a command, a folder, then options with a whole number each.
struct Options {
  static let usage = """
    usage: sessionbench COMMAND DIR [OPTION…]

      append DIR --events N [--sessions N] [--batch 64]  appends events to the new log DIR/log, a commit for each batch
      replay DIR                                         folds the log of the tenant acme in DIR/log in memory
      fill DIR --events N --sessions N                   goes on with the store in DIR until it holds so many events

    Each prints one line of JSON.

    """

  /// A command line that can't be meant, in words.
  struct Problem: Error {
    let description: String

    init(_ description: String) { self.description = description }
  }

  let command: String
  let directory: String
  private var numbers: [String: Int] = [:]

  init(_ arguments: ArraySlice<String>) throws(Problem) {
    var rest = arguments
    guard let command = rest.popFirst(), let directory = rest.popFirst() else {
      throw Problem("the command and its folder are missing")
    }
    (self.command, self.directory) = (command, directory)
    while let option = rest.popFirst() {
      guard let text = rest.popFirst(), let number = Int(text), number > 0 else {
        throw Problem("\(option) needs a number above 0")
      }
      numbers[option] = number
    }
  }

  /// Takes an option's number out. Throws when it has neither one nor a default.
  mutating func take(_ option: String, default standard: Int? = nil) throws(Problem) -> Int {
    guard let number = numbers.removeValue(forKey: option) ?? standard else { throw Problem("\(option) is missing") }
    return number
  }

  /// Refuses what nobody has taken out.
  func finish() throws(Problem) {
    if let option = numbers.keys.min() { throw Problem("there is no option \(option) here") }
  }
}
