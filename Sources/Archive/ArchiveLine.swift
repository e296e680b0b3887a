internal import EventLog
internal import Platform
internal import SessionCodec
internal import SessionModel

// A line of a segment: the record as it is stored in the log, byte for byte, and the same for people and their tools.
//
//   {"position":17,"frame":"BASE64","event":{…a CloudEvent, as the API has it…}}
//
// The frame (Frame.swift) holds the header, the payload's digest, the chain and, unless erased, salt and payload: so the
// line proves itself behind the one before, without a store. Two versions of this program write the same line for the
// same frame as long as the archive's format is the same.

/// The parts of a segment's line.
struct ArchiveLine {
  let position: UInt64
  let frame: [UInt8]

  /// Appends the line of a record. Throws when the record can't be an event.
  static func append(_ frame: FrameView, of tenant: TenantID, to bytes: inout [UInt8]) throws(DamagedRecord) {
    let event = try frame.event()
    bytes.append(#"{"position":"#)
    bytes.appendDecimal(frame.position)
    bytes.append(#","frame":""#)
    bytes.appendBase64(frame.stored)
    bytes.append(#"","event":"#)
    event.appendCloudEvent(of: tenant, isErased: frame.isErased, to: &bytes)
    bytes.append("}\n")
  }

  /// Takes position and frame out of a line; nil when it can't be one. The event isn't looked at.
  init?(_ line: Span<UInt8>) {
    var rest = Reader(line)
    guard rest.skip(#"{"position":"#), let position = rest.number(), rest.skip(#","frame":""#),
      let frame = rest.base64(), rest.skip(#"","event":"#)
    else { return nil }
    self.position = position
    self.frame = frame
  }

  /// The rest of a line.
  private struct Reader: ~Escapable {
    private var bytes: Span<UInt8>

    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>) {
      self.bytes = bytes
    }

    @_lifetime(self: copy self)
    private mutating func drop(_ count: Int) { bytes = bytes.extracting(count..<bytes.count) }

    @_lifetime(self: copy self)
    mutating func skip(_ text: StaticString) -> Bool {
      let count = text.utf8CodeUnitCount
      guard bytes.count >= count, bytes.extracting(0..<count).isEqual(to: text) else { return false }
      drop(count)
      return true
    }

    @_lifetime(self: copy self)
    mutating func number() -> UInt64? {
      let start = bytes
      var count = 0
      while count < min(20, start.count), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(start[count]) { count += 1 }
      let digits = [UInt8](copying: start.extracting(0..<count))
      drop(count)
      return UInt64(String(decoding: digits, as: UTF8.self))
    }

    @_lifetime(self: copy self)
    mutating func base64() -> [UInt8]? {
      let start = bytes
      var count = 0
      while count < start.count, start[count] != UInt8(ascii: "\"") { count += 1 }
      drop(count)
      return [UInt8](base64: start.extracting(0..<count))
    }
  }
}
