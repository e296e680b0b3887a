/// A request to change one session. It never changes, so that all who have to do with it share one.
public final class Command: Sendable {
  /// The session.
  public let sessionID: SessionID
  /// What is asked for.
  public let action: Action
  /// What the caller believes about the session.
  public let precondition: Precondition
  /// Whether the caller has shown to be the customer whose context it changes.
  public let customerProof: CustomerProof
  /// What tells the request from others, nil when it is not a caller's own and can't be sent again.
  public let request: RequestMark?
  /// Who asks.
  public let origin: Origin

  /// A command with all its parts.
  public init(
    sessionID: SessionID, action: Action, precondition: Precondition = Precondition(),
    customerProof: CustomerProof = .notRequired, request: RequestMark?, origin: Origin
  ) {
    self.sessionID = sessionID
    self.action = action
    self.precondition = precondition
    self.customerProof = customerProof
    self.request = request
    self.origin = origin
  }

  /// What a command asks for.
  public enum Action: Equatable, Sendable {
    /// Begin the session with this context if there is none, and leave it as it is otherwise.
    case begin(SessionContext)
    /// Replace the whole context; what is left out is cleared. With `upsert` an absent session begins.
    case replace(SessionContext, upsert: Bool)
    /// Change some fields.
    case patch(ContextChanges)
    /// Add or overwrite one attribute, whatever the version.
    case setAttribute(Attribute)
    /// Remove the attribute of that name, whatever the version.
    case removeAttribute(String)
    /// Note activity that changes nothing, so that the session lives on.
    case touch
    /// End the session: logout.
    case end
    /// Record that the session's time to live ran out, if that is still so.
    case expire
    /// Remove what all lives of the session held; only if it has been closed since `closedBy` or longer, unless nil.
    case erase(closedBy: Instant?)

    /// Whether the caller has to say which version it means to change.
    var requiresVersion: Bool {
      switch self {
      case .replace, .patch: true
      case .begin, .setAttribute, .removeAttribute, .touch, .end, .expire, .erase: false
      }
    }
  }
}

/// What a caller believes about a session; a command is only carried out when it holds.
public struct Precondition: Equatable, Sendable {
  /// What an `If-Match` or `If-None-Match` header names (RFC 9110, 13.1).
  public enum Versions: Equatable, Sendable {
    /// `*`: any current version.
    case any
    /// One of these versions.
    case oneOf([UInt32])

    /// Whether `version` is among them.
    public func contains(_ version: UInt32) -> Bool {
      switch self {
      case .any: true
      case .oneOf(let versions): versions.contains(version)
      }
    }
  }

  /// The version that the body names in `metadata.version`, nil when it names none.
  public var expectedVersion: Int64?
  /// The current version must be among these (`If-Match`).
  public var ifMatch: Versions?
  /// The current version must not be among these (`If-None-Match`).
  public var ifNoneMatch: Versions?

  /// A precondition of those parts; by default none.
  public init(expectedVersion: Int64? = nil, ifMatch: Versions? = nil, ifNoneMatch: Versions? = nil) {
    self.expectedVersion = expectedVersion
    self.ifMatch = ifMatch
    self.ifNoneMatch = ifNoneMatch
  }

  /// Whether the caller names `version` as the one that it means to change.
  func names(_ version: UInt32) -> Bool {
    if let expectedVersion { return expectedVersion == Int64(version) }
    if case .oneOf(let versions)? = ifMatch { return versions.contains(version) }
    return false
  }
}

/// Whether a caller has shown to be a customer (`saas-token`, API contract).
public enum CustomerProof: Equatable, Sendable {
  /// This caller or operation needs none.
  case notRequired
  /// It needs one where a customer is involved, and none was sent.
  case missing
  /// It was shown to be this customer.
  case customer(String)
}
