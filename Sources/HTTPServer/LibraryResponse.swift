internal import CMicrohttpd

/// The library's form of an answer.
enum LibraryResponse {
  /// Makes it; nil when a field isn't allowed in HTTP. The caller gives the reference back with MHD_destroy_response.
  static func make(_ response: HTTPResponse, closes: Bool) -> OpaquePointer? {
    let prepared = unsafe response.body.withUnsafeBytes { bytes in
      // MHD_RESPMEM_MUST_COPY: the library only reads the bytes, during this call.
      unsafe MHD_create_response_from_buffer(
        bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), .RESPMEM_MUST_COPY)
    }
    guard let prepared = unsafe prepared else { return nil }
    for field in response.fields {
      guard unsafe add(field, to: prepared) else {
        unsafe MHD_destroy_response(prepared)
        return nil
      }
    }
    if closes { _ = unsafe MHD_add_response_header(prepared, "Connection", "close") }
    return unsafe prepared
  }

  private static func add(_ field: HTTPResponse.Field, to prepared: OpaquePointer) -> Bool {
    // The library takes C strings and refuses CR, LF and tabs; a NUL would cut the value off unseen.
    for byte in field.value.utf8 where byte < 0x20 || byte == 0x7f { return false }
    let name = field.name.text
    return unsafe name.utf8Start.withMemoryRebound(to: CChar.self, capacity: name.utf8CodeUnitCount + 1) { name in
      // A StaticString ends with a NUL.
      unsafe field.value.withCString { unsafe MHD_add_response_header(prepared, name, $0) == .YES }
    }
  }
}
