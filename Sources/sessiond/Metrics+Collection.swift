internal import HTTPServer
internal import SessionAPI
internal import SessionStore

extension Metrics {
  /// The figures of the service; of those parts that are there already.
  static func collect(health: Health, store: SessionStore?, api: SessionAPI?, server: HTTPServer?) -> Metrics {
    var metrics = Metrics()
    metrics.gauge("sessiond_ready", "1 while requests are answered.", health.stage == .ready ? 1 : 0)
    if let api {
      metrics.counters(
        "sessiond_requests_total", "Answered requests.",
        api.statistics.answered.map { ([("operation", $0.operation), ("status", "\($0.status)")], Double($0.count)) })
    }
    if let server {
      let statistics = server.statistics
      metrics.gauge("sessiond_http_connections", "Open connections.", Double(statistics.openConnections))
      metrics.gauge(
        "sessiond_http_requests_in_flight", "Requests being worked on.", Double(statistics.requestsInFlight))
    }
    if let store { metrics.add(store) }
    return metrics
  }

  private mutating func add(_ store: SessionStore) {
    let statistics = store.statistics
    counter("sessiond_batches_total", "Batches of the writer.", Double(statistics.batchCount))
    counter("sessiond_commands_total", "Commands that the writer has decided on.", Double(statistics.commandCount))
    counter("sessiond_batch_seconds_total", "Time from deciding on a batch to its commit.", statistics.batchSeconds)
    gauge("sessiond_queue_depth", "Commands that wait for the writer.", Double(store.queueDepth))
    let usage = store.usage
    gauge("sessiond_overlay_sessions", "Sessions not flushed to the projections yet.", Double(usage.overlaySessions))
    gauge("sessiond_overlay_events", "Events not flushed to the projections yet.", Double(usage.overlayEvents))
    gauge("sessiond_overlay_bytes", "Memory of what is not flushed yet.", Double(usage.overlayBytes))
    gauge("sessiond_log_bytes", "Bytes of the log's file in use.", Double(usage.logBytes))
    gauge("sessiond_projections_bytes", "Bytes of the projections' file in use.", Double(usage.projectionsBytes))
  }
}
