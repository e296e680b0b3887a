internal import Platform
internal import SessionModel

/// A stored record that can't be what was written: bytes are missing, left over or impossible.
public struct DamagedRecord: Error, Equatable, Sendable {
  /// What is wrong with it.
  public let reason: String

  /// A record that is damaged in that way.
  public init(_ reason: String) {
    self.reason = reason
  }
}

/// Reads a stored record from front to back; whatever reaches past its end is damage.
struct RecordReader: ~Escapable {
  private let bytes: Span<UInt8>
  private var offset = 0

  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>) {
    self.bytes = bytes
  }

  var isAtEnd: Bool { offset == bytes.count }

  @_lifetime(self: copy self)
  mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
    _ type: Value.Type = Value.self
  ) throws(DamagedRecord) -> Value {
    guard bytes.count - offset >= MemoryLayout<Value>.size else { throw DamagedRecord("the record is cut short") }
    defer { offset += MemoryLayout<Value>.size }
    return bytes.loadLittleEndian(at: offset)
  }

  @_lifetime(copy self)
  mutating func bytes(_ count: Int) throws(DamagedRecord) -> Span<UInt8> {
    guard count <= bytes.count - offset else { throw DamagedRecord("the record is cut short") }
    defer { offset += count }
    return bytes.extracting(offset..<offset + count)
  }

  /// A text behind its length as a 16-bit number.
  @_lifetime(self: copy self)
  mutating func text() throws(DamagedRecord) -> String {
    try text(count: Int(integer(UInt16.self)))
  }

  @_lifetime(self: copy self)
  mutating func text(count: Int) throws(DamagedRecord) -> String {
    guard let text = String(validating: try bytes(count)) else { throw DamagedRecord("a text is not UTF-8") }
    return text
  }

  @_lifetime(self: copy self)
  mutating func fingerprint() throws(DamagedRecord) -> Fingerprint {
    let low = try integer(UInt64.self)
    return Fingerprint(low: low, high: try integer(UInt64.self))
  }
}

extension OutputSpan<UInt8> {
  /// Appends a text behind its length as a 16-bit number; texts are limited far below that when they come in.
  @_lifetime(self: copy self)
  mutating func appendText(_ text: String) {
    appendLittleEndian(UInt16(text.utf8.count))
    text.withBytes { append(copying: $0) }
  }

  @_lifetime(self: copy self)
  mutating func append(_ fingerprint: Fingerprint) {
    appendLittleEndian(fingerprint.low)
    appendLittleEndian(fingerprint.high)
  }
}
