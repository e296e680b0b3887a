internal import CSimdjson

/// A JSON object that was read from a request body: a flat list of its members, or the reason why it is refused.
///
/// Its texts are borrowed from memory of the thread, which has one document at a time.
@safe struct JSONDocument: ~Copyable, ~Escapable {
  private let document: CSimdjsonDocument

  /// Reads `body`; with `expand` the members of its objects `context` and `metadata` are listed too.
  ///
  /// The document doesn't point into `body`. Bound to it all the same, it can't leave the function that was given the
  /// body, and so neither the thread.
  @_lifetime(copy body)
  init(_ body: Span<UInt8>, maximumDepth: Int, expand: Bool) {
    var document = unsafe CSimdjsonDocument()
    let depth = UInt32(clamping: maximumDepth)
    unsafe body.withUnsafeBufferPointer { bytes in
      // csimdjson.h: reads `count` bytes and keeps no pointer to them; `json` may be null when there are none.
      unsafe csimdjson_read(bytes.baseAddress, bytes.count, depth, expand, &document)
    }
    unsafe self.document = document
  }

  deinit {
    // csimdjson.h: ends the use of the memory that the texts point to; nothing borrowed from here outlives this.
    csimdjson_release()
  }

  /// Why the document is refused, `.none` when it isn't.
  var problem: CSimdjsonProblem { unsafe document.problem }

  /// The byte at which the problem was found.
  var problemOffset: Int { unsafe document.offset }

  /// The names that lead to the place of the problem, from the document's object inwards; only for problems of a place.
  var problemPath: [String] {
    unsafe [document.outer, document.inner].filter { unsafe $0.bytes != nil }.map { unsafe JSONDocument.string($0) }
  }

  /// The name that occurs twice.
  var problemName: String { unsafe JSONDocument.string(document.name) }

  /// How many members there are.
  var count: Int { unsafe document.count }

  /// The member at `index`, in the order in which they were sent.
  subscript(index: Int) -> JSONMember {
    @_lifetime(borrow self)
    get {
      precondition(index >= 0 && index < count)
      // csimdjson.h: `members` points to `count` members when there was no problem, and `count` is 0 otherwise.
      let member = unsafe JSONMember(document.members[index])
      return unsafe _overrideLifetime(member, borrowing: self)
    }
  }

  /// How many members directly after `index` stand in `container`.
  func count(after index: Int, in container: CSimdjsonContainer) -> Int {
    var next = index + 1
    while next < count && self[next].container == container { next += 1 }
    return next - index - 1
  }

  fileprivate static func string(_ text: CSimdjsonText) -> String {
    // csimdjson.h: texts are valid UTF-8, so that decoding repairs nothing.
    unsafe String(decoding: UnsafeBufferPointer(start: text.bytes, count: text.count), as: UTF8.self)
  }
}

/// One member of a JSON object.
@safe struct JSONMember: ~Escapable {
  private let member: CSimdjsonMember

  @_lifetime(immortal)
  fileprivate init(_ member: CSimdjsonMember) {
    unsafe self.member = member
  }

  /// Where it stands.
  var container: CSimdjsonContainer { unsafe member.container }

  /// What its value is.
  var kind: CSimdjsonKind { unsafe member.kind }

  /// The name, unescaped.
  var name: Span<UInt8> {
    @_lifetime(copy self)
    get { unsafe span(member.name) }
  }

  /// The value as it was sent, without the whitespace around it.
  var raw: Span<UInt8> {
    @_lifetime(copy self)
    get { unsafe span(member.raw) }
  }

  /// The text of a string, unescaped; empty for other values.
  var text: Span<UInt8> {
    @_lifetime(copy self)
    get { unsafe span(member.text) }
  }

  /// The name as a string.
  var nameString: String { unsafe JSONDocument.string(member.name) }

  /// The text of a string as a string.
  var textString: String { unsafe JSONDocument.string(member.text) }

  /// The value of an integer.
  var integer: Int64 { unsafe member.integer }

  @_lifetime(copy self)
  private func span(_ text: CSimdjsonText) -> Span<UInt8> {
    // csimdjson.h: `count` bytes of the thread's memory, valid until the document is released.
    let span = unsafe Span(_unsafeStart: text.bytes, count: text.count)
    return unsafe _overrideLifetime(span, copying: self)
  }
}

/// Whether `name` is this ASCII literal: lets a `switch` over a name list the names.
func ~= (literal: StaticString, name: Span<UInt8>) -> Bool {
  guard name.count == literal.utf8CodeUnitCount else { return false }
  for index in name.indices {
    // StaticString: utf8Start points to utf8CodeUnitCount bytes that live as long as the process.
    if unsafe literal.utf8Start[index] != name[index] { return false }
  }
  return true
}
