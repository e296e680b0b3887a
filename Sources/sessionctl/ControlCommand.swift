internal import Platform
internal import SessionStore

/// One of the commands of `sessionctl`.
protocol ControlCommand {
  /// Its name on the command line.
  static var name: String { get }
  /// What it does, in a line.
  static var summary: String { get }
  /// All there is to know about it: usage, options, examples.
  static var help: String { get }

  /// Takes what belongs to it out of the command line.
  init(_ arguments: inout Arguments) throws(Arguments.Problem)

  /// Does it.
  func run(in directory: DataDirectory) throws -> ExitStatus
}

/// Something that keeps a command from its end, with the status that the program ends with.
struct CommandFailure: Error {
  /// What to say; empty when it has been said.
  let text: String
  let status: ExitStatus

  /// Something is not there that was asked for.
  static func finding(_ text: String) -> CommandFailure { CommandFailure(text: text, status: .finding) }
  /// It could not be done.
  static func failed(_ text: String) -> CommandFailure { CommandFailure(text: text, status: .failed) }
}

/// Prints bytes that are shown at once. Throws when they can't all be written.
func printAll(_ write: (inout [UInt8]) throws -> Void) throws {
  var output = Output.standard()
  try write(&output.bytes)
  do {
    try output.flush()
  } catch {
    // Who closes the pipe has seen enough. What the command has found is its status all the same.
    guard error.isBrokenPipe else { throw error }
  }
}
