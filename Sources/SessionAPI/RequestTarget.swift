internal import Platform
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

    /// What stands for `part` can't be a name.
    static func noName(_ part: String) -> Problem {
      .invalid("\(part): must be 1 to 200 bytes of URL-encoded UTF-8 without control characters")
    }
  }
}

// Apart from the parts, so that all of them can be set at once.
extension RequestTarget {
  /// Takes a target apart. Throws what is wrong with it.
  init(_ target: [UInt8]) throws(Problem) {
    let queryStart = target.span.firstIndex(of: UInt8(ascii: "?")) ?? target.count
    var parts = PathParts(target, end: queryStart)
    guard parts.next()?.isEmpty == true, parts.goes(on: "session-context"), let name = parts.next() else {
      throw .noSuchResource
    }
    let route = try Self.route(&parts)
    guard let tenant = percentDecodedBytes(target[name]).flatMap({ TenantID(utf8: $0) }) else {
      throw .invalid("tenant: must match ^[a-z][a-z0-9]+$ and have 3 to 16 characters")
    }
    let query = queryStart == target.count ? RequestQuery() : try RequestQuery(target[(queryStart + 1)...])
    self.init(tenant: tenant, route: route, query: query)
  }

  private static func route(_ parts: inout PathParts) throws(Problem) -> Route {
    if parts.goes(on: "context") { return try contextRoute(&parts) }
    if parts.goes(on: "me") {
      guard parts.goes(on: "context") else { throw .noSuchResource }
      return try ownRoute(&parts)
    }
    if parts.ends(with: "events") { return .events }
    if parts.ends(with: "contexts") { return .contexts }
    if parts.ends(with: "erasures") { return .erasures }
    throw .noSuchResource
  }

  private static func contextRoute(_ parts: inout PathParts) throws(Problem) -> Route {
    guard let part = parts.next() else { throw .noSuchResource }
    guard let id = percentDecodedBytes(parts.target[part]).flatMap({ SessionID(utf8: $0) }) else {
      throw .noName("sessionId")
    }
    if parts.isAtEnd { return .context(id) }
    if parts.ends(with: "attributes") { return .attributes(id) }
    if parts.goes(on: "attributes") { return .attribute(id, name: try attributeName(&parts)) }
    if parts.ends(with: "events") { return .contextEvents(id) }
    if parts.ends(with: "diff") { return .contextDiff(id) }
    throw .noSuchResource
  }

  private static func ownRoute(_ parts: inout PathParts) throws(Problem) -> Route {
    if parts.isAtEnd { return .ownContext }
    if parts.ends(with: "attributes") { return .ownAttributes }
    if parts.goes(on: "attributes") { return .ownAttribute(name: try attributeName(&parts)) }
    throw .noSuchResource
  }

  /// The last part of a path, which names an attribute.
  private static func attributeName(_ parts: inout PathParts) throws(Problem) -> String {
    guard let part = parts.next(), parts.isAtEnd else { throw .noSuchResource }
    guard let name = percentDecoded(parts.target[part]), name.isName else { throw .noName("attributeName") }
    return name
  }
}

/// The parts of a path between its slashes, one after the other, without copying them.
private struct PathParts {
  let target: [UInt8]
  private let end: Int
  /// Where the next part is; nil behind the last one.
  private var part: Range<Int>?

  init(_ target: [UInt8], end: Int) {
    self.target = target
    self.end = end
    part = findPart(from: 0)
  }

  var isAtEnd: Bool { part == nil }

  mutating func next() -> Range<Int>? {
    guard let part else { return nil }
    self.part = part.upperBound < end ? findPart(from: part.upperBound + 1) : nil
    return part
  }

  /// Goes past the next part if that is `name`.
  mutating func goes(on name: StaticString) -> Bool {
    guard isNext(name) else { return false }
    _ = next()
    return true
  }

  /// Whether the next part is the last, and `name`.
  func ends(with name: StaticString) -> Bool {
    part?.upperBound == end && isNext(name)
  }

  private func isNext(_ name: StaticString) -> Bool {
    guard let part else { return false }
    return target.span.extracting(part).isEqual(to: name)
  }

  private func findPart(from start: Int) -> Range<Int> {
    start..<(target.span.extracting(0..<end).firstIndex(of: UInt8(ascii: "/"), from: start) ?? end)
  }
}
