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
  @inlinable
  public func isEqual(to other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for index in indices where self[index] != other[index] { return false }
    return true
  }
}

extension [UInt8] {
  /// Copies the bytes of `span` into a new array.
  @inlinable
  public init(copying span: Span<UInt8>) {
    self = unsafe span.withUnsafeBufferPointer { unsafe Array($0) }
  }

  /// Appends the bytes of `span`.
  @inlinable
  public mutating func append(copying span: Span<UInt8>) {
    unsafe span.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }

  /// Appends `value`, least significant byte first.
  @inlinable
  public mutating func appendLittleEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
    unsafe Swift.withUnsafeBytes(of: value.littleEndian) { unsafe append(contentsOf: $0) }
  }

  /// Appends `value`, most significant byte first, so that the bytes sort as the numbers do.
  @inlinable
  public mutating func appendBigEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
    unsafe Swift.withUnsafeBytes(of: value.bigEndian) { unsafe append(contentsOf: $0) }
  }

  /// Replaces the bytes at `offset` by `value`, least significant byte first; traps when it reaches past the end.
  @inlinable
  public mutating func storeLittleEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
    precondition(offset >= 0 && count - offset >= MemoryLayout<Value>.size)
    unsafe withUnsafeMutableBytes { unsafe $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self) }
  }
}

extension String {
  /// The text of `span`, or nil when the bytes are not UTF-8.
  @inlinable
  public init?(validating span: Span<UInt8>) {
    let text = unsafe span.withUnsafeBufferPointer { unsafe String(validating: $0, as: UTF8.self) }
    guard let text else { return nil }
    self = text
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
