internal import HTTPServer
internal import Platform
internal import SessionModel

/// Sends a request's one answer with the fields that every answer carries, from any thread, and counts it.
///
/// Holds what of the request is needed for that, since its header fields can't be read after it left its worker.
struct Responder: Sendable {
  private let exchange: HTTPExchange
  private let statistics: APIStatistics
  private let accessLog: AccessLog?
  private let startedNanoseconds = monotonicNanoseconds()
  private let corsFields: [HTTPResponse.Field]
  private let preflightOrigin: String?
  private let cors: CORSPolicy
  let trace: RequestTrace
  var operation: Operation?
  /// What the request is about, once that is understood.
  var tenant: TenantID?
  var session: SessionID?

  init(_ exchange: HTTPExchange, cors: CORSPolicy, statistics: APIStatistics, accessLog: AccessLog? = nil) {
    self.accessLog = accessLog
    self.exchange = exchange
    self.statistics = statistics
    self.cors = cors
    let origin = cors.isOff ? nil : exchange.header("Origin")
    corsFields = cors.fields(origin: origin)
    preflightOrigin = origin
    trace = RequestTrace(exchange)
  }

  /// Answers the request, which led to the event at `position` if to any.
  func respond(_ response: consuming HTTPResponse, position: UInt64? = nil) {
    var response = response
    if !corsFields.isEmpty { response.fields.append(contentsOf: corsFields) }
    if let id = trace.requestID { response.fields.append(.init("X-Request-Id", id)) }
    let nanoseconds = monotonicNanoseconds() - startedNanoseconds
    statistics.count(operation, status: response.status, nanoseconds: nanoseconds)
    // Before the answer, since the exchange belongs to the next request afterwards.
    accessLog?(
      AccessRecord(
        method: exchange.methodName, operation: operation, status: response.status, tenant: tenant, session: session,
        position: position, requestID: trace.requestID, durationMicroseconds: nanoseconds / 1000,
        client: exchange.remoteAddress))
    exchange.respond(response)
  }

  /// Answers OPTIONS: what is possible here, and what a web page may do.
  func respondToOptions(_ allowedMethods: String) {
    let fields = [HTTPResponse.Field(.allow, allowedMethods)]
    let preflight = cors.preflightFields(origin: preflightOrigin, allowedMethods: allowedMethods)
    respond(.empty(204, fields: fields + preflight))
  }
}
