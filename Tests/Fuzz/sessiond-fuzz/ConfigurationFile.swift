import Platform

/// Configuration files: read or refused with one line that says where, whatever stands around them.
func fuzzConfig(_ bytes: [UInt8]) {
  let problem = readingProblem(bytes)
  require(problem.map { !$0.isEmpty && !$0.utf8.contains(0x0a) } ?? true, "\(problem ?? "")")
  // Blanks and comments change nothing; only the line of a problem moves.
  let around = Array("/* a */ ".utf8) + bytes + Array("\n// b".utf8)
  require((readingProblem(around) == nil) == (problem == nil), "comments make a difference: \(problem ?? "none")")
  if problem == nil {
    // What is said twice is refused, since nobody can know which one is meant.
    let twice = Array("{logLevel: 'info', logLevel: 'info',".utf8)
    let body = bytes.drop { $0 != UInt8(ascii: "{") }.dropFirst()
    require(readingProblem(twice + body) != nil, "a key that is given twice is taken")
  }
}

private func readingProblem(_ bytes: [UInt8]) -> String? {
  var settings = Settings()
  do throws(SettingsError) {
    try settings.read(json5: bytes)
    return nil
  } catch {
    return error.description
  }
}
