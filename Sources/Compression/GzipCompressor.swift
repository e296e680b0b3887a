internal import CZlib

/// Compresses one text to the gzip format (RFC 1952), piece by piece. The same text gives the same bytes: no time and no
/// name goes in.
@safe public final class GzipCompressor {
  // zlib.h: the state behind a stream points back to it, so that it must stay where it is.
  private let stream: UnsafeMutablePointer<z_stream>

  /// A compressor that has been given nothing yet.
  public init() {
    unsafe stream = .allocate(capacity: 1)
    // zlib.h, deflateInit2: null pointers ask for the library's own allocator; 16 is added to the window's bits for a
    // gzip header and trailer.
    unsafe stream.initialize(to: z_stream())
    let code = unsafe deflateInit2_(
      stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    precondition(code == Z_OK, "there is no memory for a compressor")
  }

  deinit {
    unsafe deflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Compresses the next piece, and appends what is ready to `output`.
  public func compress(_ input: Span<UInt8>, to output: inout [UInt8]) {
    run(input, Z_NO_FLUSH, to: &output)
  }

  /// Appends all that is left to `output`. No piece may follow.
  public func finish(to output: inout [UInt8]) {
    let nothing: [UInt8] = []
    run(nothing.span, Z_FINISH, to: &output)
  }

  private func run(_ input: Span<UInt8>, _ flush: Int32, to output: inout [UInt8]) {
    unsafe input.withUnsafeBufferPointer { input in
      // zlib.h: reads `avail_in` bytes from `next_in`, and writes none there.
      unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
      unsafe stream.pointee.avail_in = UInt32(input.count)
      var isDone = false
      while !isDone {
        unsafe appendPiece(of: stream, to: &output) {
          // zlib.h, deflate: less than the whole room used means that all input is taken and all that is ready is out.
          let code = unsafe deflate(stream, flush)
          precondition(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR, "deflate ended with \(code)")
          unsafe isDone = stream.pointee.avail_out > 0
        }
      }
      unsafe stream.pointee.next_in = nil
    }
  }
}

private let pieceBytes = 32 << 10

/// Appends to `output` what `body` writes into the room that the stream is given.
func appendPiece(of stream: UnsafeMutablePointer<z_stream>, to output: inout [UInt8], _ body: () -> Void) {
  let piece = unsafe [UInt8](unsafeUninitializedCapacity: pieceBytes) { room, count in
    // zlib.h: writes at most `avail_out` bytes to `next_out`, and subtracts how many it wrote.
    unsafe stream.pointee.next_out = room.baseAddress
    unsafe stream.pointee.avail_out = UInt32(pieceBytes)
    body()
    unsafe count = pieceBytes - Int(stream.pointee.avail_out)
    unsafe stream.pointee.next_out = nil
  }
  output.append(contentsOf: piece)
}
