internal import CCjose

/// A parsed JSON object (RFC 8259), read only. It owns one reference of the jansson value behind it.
///
/// Never shared between threads: a verification parses its own and drops it at the end.
@safe final class JSONObject {
  // Alive as long as self: jansson.h, json_decref() ends only our own reference.
  private let value: UnsafeMutablePointer<json_t>

  // Hash tables get a random seed, before any thread builds one (jansson, json_object_seed: 0 asks the system for it).
  private static let seeded: Void = json_object_seed(0)

  /// The object that `text` spells, or nil when it is not UTF-8, not JSON, not an object, holds a name twice, a number
  /// out of range, or U+0000 in a string.
  init?(parsing text: Span<UInt8>) {
    _ = Self.seeded
    let parsed = unsafe text.withUnsafeBufferPointer { bytes -> UnsafeMutablePointer<json_t>? in
      // jansson.h, json_loadb: reads `buflen` bytes and keeps none; no error object asked for.
      unsafe bytes.withMemoryRebound(to: CChar.self) {
        unsafe json_loadb($0.baseAddress, $0.count, Int(JSON_REJECT_DUPLICATES), nil)
      }
    }
    guard let parsed = unsafe parsed else { return nil }
    guard unsafe parsed.pointee.type == JSON_OBJECT else {
      unsafe json_decref(parsed)
      return nil
    }
    unsafe value = parsed
  }

  private init(retaining borrowed: UnsafeMutablePointer<json_t>) {
    unsafe value = json_incref(borrowed)
  }

  deinit { unsafe json_decref(value) }

  /// The member `name`.
  subscript(name: String) -> JSONMember {
    // json_object_get returns a borrowed reference, which the object keeps alive.
    guard let member = unsafe json_object_get(value, name) else { return .absent }
    switch unsafe member.pointee.type {
    case JSON_NULL: return .null
    case JSON_INTEGER: return unsafe .integer(Int64(json_integer_value(member)))
    case JSON_REAL: return unsafe .real(json_real_value(member))
    case JSON_STRING: return unsafe .string(Self.text(of: member))
    case JSON_ARRAY: return unsafe Self.strings(in: member).map(JSONMember.strings) ?? .array
    case JSON_OBJECT: return .object
    default: return .boolean
    }
  }

  /// The elements of the array `name`, or nil when it is no array, or one that holds something else than objects.
  func objects(_ name: String) -> [JSONObject]? {
    guard let array = unsafe json_object_get(value, name), unsafe array.pointee.type == JSON_ARRAY else { return nil }
    var objects: [JSONObject] = []
    for index in 0..<(unsafe json_array_size(array)) {
      guard let element = unsafe json_array_get(array, index), unsafe element.pointee.type == JSON_OBJECT else {
        return nil
      }
      unsafe objects.append(JSONObject(retaining: element))
    }
    return objects
  }

  /// Lends the jansson value to a call that keeps no reference to it.
  func withUnsafeValue<Result>(_ body: (UnsafeMutablePointer<json_t>) -> Result) -> Result {
    unsafe body(value)
  }

  private static func strings(in array: UnsafeMutablePointer<json_t>) -> [String]? {
    var strings: [String] = []
    for index in 0..<(unsafe json_array_size(array)) {
      guard let element = unsafe json_array_get(array, index), unsafe element.pointee.type == JSON_STRING else {
        return nil
      }
      unsafe strings.append(text(of: element))
    }
    return strings
  }

  private static func text(of string: UnsafeMutablePointer<json_t>) -> String {
    // json_string_value: UTF-8 of json_string_length bytes, owned by the value; checked when it was parsed.
    guard let start = unsafe json_string_value(string) else { return "" }
    let length = unsafe json_string_length(string)
    return unsafe UnsafeBufferPointer(start: start, count: length).withMemoryRebound(to: UInt8.self) {
      unsafe String(decoding: $0, as: UTF8.self)
    }
  }
}
