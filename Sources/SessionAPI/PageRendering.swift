internal import SessionCodec

/// The JSON of a page of a list, `{"<name>":[…],"next":"…"}`, while it is made.
struct PageRendering {
  /// A page ends with the item that makes it so long, in bytes, whatever number of items was asked for.
  static let maximumBytes = 256 * 1024

  private let limit: Int
  private var count = 0
  private var json: [UInt8] = []

  /// A page of at most `limit` items.
  init(_ name: String, limit: Int) {
    self.limit = limit
    json.append(contentsOf: "{\"\(name)\":[".utf8)
  }

  /// Appends the item that `render` makes. Returns whether there is room for another one.
  mutating func append(_ render: (inout [UInt8]) -> Void) -> Bool {
    if count > 0 { json.append(UInt8(ascii: ",")) }
    render(&json)
    count += 1
    return count < limit && json.count < Self.maximumBytes
  }

  /// The whole page; with nil for `next` it is the last one.
  consuming func finish(next: String?) -> [UInt8] {
    json.append(UInt8(ascii: "]"))
    if let next {
      json.append(contentsOf: #","next":"#.utf8)
      json.appendJSONString(next)
    }
    json.append(UInt8(ascii: "}"))
    return json
  }
}
