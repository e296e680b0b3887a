/// About how many columns `text` takes on a terminal: wide characters of East Asian scripts and emoji take two, combining
/// ones none.
func displayWidth(_ text: String) -> Int {
  if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
  return text.unicodeScalars.reduce(0) { width, scalar in
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark: width
    default: width + (isWide(scalar) ? 2 : 1)
    }
  }
}

/// Whether a character takes two columns (the wide and fullwidth ranges of UAX #11, taken together where only rare ones
/// lie between).
private func isWide(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.value {
  case 0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60,
    0xffe0...0xffe6, 0x1f300...0x1f64f, 0x1f680...0x1f6ff, 0x1f900...0x1f9ff, 0x20000...0x3fffd:
    true
  default: false
  }
}
