/// Answers requests.
public protocol HTTPHandler: Sendable {
  /// Called on a worker thread once a request has been received whole.
  ///
  /// Must lead to exactly one `respond`: before it returns, or later from any thread when it called `suspend` first.
  /// While it runs, the other connections of the same worker wait, so it must not block.
  func handle(_ exchange: HTTPExchange)
}
