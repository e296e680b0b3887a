/// Text as it can be shown on a terminal and in one line: control characters, invisible ones and those that turn the
/// direction of writing are escaped, `\` too, so that nothing can pretend to be something else.
public func printable(_ text: String) -> String {
  var shown = String.UnicodeScalarView()
  for scalar in text.unicodeScalars {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
      shown.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
    default:
      if scalar == "\\" { shown.append(scalar) }
      shown.append(scalar)
    }
  }
  return String(shown)
}
