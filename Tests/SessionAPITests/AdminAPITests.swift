import HTTPServer
import Platform
import SessionAPI
import Testing

@Suite("The probes")
struct AdminAPITests {
  private func ask(_ path: String, stage: Health.Stage, obstacle: String? = nil) -> (status: Int, body: String) {
    let health = Health()
    health.reach(stage)
    let answer = Monitor<HTTPResponse?>(nil)
    AdminAPI(health: health, obstacle: { obstacle }, metrics: { Metrics() })
      .handle(HTTPExchange(method: .get, target: path) { response in answer.withLock { $0 = response } })
    guard let response = answer.withLock({ $0 }) else { return (0, "") }
    return (response.status, String(decoding: response.body, as: UTF8.self))
  }

  @Test("readiness is refused while the log is replayed, at the end, and after a failure")
  func stages() {
    #expect(ask("/readyz", stage: .starting) == (503, "replaying the log\n"))
    #expect(ask("/readyz", stage: .ready) == (200, "ready\n"))
    #expect(ask("/readyz", stage: .stopping) == (503, "stopping\n"))
    #expect(ask("/readyz", stage: .failed) == (503, "failed\n"))
  }

  @Test("readiness is refused with the reason while something keeps the service from its work")
  func obstacles() {
    #expect(ask("/readyz", stage: .ready, obstacle: "the projector is stuck") == (503, "the projector is stuck\n"))
    #expect(ask("/readyz", stage: .starting, obstacle: "the projector is stuck") == (503, "replaying the log\n"))
  }

  @Test("liveness is refused only after a failure")
  func liveness() {
    for stage in [Health.Stage.starting, .ready, .stopping] {
      #expect(ask("/livez", stage: stage, obstacle: "the disk is nearly full").status == 200)
    }
    #expect(ask("/livez", stage: .failed).status == 503)
  }

  @Test("a histogram is told in the unit of its figure, cumulative, with its sum and count")
  func histogram() {
    var histogram = Histogram(bounds: [1_000_000, 2_000_000_000])
    for value: UInt64 in [500_000, 1_500_000_000, 3_000_000_000] { histogram.add(value) }
    var metrics = Metrics()
    metrics.histograms("waiting_seconds", "Time.", unit: 1e9, [([("kind", "a\"b\\\n")], histogram)])
    #expect(
      metrics.text == """
        # HELP waiting_seconds Time.
        # TYPE waiting_seconds histogram
        waiting_seconds_bucket{kind="a\\"b\\\\\\n",le="0.001"} 1
        waiting_seconds_bucket{kind="a\\"b\\\\\\n",le="2"} 2
        waiting_seconds_bucket{kind="a\\"b\\\\\\n",le="+Inf"} 3
        waiting_seconds_sum{kind="a\\"b\\\\\\n"} 4.5005
        waiting_seconds_count{kind="a\\"b\\\\\\n"} 3

        """)
  }
}
