extension String {
  /// Whether both texts are the same bytes.
  ///
  /// Names and values are compared like this everywhere. `==` would take canonically equivalent texts for equal, which
  /// to every client, key and signature are different ones.
  func isIdentical(to other: String) -> Bool {
    // Most that differ do so in length, which is known without a look at the bytes. `==` compares the bytes at once where
    // there are no other ones for a character, as in ASCII; elsewhere it normalizes what differs.
    utf8.count == other.utf8.count && (utf8Span.isKnownASCII ? self == other : utf8.elementsEqual(other.utf8))
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
