internal import CZlib

/// Why bytes can't be what a compressor made.
public enum GzipError: Error, Equatable, Sendable, CustomStringConvertible {
  /// They aren't gzip, or were changed.
  case damaged(String)
  /// They end too early.
  case cutShort
  /// Something follows the end.
  case surplus

  /// A few words.
  public var description: String {
    switch self {
    case .damaged(let reason): "the compressed data are damaged (\(reason))"
    case .cutShort: "the compressed data are cut short"
    case .surplus: "something follows the compressed data"
    }
  }
}

/// Takes gzip data apart, piece by piece: one member (RFC 1952, 2.2) and nothing behind it. The checksum and the length
/// at its end are compared with what came out.
@safe public final class GzipDecompressor {
  // zlib.h: the state behind a stream points back to it, so that it must stay where it is.
  private let stream: UnsafeMutablePointer<z_stream>
  private var isAtEnd = false

  /// A decompressor that has been given nothing yet.
  public init() {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    // zlib.h, inflateInit2: 16 added to the window's bits takes gzip alone.
    let code = unsafe inflateInit2_(stream, MAX_WBITS + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(code == Z_OK, "there is no memory for a decompressor")
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Appends what the next piece holds to `output`: at most about a thousand times as much. Throws when it is damaged; what
  /// came out before the damage is appended even so.
  public func decompress(_ input: Span<UInt8>, to output: inout [UInt8]) throws(GzipError) {
    guard !input.isEmpty else { return }
    if isAtEnd { throw .surplus }
    let (code, reason, left) = unsafe input.withUnsafeBufferPointer { input in
      // zlib.h: reads `avail_in` bytes from `next_in`, and writes none there.
      unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
      unsafe stream.pointee.avail_in = UInt32(input.count)
      var code = Z_OK
      var isDone = false
      while !isDone {
        unsafe appendPiece(of: stream, to: &output) {
          code = unsafe inflate(stream, Z_NO_FLUSH)
          // zlib.h, inflate: room that is left means that it has taken all it was given. Z_BUF_ERROR just says so again.
          unsafe isDone = code != Z_OK || stream.pointee.avail_out > 0
        }
      }
      unsafe stream.pointee.next_in = nil
      // zlib.h: `msg` is null or a static text.
      let reason = unsafe stream.pointee.msg.map { unsafe String(cString: $0) }
      return (code, reason, unsafe stream.pointee.avail_in)
    }
    switch code {
    case Z_OK, Z_BUF_ERROR: break
    case Z_STREAM_END:
      isAtEnd = true
      if left > 0 { throw .surplus }
    default: throw .damaged(reason ?? "code \(code)")
    }
  }

  /// Throws unless the end has been reached.
  public func finish() throws(GzipError) {
    guard isAtEnd else { throw .cutShort }
  }
}
