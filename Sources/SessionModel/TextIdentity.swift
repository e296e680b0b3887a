extension String {
  /// Whether both texts are the same bytes.
  ///
  /// Names and values are compared like this everywhere. `==` would take canonically equivalent texts for equal, which
  /// to every client, key and signature are different ones.
  func isIdentical(to other: String) -> Bool {
    // Most that differ do so in length, which is known without a look at the bytes. `==` compares them at once, and
    // what it takes for equal are the same bytes where there are no other ones for a character, as in ASCII.
    utf8.count == other.utf8.count && self == other && (utf8Span.isKnownASCII || utf8.elementsEqual(other.utf8))
  }
}

extension String? {
  /// Whether both are the same bytes, or both nothing.
  func isIdentical(to other: String?) -> Bool {
    switch (self, other) {
    case (let text?, let other?): text.isIdentical(to: other)
    case (nil, nil): true
    default: false
    }
  }
}
