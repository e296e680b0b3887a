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
    let parts = target[..<queryStart].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard parts.count >= 4, parts[0].isEmpty, parts[1].elementsEqual("session-context".utf8) else {
      throw .noSuchResource
    }
    route = try Self.route(parts[3...])
    guard let tenant = percentDecoded(parts[2]).flatMap({ TenantID($0) }) else {
      throw .invalid("tenant: must match ^[a-z][a-z0-9]+$ and have 3 to 16 characters")
    }
    self.tenant = tenant
    query = try RequestQuery(target[queryStart...].dropFirst())
  }

  private static func route(_ parts: ArraySlice<ArraySlice<UInt8>>) throws(Problem) -> Route {
    let parts = Array(parts)
    func isNamed(_ index: Int, _ name: String) -> Bool {
      index < parts.count && parts[index].elementsEqual(name.utf8)
    }
    if isNamed(0, "me"), isNamed(1, "context") { return try ownRoute(Array(parts[2...])) }
    if parts.count == 1 {
      if isNamed(0, "events") { return .events }
      if isNamed(0, "contexts") { return .contexts }
    }
    guard isNamed(0, "context"), parts.count >= 2 else { throw .noSuchResource }
    guard let id = percentDecoded(parts[1]).flatMap({ SessionID($0) }) else {
      throw .invalid("sessionId: must be 1 to 200 bytes of URL-encoded UTF-8 without control characters")
    }
    switch parts.count {
    case 2: return .context(id)
    case 3 where isNamed(2, "attributes"): return .attributes(id)
    case 3 where isNamed(2, "events"): return .contextEvents(id)
    case 3 where isNamed(2, "diff"): return .contextDiff(id)
    case 4 where isNamed(2, "attributes"): return .attribute(id, name: try attributeName(parts[3]))
    default: throw .noSuchResource
    }
  }

  private static func ownRoute(_ parts: [ArraySlice<UInt8>]) throws(Problem) -> Route {
    guard let first = parts.first else { return .ownContext }
    guard first.elementsEqual("attributes".utf8), parts.count <= 2 else { throw .noSuchResource }
    return parts.count == 1 ? .ownAttributes : .ownAttribute(name: try attributeName(parts[1]))
  }

  private static func attributeName(_ part: ArraySlice<UInt8>) throws(Problem) -> String {
    guard let name = percentDecoded(part), (1...200).contains(name.utf8.count), !name.containsControlCharacter else {
      throw .invalid("attributeName: must be 1 to 200 bytes of URL-encoded UTF-8 without control characters")
    }
    return name
  }
}
