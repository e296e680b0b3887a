internal import HTTPServer
internal import SessionModel

/// What a request's path names.
enum Route: Equatable {
  /// A session, named in the path.
  case context(SessionID)
  /// The attributes of a session.
  case attributes(SessionID)
  /// One attribute of a session.
  case attribute(SessionID, name: String)
  /// The session that the caller's token names.
  case ownContext
  /// Its attributes.
  case ownAttributes
  /// One of its attributes.
  case ownAttribute(name: String)

  /// The operation that `method` stands for here, nil when there is none.
  func operation(_ method: HTTPMethod) -> Operation? {
    switch (self, method) {
    case (.context, .get), (.context, .head): .getContext
    case (.context, .put): .replaceContext
    case (.context, .patch): .patchContext
    case (.context, .delete): .endContext
    case (.attributes, .post): .setAttribute
    case (.attribute, .delete): .removeAttribute
    case (.ownContext, .get), (.ownContext, .head): .getOwnContext
    case (.ownContext, .patch): .patchOwnContext
    case (.ownContext, .delete): .endOwnContext
    case (.ownAttributes, .post): .setOwnAttribute
    case (.ownAttribute, .delete): .removeOwnAttribute
    default: nil
    }
  }

  /// The methods that have an operation here, for `Allow`.
  var allowedMethods: String {
    let methods: [(HTTPMethod, String)] = [
      (.get, "GET, HEAD"), (.put, "PUT"), (.patch, "PATCH"), (.post, "POST"), (.delete, "DELETE"),
    ]
    let allowed = methods.compactMap { method, name in operation(method) == nil ? nil : name }
    return (allowed + ["OPTIONS"]).joined(separator: ", ")
  }
}

/// What a caller can ask for; the names in metrics and in the OpenAPI document.
public enum Operation: Int, CaseIterable, Sendable {
  case getContext
  case replaceContext
  case patchContext
  case endContext
  case setAttribute
  case removeAttribute
  case getOwnContext
  case patchOwnContext
  case endOwnContext
  case setOwnAttribute
  case removeOwnAttribute

  /// The operation's name, as in the OpenAPI document's `operationId`.
  public var name: String { "\(self)" }

  /// Whether the session is the one that the caller's token names.
  var isOwn: Bool { rawValue >= Operation.getOwnContext.rawValue }

  /// Whether a body in JSON comes with it.
  var hasBody: Bool {
    switch self {
    case .replaceContext, .patchContext, .setAttribute, .patchOwnContext, .setOwnAttribute: true
    default: false
    }
  }
}

/// A request's target, taken apart: `/session-context/{tenant}/…?…`.
struct RequestTarget {
  let tenant: TenantID
  let route: Route
  /// Whether the query says `upsert=true`.
  let isUpsert: Bool

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
    guard parts.count >= 5, parts[0].isEmpty, parts[1].elementsEqual("session-context".utf8) else {
      throw .noSuchResource
    }
    route = try Self.route(parts[3...])
    guard let tenant = percentDecoded(parts[2]).flatMap({ TenantID($0) }) else {
      throw .invalid("tenant: must match ^[a-z][a-z0-9]+$ and have 3 to 16 characters")
    }
    self.tenant = tenant
    isUpsert = try Self.isUpsert(target[queryStart...].dropFirst())
  }

  private static func route(_ parts: ArraySlice<ArraySlice<UInt8>>) throws(Problem) -> Route {
    let parts = Array(parts)
    let isOwn = parts[0].elementsEqual("me".utf8)
    let session = isOwn ? 0 : 1
    guard parts.count >= 2, parts[isOwn ? 1 : 0].elementsEqual("context".utf8) else { throw .noSuchResource }
    let rest = parts.dropFirst(session + (isOwn ? 2 : 1))
    if let first = rest.first {
      guard first.elementsEqual("attributes".utf8), rest.count <= 2 else { throw .noSuchResource }
    }
    let name = rest.count == 2 ? try attributeName(rest[rest.endIndex - 1]) : nil
    if isOwn {
      return rest.isEmpty ? .ownContext : name.map { .ownAttribute(name: $0) } ?? .ownAttributes
    }
    guard let id = percentDecoded(parts[1]).flatMap({ SessionID($0) }) else {
      throw .invalid("sessionId: must be 1 to 200 bytes of URL-encoded UTF-8 without control characters")
    }
    return rest.isEmpty ? .context(id) : name.map { .attribute(id, name: $0) } ?? .attributes(id)
  }

  private static func attributeName(_ part: ArraySlice<UInt8>) throws(Problem) -> String {
    guard let name = percentDecoded(part), (1...200).contains(name.utf8.count), !name.containsControlCharacter else {
      throw .invalid("attributeName: must be 1 to 200 bytes of URL-encoded UTF-8 without control characters")
    }
    return name
  }

  private static func isUpsert(_ query: ArraySlice<UInt8>) throws(Problem) -> Bool {
    var isUpsert = false
    for parameter in query.split(separator: UInt8(ascii: "&")) {
      let pair = parameter.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard pair[0].elementsEqual("upsert".utf8) else { continue }
      switch pair.count == 2 ? percentDecoded(pair[1]) : nil {
      case "true": isUpsert = true
      case "false": isUpsert = false
      default: throw .invalid("upsert: must be true or false")
      }
    }
    return isUpsert
  }
}
