internal import SessionModel

/// A request's target, taken apart: `/session-context/{tenant}/…?…`.
struct RequestTarget {
  let tenant: TenantID
  let route: Route
  let query: RequestQuery

  /// Why a target can't be taken apart.
  enum Problem: Error, Equatable {
    /// No resource has such a path.
    case noSuchResource
    /// A part of the path or query breaks a rule, in words.
    case invalid(String)
  }

  /// Takes a target apart. Throws what is wrong with it.
  init(_ target: [UInt8]) throws(Problem) {
    let queryStart = target.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
    var parts = PathParts(target[..<queryStart])
    guard parts.next()?.isEmpty == true, parts.next() == Name.sessionContext, let name = parts.next() else {
      throw .noSuchResource
    }
    route = try Self.route(&parts)
    guard let tenant = TenantID(utf8: name) ?? percentDecoded(name).flatMap({ TenantID($0) }) else {
      throw .invalid("tenant: must match ^[a-z][a-z0-9]+$ and have 3 to 16 characters")
    }
    self.tenant = tenant
    query = queryStart == target.endIndex ? RequestQuery() : try RequestQuery(target[(queryStart + 1)...])
  }

  private static func route(_ parts: inout PathParts) throws(Problem) -> Route {
    switch parts.next() {
    case Name.me? where parts.next() == Name.context: return try ownRoute(&parts)
    case Name.events? where parts.isAtEnd: return .events
    case Name.contexts? where parts.isAtEnd: return .contexts
    case Name.context?: break
    default: throw .noSuchResource
    }
    guard let part = parts.next() else { throw .noSuchResource }
    guard let id = percentDecoded(part).flatMap({ SessionID($0) }) else {
      throw .invalid("sessionId: must be 1 to 200 bytes of URL-encoded UTF-8 without control characters")
    }
    switch parts.next() {
    case nil: return .context(id)
    case Name.attributes? where parts.isAtEnd: return .attributes(id)
    case Name.attributes?: return .attribute(id, name: try attributeName(&parts))
    case Name.events? where parts.isAtEnd: return .contextEvents(id)
    case Name.diff? where parts.isAtEnd: return .contextDiff(id)
    default: throw .noSuchResource
    }
  }

  private static func ownRoute(_ parts: inout PathParts) throws(Problem) -> Route {
    switch parts.next() {
    case nil: return .ownContext
    case Name.attributes? where parts.isAtEnd: return .ownAttributes
    case Name.attributes?: return .ownAttribute(name: try attributeName(&parts))
    default: throw .noSuchResource
    }
  }

  /// The last part of a path, which names an attribute.
  private static func attributeName(_ parts: inout PathParts) throws(Problem) -> String {
    guard let part = parts.next(), parts.isAtEnd else { throw .noSuchResource }
    guard let name = percentDecoded(part), (1...200).contains(name.utf8.count), !name.containsControlCharacter else {
      throw .invalid("attributeName: must be 1 to 200 bytes of URL-encoded UTF-8 without control characters")
    }
    return name
  }

  /// The fixed parts of paths.
  private enum Name {
    static let sessionContext = Array("session-context".utf8)[...]
    static let context = Array("context".utf8)[...]
    static let me = Array("me".utf8)[...]
    static let contexts = Array("contexts".utf8)[...]
    static let attributes = Array("attributes".utf8)[...]
    static let events = Array("events".utf8)[...]
    static let diff = Array("diff".utf8)[...]
  }
}

/// The parts of a path between its slashes, one after the other, without copying them.
private struct PathParts {
  private var rest: ArraySlice<UInt8>?

  init(_ path: ArraySlice<UInt8>) {
    rest = path
  }

  var isAtEnd: Bool { rest == nil }

  mutating func next() -> ArraySlice<UInt8>? {
    guard let path = rest else { return nil }
    guard let slash = path.firstIndex(of: UInt8(ascii: "/")) else {
      rest = nil
      return path
    }
    rest = path[(slash + 1)...]
    return path[..<slash]
  }
}
