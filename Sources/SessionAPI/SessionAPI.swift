public import HTTPServer
internal import Platform
public import SessionCodec
internal import SessionModel
public import SessionStore
internal import Synchronization

/// The session context API over HTTP: turns requests into queries and commands, and their outcomes into answers.
public final class SessionAPI: HTTPHandler {
  /// How the API answers.
  public struct Configuration: Sendable {
    /// The status of a version conflict.
    public var conflictStatus = ConflictStatus.conflict
    /// Limits of what bodies may hold.
    public var bodyLimits = BodyLimits()
    /// Which web pages may call.
    public var cors = CORSPolicy(origins: [])
    /// How many changes each tenant may ask for in a second; 0: any number.
    public var writesPerSecondPerTenant = 0
    /// How many feeds may be open at a time.
    public var maximumFeeds = 1024
    /// When live feeds speak without an event.
    var feedTiming = FeedSource.Timing()
    /// Whether a request for an own session that doesn't exist begins it.
    public var beginsOwnSessions = false

    /// A configuration with the defaults of the API contract.
    public init() {}
  }

  /// The header fields that may stand only once in a request, since each says one thing: to take one of two would be a
  /// guess.
  public static let singleFields: [HTTPFieldName] = [.idempotencyKey, .lastEventID, "saas-token", "session-id"]

  let store: SessionStore
  let configuration: Configuration
  let authorizer: Authorizer
  let answers: AnswerFactory
  /// Counts of requests, for metrics.
  public let statistics = APIStatistics()
  let feeds: FeedHub
  private let writeRates: RateLimiter
  private let log: @Sendable (String) -> Void
  let accessLog: AccessLog
  let logsAccess: Atomic<Bool>

  /// An API over `store` for callers that `authorizer` lets in. `log` is told of failures that an operator must see,
  /// `accessLog` of every request, if `logsAccess`.
  public init(
    store: SessionStore, configuration: Configuration, authorizer: Authorizer, logsAccess: Bool = false,
    accessLog: @escaping AccessLog = { _ in }, log: @escaping @Sendable (String) -> Void
  ) {
    self.store = store
    self.configuration = configuration
    self.authorizer = authorizer
    self.log = log
    self.accessLog = accessLog
    self.logsAccess = Atomic(logsAccess)
    feeds = FeedHub(store: store, maximum: configuration.maximumFeeds)
    writeRates = RateLimiter(perSecond: configuration.writesPerSecondPerTenant)
    answers = AnswerFactory(conflictStatus: configuration.conflictStatus)
  }

  /// Changes what can be changed while requests are answered: how many changes each tenant may ask for in a second
  /// (0: any number), and whether the access log is told of requests.
  public func adjust(writesPerSecondPerTenant: Int, logsAccess: Bool) {
    writeRates.change(perSecond: writesPerSecondPerTenant)
    self.logsAccess.store(logsAccess, ordering: .relaxed)
  }

  /// Answers one request. Reads are answered at once; changes wait for their commit off the worker.
  public func handle(_ exchange: HTTPExchange) {
    // 1. What is asked for.
    var responder = Responder(exchange, of: self)
    guard let target = understand(exchange, responder) else { return }
    responder.tenant = target.tenant
    responder.session = target.route.session
    if exchange.method == .options { return responder.respondToOptions(target.route.allowedMethods) }
    guard let operation = target.route.operation(exchange.method, target.query) else {
      let allow = HTTPResponse.Field(.allow, target.route.allowedMethods)
      return responder.respond(AnswerFactory.error(405, "\(exchange.methodName) is not possible here", fields: [allow]))
    }
    responder.operation = operation
    // 2. Who asks, and whether it may.
    let nowSeconds = currentMicroseconds() / 1_000_000
    guard let caller = authorize(exchange, target.tenant, operation, nowSeconds: nowSeconds, responder) else { return }
    if operation.isOwn { responder.session = caller.sessionID }
    // 3. The answer from the snapshot or the log, or a command for the writer.
    let request = APIRequest(
      exchange: exchange, responder: responder, target: consume target, operation: operation, caller: consume caller)
    switch operation {
    case .getContext, .getOwnContext:
      read(request)
    case .getPastContext, .listContextEvents, .compareContext, .listContexts, .listEvents:
      audit(request)
    case .erase:
      erase(request)
    case .replaceContext, .patchContext, .endContext, .setAttribute, .removeAttribute, .patchOwnContext, .endOwnContext,
      .setOwnAttribute, .removeOwnAttribute:
      if let refusal = refusalOfWrite(by: request.target.tenant) { return request.responder.respond(refusal) }
      let proof: CustomerProof
      do throws(AuthorizationRefusal) {
        proof = try authorizer.customerProof(
          exchange, tenant: request.target.tenant, operation: operation, nowSeconds: nowSeconds)
      } catch {
        return request.responder.respond(AnswerFactory.answer(error))
      }
      write(request, customerProof: proof)
    }
  }

