internal import Glibc

extension Span where Element == UInt8 {
  /// The integer stored at `offset`, least significant byte first; traps when it reaches past the end.
  @inlinable
  public func loadLittleEndian<Value: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, as type: Value.Type = Value.self
  ) -> Value {
    precondition(offset >= 0 && count - offset >= MemoryLayout<Value>.size)
    let value = unsafe withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: offset, as: Value.self) }
    return Value(littleEndian: value)
  }

  /// The integer stored at `offset`, most significant byte first; traps when it reaches past the end.
  @inlinable
  public func loadBigEndian<Value: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, as type: Value.Type = Value.self
  ) -> Value {
    loadLittleEndian(at: offset, as: type).byteSwapped
  }

  /// Whether both spans hold the same bytes.
  public func isEqual(to other: Span<UInt8>) -> Bool {
    count == other.count && compare(other, count) == 0
  }

  /// Whether this span's bytes sort before the other's; of two that begin alike, the shorter one does.
  public func precedes(_ other: Span<UInt8>) -> Bool {
    let order = compare(other, min(count, other.count))
    return order != 0 ? order < 0 : count < other.count
  }

  /// Whether the span's first bytes are those of `prefix`.
  public func hasPrefix(_ prefix: [UInt8]) -> Bool {
    count >= prefix.count && extracting(0..<prefix.count).isEqual(to: prefix.span)
  }

  /// The place of the first byte from `start` on that is `byte`, nil when there is none.
  public func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
    guard start >= 0, start < count else { return nil }
    return unsafe withUnsafeBufferPointer { bytes in
      // memchr(3): reads no more than that many bytes.
      guard let first = bytes.baseAddress, let found = unsafe memchr(first + start, Int32(byte), bytes.count - start)
      else { return nil }
      return unsafe UnsafeRawPointer(found) - UnsafeRawPointer(first)
    }
  }

  /// Whether the span holds the bytes of `text`.
  public func isEqual(to text: StaticString) -> Bool {
    // A StaticString's bytes are there as long as the program.
    unsafe isEqual(to: Span(_unsafeStart: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private func compare(_ other: Span<UInt8>, _ count: Int) -> Int32 {
    guard count > 0 else { return 0 }
    return unsafe withUnsafeBufferPointer { left in
      unsafe other.withUnsafeBufferPointer { right in
        guard let left = left.baseAddress, let right = right.baseAddress else { return 0 }
        // memcmp(3): reads `count` bytes from each, which both have.
        return unsafe memcmp(left, right, count)
      }
    }
  }
}

extension [UInt8] {
  /// The bytes that `body` appends, at most `byteCapacity`. The initialisers that Swift 6.3 has for that ask for their
  /// memory in a way that costs several times as much.
  @inlinable
  public init(byteCapacity: Int, _ body: (inout OutputSpan<UInt8>) -> Void) {
    self.init()
    append(addingCapacity: byteCapacity, initializingWith: body)
  }

  /// Copies the bytes of `span` into a new array.
  @inlinable
  public init(copying span: Span<UInt8>) {
    self = unsafe span.withUnsafeBufferPointer { unsafe Array($0) }
  }

  /// Appends the bytes of `span`.
  @inlinable
  public mutating func append(copying span: Span<UInt8>) {
    append(addingCapacity: span.count) { $0.append(copying: span) }
  }

  /// Appends the bytes of `text`: no reference is counted and no text converted.
  @inlinable
  public mutating func append(_ text: StaticString) {
    append(addingCapacity: text.utf8CodeUnitCount) { $0.append(text) }
  }

  /// Appends `value`, least significant byte first.
  @inlinable
  public mutating func appendLittleEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
    append(addingCapacity: MemoryLayout<Value>.size) { $0.appendLittleEndian(value) }
  }

  /// Appends `value`, most significant byte first, so that the bytes sort as the numbers do.
  @inlinable
  public mutating func appendBigEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
    appendLittleEndian(value.byteSwapped)
  }

  /// Replaces the bytes at `offset` by `value`, least significant byte first; traps when it reaches past the end.
  @inlinable
  public mutating func storeLittleEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
    precondition(offset >= 0 && count - offset >= MemoryLayout<Value>.size)
    unsafe withUnsafeMutableBytes { unsafe $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self) }
  }
}

extension OutputSpan where Element == UInt8 {
  /// Appends the bytes of `span`; traps when there is no room for them.
  @inlinable
  @_lifetime(self: copy self)
  public mutating func append(copying span: Span<UInt8>) {
    precondition(span.count <= freeCapacity)
    unsafe span.withUnsafeBufferPointer { source in
      unsafe withUnsafeMutableBufferPointer { target, count in
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        unsafe (to + count).initialize(from: from, count: source.count)
        count += source.count
      }
    }
  }

  /// Appends `value`, least significant byte first; traps when there is no room for it.
  @inlinable
  @_lifetime(self: copy self)
  public mutating func appendLittleEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
    precondition(MemoryLayout<Value>.size <= freeCapacity)
    unsafe withUnsafeMutableBufferPointer { target, count in
      unsafe UnsafeMutableRawBufferPointer(target)
        .storeBytes(of: value.littleEndian, toByteOffset: count, as: Value.self)
      count += MemoryLayout<Value>.size
    }
  }

  /// Appends the bytes of `text`; traps when there is no room for them.
  @inlinable
  @_lifetime(self: copy self)
  public mutating func append(_ text: StaticString) {
    // A StaticString's bytes are there as long as the program.
    unsafe append(copying: Span(_unsafeStart: text.utf8Start, count: text.utf8CodeUnitCount))
  }
}

extension String {
  /// The text whose bytes `body` appends, at most `byteCapacity`. Bytes that aren't UTF-8 are replaced.
  @inlinable
  public init(byteCapacity: Int, _ body: (inout OutputSpan<UInt8>) -> Void) {
    unsafe self.init(unsafeUninitializedCapacity: byteCapacity) { buffer in
      var output = unsafe OutputSpan(buffer: buffer, initializedCount: 0)
      body(&output)
      return unsafe output.finalize(for: buffer)
    }
  }

  /// The text of `span`. Bytes that aren't UTF-8 are replaced.
  public init(decoding span: Span<UInt8>) {
    // The standard library's decoding takes a collection, which a span is not.
    self = unsafe span.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
  }

  /// The text of `span`, or nil when the bytes are not UTF-8.
  @inlinable
  public init?(validating span: Span<UInt8>) {
    guard let text = try? UTF8Span(validating: span) else { return nil }
    self.init(copying: text)
  }
}

extension String {
  /// Runs `body` with the bytes of the text in UTF-8, without copying them.
  ///
  /// In place of `utf8Span`: the span of a text short enough to lie in the string itself points to the stack, and the
  /// optimizer of Swift 6.3 doesn't see that. It ends the frame before the last use of the span, in tail calls at least.
  @inlinable
  public func withBytes<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
    var text = self
    return text.withUTF8 { unsafe body(Span(_unsafeElements: $0)) }
  }
}

/// The bytes in lower-case hexadecimal.
public func hexadecimal(_ bytes: Span<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  text.reserveCapacity(bytes.count * 2)
  for index in bytes.indices {
    text.append(digits[Int(bytes[index] >> 4)])
    text.append(digits[Int(bytes[index] & 15)])
  }
  return String(decoding: text, as: UTF8.self)
}
