internal import HTTPServer

/// Sends a request's one answer with the fields that every answer carries, from any thread, and counts it.
///
/// Holds what of the request is needed for that, since its header fields can't be read after it left its worker.
struct Responder: Sendable {
  private let exchange: HTTPExchange
  private let statistics: APIStatistics
  private let corsFields: [HTTPResponse.Field]
  private let preflightOrigin: String?
  private let cors: CORSPolicy
  let trace: RequestTrace
  var operation: Operation?

  init(_ exchange: HTTPExchange, cors: CORSPolicy, statistics: APIStatistics) {
    self.exchange = exchange
    self.statistics = statistics
    self.cors = cors
    let origin = cors.isOff ? nil : exchange.header("Origin")
    corsFields = cors.fields(origin: origin)
    preflightOrigin = origin
    trace = RequestTrace(exchange)
  }

  /// Answers the request.
  func respond(_ response: consuming HTTPResponse) {
    var response = response
    if !corsFields.isEmpty { response.fields.append(contentsOf: corsFields) }
    if let id = trace.requestID { response.fields.append(.init("X-Request-Id", id)) }
    statistics.count(operation, status: response.status)
    exchange.respond(response)
  }

  /// Answers OPTIONS: what is possible here, and what a web page may do.
  func respondToOptions(_ allowedMethods: String) {
    let fields = [HTTPResponse.Field(.allow, allowedMethods)]
    let preflight = cors.preflightFields(origin: preflightOrigin, allowedMethods: allowedMethods)
    respond(.empty(204, fields: fields + preflight))
  }
}
