/// The value of an object's member, as far as claims, headers and keys need it.
enum JSONMember: Equatable {
  case absent
  case null
  case boolean
  case integer(Int64)
  case real(Double)
  case string(String)
  /// An array of nothing but strings.
  case strings([String])
  /// An array that holds something else than strings.
  case array
  case object
}
