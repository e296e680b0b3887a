internal import CMicrohttpd
internal import Glibc
internal import Platform

/// The library's form of an answer.
enum LibraryResponse {
  /// The buffer of a streamed answer that isn't sent in chunks; chunks are made in the connection's own memory.
  private static let blockBytes = 4096

  /// Makes it; nil when a field isn't allowed in HTTP. The caller gives the reference back with MHD_destroy_response.
  /// From then on the library has the stream, and ends it; also when nil is returned.
  static func make(_ response: HTTPResponse, toHead: Bool, closes: Bool) -> OpaquePointer? {
    let prepared = unsafe response.stream.map { unsafe streamed($0) } ?? whole(response.body)
    guard let prepared = unsafe prepared else { return nil }
    // The library sends the end of a chunked body even to HEAD (0.9.75).
    if toHead, response.stream != nil { unsafe cmhd_avoid_chunks(prepared) }
    for field in response.fields {
      guard unsafe add(field, to: prepared) else {
        unsafe MHD_destroy_response(prepared)
        return nil
      }
    }
    if closes { _ = unsafe MHD_add_response_header(prepared, "Connection", "close") }
    return unsafe prepared
  }

  private static func whole(_ body: [UInt8]) -> OpaquePointer? {
    unsafe body.withUnsafeBytes { bytes in
      // MHD_RESPMEM_MUST_COPY: the library only reads the bytes, during this call.
      unsafe MHD_create_response_from_buffer(
        bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), .RESPMEM_MUST_COPY)
    }
  }

  private static func streamed(_ stream: HTTPBodyStream) -> OpaquePointer? {
    // The library holds a reference until it calls `release`, which it does once, with the last reference to the answer.
    let context = unsafe Unmanaged.passRetained(stream).toOpaque()
    // microhttpd.h, MHD_SIZE_UNKNOWN: all bits set.
    let prepared = unsafe MHD_create_response_from_callback(.max, blockBytes, read, context, release)
    if unsafe prepared == nil { unsafe release(context) }
    return unsafe prepared
  }

  private static func add(_ field: HTTPResponse.Field, to prepared: OpaquePointer) -> Bool {
    // The library takes C strings and refuses CR, LF and tabs; a NUL would cut the value off unseen.
    guard !field.value.withBytes({ $0.hasControlCharacter }) else { return false }
    let name = field.name.text
    return unsafe name.utf8Start.withMemoryRebound(to: CChar.self, capacity: name.utf8CodeUnitCount + 1) { name in
      // A StaticString ends with a NUL.
      unsafe field.value.withCString { unsafe MHD_add_response_header(prepared, name, $0) == .YES }
    }
  }
}

extension Span<UInt8> {
  fileprivate var hasControlCharacter: Bool {
    for index in indices where self[index] < 0x20 || self[index] == 0x7f { return true }
    return false
  }
}

/// MHD_ContentReaderCallback: on the connection's worker.
private func read(
  _ context: UnsafeMutableRawPointer?, _: UInt64, _ target: UnsafeMutablePointer<CChar>?, _ maximum: Int
)
  -> Int
{
  guard let context = unsafe context, let target = unsafe target else { return cmhd_end_with_error }
  let stream = unsafe Unmanaged<HTTPBodyStream>.fromOpaque(context).takeUnretainedValue()
  return unsafe stream.read(into: target, maximum: maximum)
}

/// MHD_ContentReaderFreeCallback: on the connection's worker, or on the thread that stops the library.
private func release(_ context: UnsafeMutableRawPointer?) {
  guard let context = unsafe context else { return }
  unsafe Unmanaged<HTTPBodyStream>.fromOpaque(context).takeRetainedValue().end()
}
