internal import HTTPServer
internal import SessionAPI
internal import SessionStore
internal import Tokens

extension Metrics {
  /// The figures of the service; of those parts that are there already.
  static func collect(
    health: Health, obstacle: String?, store: SessionStore?, api: SessionAPI?, server: HTTPServer?,
    verifier: TokenVerifier?
  ) -> Metrics {
    var metrics = Metrics()
    metrics.gauges("sessiond_build_info", "The version that runs.", [(labels: [("version", version)], value: 1)])
    let isReady = health.stage == .ready && obstacle == nil
    metrics.gauge("sessiond_ready", "1 while all requests can be answered, as /readyz has it.", isReady ? 1 : 0)
    if let api { metrics.add(api) }
    if let server { metrics.add(server.statistics) }
    if let verifier {
      metrics.gauge("sessiond_token_cache_entries", "Verified tokens remembered.", Double(verifier.rememberedCount))
    }
    if let store {
      metrics.add(store.statistics.current)
      metrics.gauge("sessiond_queue_depth", "Commands that wait for the writer.", Double(store.queueDepth))
      metrics.add(store.usage)
    }
    return metrics
  }

  private mutating func add(_ api: SessionAPI) {
    counters(
      "sessiond_requests_total", "Answered requests.",
      api.statistics.answered.map { ([("operation", $0.operation), ("status", "\($0.status)")], Double($0.count)) })
    histograms(
      "sessiond_request_duration_seconds", "Time from a whole request to its answer.", unit: 1e9,
      api.statistics.latencies.map { ([("operation", $0.operation)], $0.nanoseconds) })
    gauge("sessiond_feeds", "Open feeds.", Double(api.openFeeds))
  }

  private mutating func add(_ statistics: HTTPServerStatistics) {
    gauge("sessiond_http_connections", "Open connections.", Double(statistics.openConnections))
    gauge("sessiond_http_requests_in_flight", "Requests being worked on.", Double(statistics.requestsInFlight))
    gauge(
      "sessiond_http_requests_suspended", "Requests that wait for the writer.", Double(statistics.suspendedRequests))
    counter("sessiond_http_connections_total", "Connections accepted.", Double(statistics.acceptedConnections))
    counter(
      "sessiond_http_connections_refused_total", "Connections refused by a limit.",
      Double(statistics.refusedConnections))
    counter(
      "sessiond_http_connections_expired_total", "Connections closed since a deadline passed.",
      Double(statistics.expiredConnections))
    counter(
      "sessiond_http_requests_refused_total", "Requests refused before they reached the API.",
      Double(statistics.refusedRequests))
  }

  private mutating func add(_ figures: StoreStatistics.Figures) {
    histograms("sessiond_batch_commands", "Commands in a batch of the writer.", [([], figures.batchSizes)])
    histograms(
      "sessiond_batch_duration_seconds", "Time of a batch from deciding until it can be read and answered.", unit: 1e9,
      [([], figures.batchNanoseconds)])
    histograms(
      "sessiond_commit_duration_seconds", "Time of a commit of the log, the sync of the disk included.", unit: 1e9,
      [([], figures.commitNanoseconds)])
    counter("sessiond_projector_flushes_total", "Rounds of the projector.", Double(figures.flushCount))
    counter("sessiond_sweeps_total", "Rounds of the sweeper.", Double(figures.sweepCount))
    counter("sessiond_expired_sessions_total", "Expiries recorded by the sweeper.", Double(figures.expiredCount))
    counters(
      "sessiond_erased_sessions_total", "Sessions erased, because somebody asked for it or for their age.",
      [
        ([("reason", "request")], Double(figures.erasedCount)),
        ([("reason", "retention")], Double(figures.retentionCount)),
      ])
    counter("sessiond_erased_events_total", "Events whose payload was erased.", Double(figures.erasedEventCount))
    gauge(
      "sessiond_sweep_backlog", "Sessions that the last round left due, counted up to 65,536 a class.",
      Double(figures.sweepBacklog))
    let census = figures.census
    counter("sessiond_log_events_total", "Events in all logs: the sum of their last positions.", Double(census.events))
    let classes = [("small", census.small), ("medium", census.medium), ("large", census.large)]
    gauges(
      "sessiond_tenants", "Tenants by size: below 1,000, below 100,000, more open sessions.",
      classes.map { ([("tenant_class", $0.0)], Double($0.1.tenants)) })
    gauges(
      "sessiond_open_sessions", "Open sessions by their tenant's size.",
      classes.map { ([("tenant_class", $0.0)], Double($0.1.openSessions)) })
  }

  private mutating func add(_ usage: SessionStore.Usage) {
    gauge("sessiond_overlay_sessions", "Sessions not flushed to the projections yet.", Double(usage.overlaySessions))
    gauge("sessiond_overlay_bytes", "Memory of what is not flushed yet.", Double(usage.overlayBytes))
    gauge("sessiond_projector_lag_events", "Events not flushed to the projections yet.", Double(usage.overlayEvents))
    gauge("sessiond_projector_lag_seconds", "Age of the oldest event not flushed yet.", usage.projectorLagSeconds)
    gauge("sessiond_log_bytes", "Bytes of the log's file in use.", Double(usage.logBytes))
    gauge("sessiond_projections_bytes", "Bytes of the projections' file in use.", Double(usage.projectionsBytes))
    gauge("sessiond_map_size_bytes", "What each of the two files may grow to.", Double(usage.mapSizeBytes))
    gauges(
      "sessiond_oldest_reader_commits", "Commits that the oldest read transaction is behind.",
      [
        ([("environment", "log")], Double(usage.oldestLogReaderCommits)),
        ([("environment", "projections")], Double(usage.oldestProjectionsReaderCommits)),
      ])
    gauge("sessiond_disk_available_bytes", "Room on the data's disk.", Double(usage.diskAvailableBytes))
    gauge("sessiond_disk_reserve_bytes", "Room below which changes are refused.", Double(usage.diskReserveBytes))
    gauge("sessiond_disk_nearly_full", "1 while changes are refused for want of room.", usage.isDiskNearlyFull ? 1 : 0)
  }
}
