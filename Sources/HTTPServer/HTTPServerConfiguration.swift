/// The limits of a server.
public struct HTTPServerConfiguration: Sendable {
  /// Connections open at a time, over all listeners. One more is answered 503 and closed.
  public var maximumConnections = 4096
  /// Connections open at a time from one IPv4 address or one IPv6 /64 network; 0: no limit of its own. UNIX sockets are
  /// exempt.
  public var maximumConnectionsPerAddress = 0
  /// Bytes of the request line and the header together. More is answered 431 (414 for the request line alone), as are
  /// more fields and cookies than a connection's memory holds.
  /// The default has room for the largest token, of 8 KiB, and the fields beside it.
  public var maximumHeaderBytes = 12 * 1024
  /// Bytes of a request's body. More is answered 413.
  public var maximumBodyBytes = 64 * 1024
  /// Seconds that a request's header may take: from accepting the connection, or from the first byte of a later request.
  public var headerTimeoutSeconds = 10.0
  /// Seconds that a request's body may take once the header is there.
  public var bodyTimeoutSeconds = 30.0
  /// Seconds that a connection may stay without a request.
  public var idleTimeoutSeconds = 60.0
  /// Seconds that the client may take to receive an answer, or each 16 KiB of a streamed one.
  public var sendTimeoutSeconds = 30.0
  /// Threads that read requests and send answers.
  public var workerThreads = 2
  /// Connections that the kernel keeps for a listener until they're accepted.
  public var listenBacklog = 1024
  /// Seconds that requests in flight have to end when the server stops.
  public var drainTimeoutSeconds = 10.0

  /// Fields of the handler's that may stand only once in a request, at most 16; a second one is answered 400.
  public var singleFields: [HTTPFieldName] = []

  /// The defaults.
  public init() {}

  /// The memory of each connection, in bytes. No more than needed, since the library clears it all after each request.
  ///
  /// The library receives into the first half, where the longest header has room. In the other half it records fields,
  /// cookies and trailers, and makes the answer's header.
  var connectionMemoryBytes: Int { max(maximumHeaderBytes * 2, maximumHeaderBytes + 8192) }

  /// The bytes of a connection's memory for what the library records of a request: all but what an answer's header may take.
  var recordBytes: Int { connectionMemoryBytes / 2 - HTTPResponse.maximumHeaderBytes }

  /// The first setting that can't work, in words.
  var problem: String? {
    let counts = [
      ("maximumConnections", maximumConnections, 1, 1_000_000),
      ("maximumConnectionsPerAddress", maximumConnectionsPerAddress, 0, 1_000_000),
      ("maximumHeaderBytes", maximumHeaderBytes, 1024, 1 << 20),
      ("maximumBodyBytes", maximumBodyBytes, 0, 1 << 30),
      ("workerThreads", workerThreads, 1, 256),
      ("listenBacklog", listenBacklog, 1, 65535),
    ]
    for (name, value, low, high) in counts where value < low || value > high {
      return "\(name) is \(value); it must be from \(low) to \(high)"
    }
    if singleFields.count > RequestGate.maximumSingleFields {
      return "singleFields names \(singleFields.count) fields; it may name \(RequestGate.maximumSingleFields)"
    }
    let durations = [
      ("headerTimeoutSeconds", headerTimeoutSeconds), ("bodyTimeoutSeconds", bodyTimeoutSeconds),
      ("idleTimeoutSeconds", idleTimeoutSeconds), ("sendTimeoutSeconds", sendTimeoutSeconds),
      ("drainTimeoutSeconds", drainTimeoutSeconds),
    ]
    for (name, value) in durations where !(value >= 0.01 && value <= 86400) {
      return "\(name) is \(value); it must be from 0.01 to 86400"
    }
    return nil
  }
}