  /// A refusal of the server's own, so that a web page can read it, too.
  public func complete(_ refusal: HTTPResponse, to exchange: HTTPExchange) -> HTTPResponse {
    Responder(exchange, of: self).completed(refusal)
  }

  /// What is asked for, nil when that can't be understood and is answered already.
  private func understand(_ exchange: HTTPExchange, _ responder: borrowing Responder) -> RequestTarget? {
    do throws(RequestTarget.Problem) {
      return try RequestTarget(exchange.target)
    } catch {
      if error != .noSuchResource || !OpenAPIDocument.isNamed(by: exchange.target) {
        responder.respond(AnswerFactory.answer(error))
      } else if exchange.method == .options {
        responder.respondToOptions(OpenAPIDocument.allowedMethods)
      } else {
        responder.respond(OpenAPIDocument.answer(exchange))
      }
      return nil
    }
  }

  /// Who asks, nil when it may not and is answered already.
  private func authorize(
    _ exchange: HTTPExchange, _ tenant: TenantID, _ operation: Operation, nowSeconds: Int64,
    _ responder: borrowing Responder
  ) -> Caller? {
    do throws(AuthorizationRefusal) {
      return try authorizer.authorize(exchange, tenant: tenant, operation: operation, nowSeconds: nowSeconds)
    } catch {
      responder.respond(AnswerFactory.answer(error))
      return nil
    }
  }

  /// The answer to a tenant that asks for more changes than it may, nil when it may have this one.
  func refusalOfWrite(by tenant: TenantID) -> HTTPResponse? {
    writeRates.secondsToWait(tenant).map { AnswerFactory.tooManyWrites(retryAfterSeconds: $0) }
  }

  /// The answer to a store that failed, which an operator hears of, too.
  func answer(_ error: StoreError) -> HTTPResponse {
    report(error)
    return AnswerFactory.answer(error)
  }

  /// Tells an operator of a store that failed.
  func report(_ error: StoreError) {
    if error != .closed && error != .diskNearlyFull { log("a request failed: \(error)") }
  }

  /// How many feeds are open.
  public var openFeeds: Int { feeds.openCount }
}

/// Who is told of each request as it is answered, on the thread that answers it.
public typealias AccessLog = @Sendable (AccessRecord) -> Void

/// A request that is understood and authorised. It never changes, so that all who have to do with it share one.
final class APIRequest: Sendable {
  let exchange: HTTPExchange
  let responder: Responder
  let target: RequestTarget
  let operation: Operation
  let caller: Caller

  init(
    exchange: HTTPExchange, responder: Responder, target: RequestTarget, operation: Operation, caller: Caller
  ) {
    self.exchange = exchange
    self.responder = responder
    self.target = target
    self.operation = operation
    self.caller = caller
  }

  /// The session that it is about: the one that the path names, or the caller's own.
  var session: SessionID {
    guard let session = responder.session else {
      preconditionFailure("the path names a session, or the authoriser has seen to it that the token does")
    }
    return session
  }

  /// Who asks, for the event.
  var origin: Origin {
    Origin(actor: caller.actor, requestID: responder.trace.requestID ?? "", traceParent: responder.trace.traceParent)
  }
}

extension Route {
  /// The session that the path names, nil for own sessions.
  var session: SessionID? {
    switch self {
    case .context(let session), .attributes(let session), .attribute(let session, _), .contextEvents(let session),
      .contextDiff(let session):
      session
    case .contexts, .events, .erasures, .ownContext, .ownAttributes, .ownAttribute: nil
    }
  }

  /// The attribute that the path names.
  var attributeName: String? {
    switch self {
    case .attribute(_, let name), .ownAttribute(let name): name
    default: nil
    }
  }
}
