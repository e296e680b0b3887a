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
  /// The history of a session.
  case contextEvents(SessionID)
  /// What changed between two versions of a session.
  case contextDiff(SessionID)
  /// The tenant's sessions.
  case contexts
  /// The tenant's events.
  case events
  /// The removal of what sessions held.
  case erasures
  /// The session that the caller's token names.
  case ownContext
  /// Its attributes.
  case ownAttributes
  /// One of its attributes.
  case ownAttribute(name: String)

  /// The operation that `method` stands for here, nil when there is none. `query` tells a look into the past from one at
  /// the present.
  func operation(_ method: HTTPMethod, _ query: RequestQuery = RequestQuery()) -> Operation? {
    switch (self, method) {
    case (.context, .get) where query.asksForPast, (.context, .head) where query.asksForPast: .getPastContext
    case (.contextEvents, .get), (.contextEvents, .head): .listContextEvents
    case (.contextDiff, .get), (.contextDiff, .head): .compareContext
    case (.contexts, .get), (.contexts, .head): .listContexts
    case (.events, .get), (.events, .head): .listEvents
    case (.erasures, .post): .erase
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
  case getPastContext
  case listContextEvents
  case compareContext
  case listContexts
  case listEvents
  case erase
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

  /// What a caller needs for it.
  var access: Access {
    switch self {
    case .getContext, .replaceContext, .patchContext, .endContext, .setAttribute, .removeAttribute: .management
    case .getPastContext, .listContextEvents, .compareContext, .listContexts, .listEvents: .audit
    case .erase: .erasure
    case .getOwnContext, .patchOwnContext, .endOwnContext, .setOwnAttribute, .removeOwnAttribute: .own
    }
  }

  /// The sides of the API, which ask for different rights.
  enum Access {
    /// All sessions of a tenant.
    case management
    /// The past of all sessions of a tenant.
    case audit
    /// The removal of what sessions of a tenant held, for good.
    case erasure
    /// The session that the caller's token names.
    case own
  }

  /// Whether the session is the one that the caller's token names.
  var isOwn: Bool { access == .own }

  /// Whether it may begin the own session that it is for: an operation that only takes away begins nothing.
  var mayBegin: Bool {
    switch self {
    case .getOwnContext, .patchOwnContext, .setOwnAttribute: true
    default: false
    }
  }

  /// Whether a body in JSON comes with it.
  var hasBody: Bool {
    switch self {
    case .replaceContext, .patchContext, .setAttribute, .patchOwnContext, .setOwnAttribute, .erase: true
    default: false
    }
  }
}
