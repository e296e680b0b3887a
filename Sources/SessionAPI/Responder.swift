internal import HTTPServer
internal import Platform
internal import SessionModel
internal import Synchronization

/// Sends a request's one answer with the fields that every answer carries, from any thread, and counts it.
///
/// Holds what of the request is needed for that, since its header fields can't be read after it left its worker.
struct Responder: Sendable {
  private let exchange: HTTPExchange
  private let api: SessionAPI
  private let startedNanoseconds = monotonicNanoseconds()
  /// The web page's origin; nil without one, and when none may call.
  private let origin: String?
  let trace: RequestTrace
  var operation: Operation?
  /// What the request is about, once that is understood.
  var tenant: TenantID?
  var session: SessionID?

  init(_ exchange: HTTPExchange, of api: SessionAPI) {
    self.exchange = exchange
    self.api = api
    origin = api.configuration.cors.isOff ? nil : exchange.header("Origin")
    trace = RequestTrace(exchange)
  }

  /// Answers the request, which led to the event at `position` if to any.
  func respond(_ response: consuming HTTPResponse, position: UInt64? = nil) {
    let response = completed(response)
    let nanoseconds = monotonicNanoseconds() - startedNanoseconds
    api.statistics.count(operation, status: response.status, nanoseconds: nanoseconds)
    // Before the answer, since the exchange belongs to the next request afterwards.
    if api.logsAccess.load(ordering: .relaxed) {
      api.accessLog(
        AccessRecord(
          method: exchange.methodName, operation: operation, status: response.status, tenant: tenant, session: session,
          position: position, requestID: trace.requestID, durationMicroseconds: nanoseconds / 1000,
          client: exchange.remoteAddress))
    }
    exchange.respond(response)
  }

  /// The answer with the fields that every one carries.
  func completed(_ response: consuming HTTPResponse) -> HTTPResponse {
    var response = response
    let cors = api.configuration.cors
    if !cors.isOff { response.fields.append(contentsOf: cors.fields(origin: origin)) }
    if let id = trace.requestID { response.fields.append(.init("X-Request-Id", id)) }
    if !trace.traceParent.isEmpty { response.fields.append(.init(.traceparent, trace.traceParent)) }
    return response
  }

  /// Answers OPTIONS: what is possible here, and what a web page may do.
  func respondToOptions(_ allowedMethods: String) {
    let fields = [HTTPResponse.Field(.allow, allowedMethods)]
    let preflight = api.configuration.cors.preflightFields(origin: origin, allowedMethods: allowedMethods)
    respond(.empty(204, fields: fields + preflight))
  }
}
