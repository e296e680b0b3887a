internal import Platform
internal import SessionStore

/// A file with marks of how far logs have been proved.
struct MarksFile {
  let path: String

  init(_ path: String) {
    self.path = path
  }

  /// The marks; nil when there is no file yet. Throws when it is no such file.
  func read() throws -> ChainMarks? {
    guard try Files.exists(path) else { return nil }
    let content = try Files.read(path)
    guard let text = String(validating: content.span), let marks = ChainMarks(text) else {
      throw CommandFailure.failed("\(path) holds no marks of a verification, or is damaged")
    }
    return marks
  }

  /// Puts `marks` in place of what the file holds, durably.
  func write(_ marks: ChainMarks) throws(SystemError) {
    try Files.replace(path, with: Array(marks.text.utf8))
  }
}
