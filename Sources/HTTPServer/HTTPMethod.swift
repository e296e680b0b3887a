/// A request's method (RFC 9110, section 9; PATCH: RFC 5789).
public enum HTTPMethod: Sendable {
  case get, head, put, patch, post, delete, options
  /// Any token that is none of the others. Methods are case-sensitive, so `get` is one.
  case other

  /// The method that `name` spells.
  init(name: Span<UInt8>) {
    guard name.count <= 8 else {
      self = .other
      return
    }
    var packed: UInt64 = 0
    for index in name.indices { packed = packed << 8 | UInt64(name[index]) }
    switch packed {
    case 0x47_45_54: self = .get
    case 0x48_45_41_44: self = .head
    case 0x50_55_54: self = .put
    case 0x50_41_54_43_48: self = .patch
    case 0x50_4f_53_54: self = .post
    case 0x44_45_4c_45_54_45: self = .delete
    case 0x4f_50_54_49_4f_4e_53: self = .options
    default: self = .other
    }
  }

  /// The method's name, nil for `other`.
  var name: String? {
    switch self {
    case .get: "GET"
    case .head: "HEAD"
    case .put: "PUT"
    case .patch: "PATCH"
    case .post: "POST"
    case .delete: "DELETE"
    case .options: "OPTIONS"
    case .other: nil
    }
  }
}
