/// Answers requests.
public protocol HTTPHandler: Sendable {
  /// Called on a worker thread once a request has been received whole.
  ///
  /// Must lead to exactly one `respond`: before it returns, or later from any thread when it called `suspend` first.
  /// While it runs, the other connections of the same worker wait, so it must not block.
  func handle(_ exchange: HTTPExchange)

  /// Adds what all answers carry to one that the server gives by itself: to a request whose header is in order, but whose
  /// body is too long. Called on a worker thread; only the header fields are to be read.
  func complete(_ refusal: HTTPResponse, to exchange: HTTPExchange) -> HTTPResponse
}

extension HTTPHandler {
  /// Adds nothing.
  public func complete(_ refusal: HTTPResponse, to exchange: HTTPExchange) -> HTTPResponse { refusal }
}
