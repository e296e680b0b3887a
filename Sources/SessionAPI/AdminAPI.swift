public import HTTPServer

/// The daemon's own interface: `/livez`, `/readyz` and `/metrics` on a listener of its own.
public struct AdminAPI: HTTPHandler {
  private let health: Health
  private let metrics: @Sendable () -> Metrics
  private let obstacle: @Sendable () -> String?

  /// An interface that tells of `health`, and of the figures that `metrics` collects when asked.
  ///
  /// `obstacle` says in a few words what keeps a running service from doing all of its work, nil when nothing does.
  public init(
    health: Health, obstacle: @escaping @Sendable () -> String? = { nil }, metrics: @escaping @Sendable () -> Metrics
  ) {
    self.health = health
    self.obstacle = obstacle
    self.metrics = metrics
  }

  /// Answers a probe.
  public func handle(_ exchange: HTTPExchange) {
    guard exchange.method == .get || exchange.method == .head else {
      return exchange.respond(.error(405, "Only GET is possible here", fields: [.init(.allow, "GET, HEAD")]))
    }
    switch String(decoding: exchange.target.prefix { $0 != UInt8(ascii: "?") }, as: UTF8.self) {
    case "/livez": exchange.respond(livez)
    case "/readyz": exchange.respond(readyz)
    case "/metrics": exchange.respond(Self.text(200, metrics().text, type: Metrics.contentType))
    default: exchange.respond(.error(404, "No such resource; there are /livez, /readyz and /metrics"))
    }
  }

  private var livez: HTTPResponse {
    health.stage == .failed ? Self.text(503, "failed\n") : Self.text(200, "ok\n")
  }

  private var readyz: HTTPResponse {
    switch health.stage {
    case .ready:
      if let obstacle = obstacle() { Self.text(503, "\(obstacle)\n") } else { Self.text(200, "ready\n") }
    case .starting: Self.text(503, "replaying the log\n")
    case .stopping: Self.text(503, "stopping\n")
    case .failed: Self.text(503, "failed\n")
    }
  }

  private static func text(_ status: Int, _ text: String, type: String = "text/plain; charset=utf-8") -> HTTPResponse {
    HTTPResponse(status: status, fields: [.init(.contentType, type)], body: Array(text.utf8))
  }
}
