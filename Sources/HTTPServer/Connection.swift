internal import CMicrohttpd
internal import Glibc
internal import Platform
internal import Synchronization

/// A connection of the library, as its exchange needs it.
@safe final class Connection: @unchecked Sendable {
  // Sendable although it has mutable parts: all of them but `pending` and `continuation` are touched on the connection's
  // worker only, and these are handed over like the parts of the exchange. None is touched while it is being changed, so
  // that the runtime needn't look for that at each access.

  /// How far the library is with the request.
  enum Stage {
    /// The header isn't whole yet, or there's no request.
    case header
    /// The header was let through.
    case body
    /// The handler has been called.
    case dispatched
    /// The gate answered.
    case refused
  }

  let core: ServerCore
  let peer: SocketAddress
  /// The socket; the library's, which closes it after the CLOSED notification.
  let descriptor: Int32
  private let handle: OpaquePointer
  /// The place in the connection table.
  var slot: Int?
  @safe @exclusivity(unchecked) private var stage = Stage.header
  /// The answer that came while the request was suspended.
  @safe @exclusivity(unchecked) private var pending: HTTPResponse?
  /// What a suspended request goes on with.
  @safe @exclusivity(unchecked) private var continuation: (@Sendable () -> Void)?
  /// The target in the library's buffer: valid until the handler was first called.
  @exclusivity(unchecked) private var uri: UnsafePointer<CChar>?
  /// What the trailers of a chunked body may take of the library's memory, in bytes; nil for other bodies.
  @safe @exclusivity(unchecked) private var memoryForTrailers: Int?
  /// Whether bytes of a refused request may be left unread.
  @safe @exclusivity(unchecked) private var leavesUnread = false
  /// Whether the library did not take an answer, so that the connection has to end.
  @safe @exclusivity(unchecked) private var isUnanswerable = false

  init(core: ServerCore, handle: OpaquePointer, descriptor: Int32, peer: SocketAddress) {
    self.core = core
    unsafe self.handle = handle
    self.descriptor = descriptor
    self.peer = peer
  }

  /// What a connection keeps between requests for the next one's body, at most.
  private static let keptBodyBytes = 4096

  // MARK: the request, on the worker

  /// The request line is there; the library hasn't yet changed the target.
  func begin(_ exchange: HTTPExchange, uri: UnsafePointer<CChar>) {
    core.counters.requestsInFlight.add(1, ordering: .acquiringAndReleasing)
    unsafe self.uri = uri
    exchange.received.target.removeAll(keepingCapacity: true)
    unsafe exchange.received.target.append(copying: Span(_unsafeElements: bytes(uri, strlen(uri))))
    if let query = unsafe strchr(uri, Int32(UInt8(ascii: "?"))) {
      // The library would now make a record of each argument, in the connection's memory; when that runs out it never
      // answers (0.9.75). So it finds an empty query. The buffer is the connection's, and the callback gets it whole.
      unsafe query[1] = 0
    }
    if !exchange.received.body.isEmpty { exchange.received.body.removeAll(keepingCapacity: true) }
  }

  /// The library's handler call: for the header, for each part of the body, for the end, and after a resumption.
  /// False ends the connection without a further answer.
  func proceed(
    _ exchange: HTTPExchange, method: UnsafePointer<CChar>, version: UnsafePointer<CChar>,
    data: UnsafePointer<CChar>?, size: UnsafeMutablePointer<Int>
  ) -> Bool {
    switch stage {
    case .header: return unsafe receivedHeader(exchange, method: method, version: version)
    case .body:
      guard unsafe size.pointee == 0 else {
        let part = unsafe UnsafeRawBufferPointer(start: data, count: size.pointee)
        unsafe size.pointee = 0
        return unsafe receivedPart(exchange, part)
      }
      if let memory = memoryForTrailers, unsafe RequestGate.trailerBytes(handle) > memory {
        return refuseDirectly(.error(431, "the request's trailers must be fewer, or shorter"))
      }
      dispatch(exchange)
    case .dispatched:
      // Resumed: the answer is there, or somebody who has it.
      if let body = continuation {
        continuation = nil
        exchange.state.store(.handling, ordering: .relaxed)
        handle(exchange, body)
      } else if let response = pending {
        pending = nil
        queue(exchange, response)
      }
    case .refused: break
    }
    return !isUnanswerable
  }

  private func receivedHeader(
    _ exchange: HTTPExchange, method: UnsafePointer<CChar>, version: UnsafePointer<CChar>
  ) -> Bool {
    guard let uri = unsafe uri else { return false }
    unsafe self.uri = nil
    let gate = unsafe RequestGate(
      core, handle, method: method, uri: uri, target: exchange.received.target.span, version: version)
    if let refusal = gate.refusal {
      let answer = HTTPResponse.error(refusal.status, refusal.message)
      // The library may have no memory left for it.
      if refusal.status == 431 { return refuseDirectly(answer) }
      // An answer before the body is received makes the library end the connection.
      noteRefusal()
      // Of other refusals the header isn't known to be in order.
      queue(exchange, (refusal.status == 413 ? core.handler.complete(answer, to: exchange) : answer).closing())
      return true
    }
    if gate.pathStart > 0 { exchange.removeOrigin(before: gate.pathStart) }
    let name = unsafe bytes(method, strlen(method))
    exchange.received.method = unsafe HTTPMethod(name: Span(_unsafeElements: name))
    if exchange.received.method == .other { unsafe exchange.received.otherMethodName = Array(name) }
    stage = .body
    memoryForTrailers = gate.bodyBytes == nil ? gate.memoryLeft : nil
    if let bytes = gate.bodyBytes {
      guard bytes > 0 else { return true }
      exchange.received.body.reserveCapacity(bytes)
    }
    enter(.body, exchange)
    return true
  }

  private func receivedPart(_ exchange: HTTPExchange, _ part: UnsafeRawBufferPointer) -> Bool {
    let maximum = core.configuration.maximumBodyBytes
    guard part.count <= maximum - exchange.received.body.count else {
      // In the middle of a body the library takes no answer.
      let answer = HTTPResponse.error(413, "the request's body must be at most \(maximum) bytes long")
      return refuseDirectly(core.handler.complete(answer, to: exchange))
    }
    unsafe exchange.received.body.append(contentsOf: part)
    return true
  }

  /// Refuses a request whose answer the library can't take: it goes directly into the socket, into which the library hasn't
  /// sent any of one, and the connection ends.
  private func refuseDirectly(_ answer: HTTPResponse) -> Bool {
    noteRefusal()
    RawAnswer.send(answer, to: descriptor)
    return false
  }

  private func noteRefusal() {
    stage = .refused
    leavesUnread = true
    core.counters.refusedRequests.add(1, ordering: .relaxed)
  }

  private func dispatch(_ exchange: HTTPExchange) {
    stage = .dispatched
    enter(.handling, exchange)
    exchange.state.store(.handling, ordering: .relaxed)
    handle(exchange) { core.handler.handle(exchange) }
  }

  private func handle(_ exchange: HTTPExchange, _ body: () -> Void) {
    body()
    // One that was suspended may be anywhere by now.
    guard exchange.state.load(ordering: .acquiring) == .handling else { return }
    core.log("the handler of \(exchange.methodName) neither answered nor suspended; answered 500")
    exchange.respond(.error(500, "the request was not answered"))
  }

  /// The answer was sent, or the request failed; `exchange` is free for the connection's next request.
  func complete(_ exchange: HTTPExchange) {
    core.counters.requestsInFlight.subtract(1, ordering: .acquiringAndReleasing)
    stage = .header
    unsafe uri = nil
    pending = nil
    continuation = nil
    // After an abandoned request there is no next one, and the handler's answer may still come.
    if exchange.state.load(ordering: .relaxed) != .abandoned {
      exchange.state.store(.receiving, ordering: .relaxed)
      // Thousands of idle connections must not keep what large bodies took.
      if exchange.received.body.capacity > Self.keptBodyBytes { exchange.received.body = [] }
    }
    enter(.idle, exchange)
  }

  /// The connection ends; its socket is still open.
  func close(_ exchange: HTTPExchange) {
    core.connections.remove(self)
    core.counters.openConnections.subtract(1, ordering: .acquiringAndReleasing)
    if leavesUnread { RawAnswer.discardUnread(descriptor) }
  }

  /// The value of the first header field of that name, without blanks around it.
  func withHeader<Result>(_ name: HTTPFieldName, _ body: (Span<UInt8>) -> Result) -> Result? {
    var value: UnsafePointer<CChar>?
    var length = 0
    let found = unsafe name.text.utf8Start.withMemoryRebound(to: CChar.self, capacity: name.text.utf8CodeUnitCount) {
      // MHD_lookup_connection_value_n: the value stays valid as long as the request.
      unsafe MHD_lookup_connection_value_n(handle, .HEADER_KIND, $0, name.text.utf8CodeUnitCount, &value, &length)
    }
    guard found == .YES else { return nil }
    // A header without a value has a null pointer or an empty one.
    guard let value = unsafe value else { return body(trimmed(Span())) }
    return unsafe body(trimmed(Span(_unsafeElements: bytes(value, length))))
  }

  /// The values of all header fields of that name, in order, without blanks around them.
  func headerValues(_ name: HTTPFieldName) -> [String] {
    var found = (name: name, values: [String]())
    unsafe withUnsafeMutablePointer(to: &found) { found in
      _ = unsafe MHD_get_connection_values_n(
        handle, .HEADER_KIND,
        { found, _, name, nameLength, value, valueLength in
          // `found` is the pointer passed below, which outlives this call; names are never null for headers.
          guard let found = unsafe found?.assumingMemoryBound(to: (name: HTTPFieldName, values: [String]).self),
            let name = unsafe name
          else { return .NO }
          if unsafe found.pointee.name.matches(Span(_unsafeElements: bytes(name, nameLength))) {
            let value = unsafe Span(_unsafeElements: bytes(value ?? name, value == nil ? 0 : valueLength))
            unsafe found.pointee.values.append(String(decoding: trimmed(value)))
          }
          return .YES
        }, found)
    }
    return found.values
  }

  /// Takes the connection out of its worker's loop while its request waits for an answer; false when nothing may wait
  /// any more. On the worker, within the library's handler call.
  func suspend() -> Bool { suspend(countedIn: core.counters.suspendedRequests) }

  /// Has the kernel hold no more than `bytes` for the client.
  func prepareForStream(bytes: Int) {
    // socket(7): the kernel doubles the value, for its own bookkeeping. Without it a stream works as well, so that a
    // failure doesn't matter.
    var size = Int32(bytes)
    _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Takes the connection out of its worker's loop while its body waits; false when nothing may wait any more. On the
  /// worker, within the library's reader call.
  func suspendStream() -> Bool { suspend(countedIn: core.counters.waitingStreams) }

  /// Puts it back; from any thread, once after each `suspendStream`.
  func resumeStream() { resume(countedIn: core.counters.waitingStreams) }

  private func suspend(countedIn count: borrowing Atomic<Int>) -> Bool {
    // Whoever stops the server sets `isAbandoning`, then waits until the counts are 0; this counts, then looks at
    // `isAbandoning`. All four are sequentially consistent, so one of the two sees the other: after that wait no
    // connection is suspended, and none will be.
    count.add(1, ordering: .sequentiallyConsistent)
    guard !core.isAbandoning.load(ordering: .sequentiallyConsistent) else {
      count.subtract(1, ordering: .acquiringAndReleasing)
      return false
    }
    // MHD_suspend_connection: "The only safe way to call this function is to call it from the
    // #MHD_AccessHandlerCallback or #MHD_ContentReaderCallback."
    unsafe MHD_suspend_connection(handle)
    return true
  }

  private func resume(countedIn count: borrowing Atomic<Int>) {
    // microhttpd.h: "It is safe to resume a suspended connection at any time." The library ends no suspended connection,
    // so the handle is valid until here, and not after. It may stop as soon as the connection no longer counts: it then
    // takes up what was resumed by itself before it ends it (0.9.75, close_all_connections).
    unsafe MHD_resume_connection(handle)
    count.subtract(1, ordering: .sequentiallyConsistent)
  }

  // MARK: the answer

  /// Sends `response`: at once on the worker, or by resuming the connection. The caller has taken the right to answer.
  func answer(_ exchange: HTTPExchange, _ response: HTTPResponse, wasSuspended: Bool) {
    exchange.state.store(.answered, ordering: .releasing)
    if wasSuspended { resume(with: response) } else { queue(exchange, response) }
  }

  /// Puts a suspended connection back into its worker's loop, to send `response`.
  func resume(with response: HTTPResponse) {
    pending = response
    resume(countedIn: core.counters.suspendedRequests)
  }

  /// Puts a suspended connection back into its worker's loop, where `body` goes on with it.
  func resume(with body: @escaping @Sendable () -> Void) {
    continuation = body
    resume(countedIn: core.counters.suspendedRequests)
  }

  /// Gives the answer to the library. On the worker, within the library's handler call.
  private func queue(_ exchange: HTTPExchange, _ response: HTTPResponse) {
    enter(.sending, exchange)
    let closes = response.closesConnection || core.isDraining.load(ordering: .relaxed)
    response.stream?.attach(to: self, exchange)
    if let prepared = unsafe LibraryResponse.make(response, toHead: exchange.received.method == .head, closes: closes) {
      unsafe send(prepared, status: response.status)
      return
    }
    core.log("an answer with status \(response.status) has a header field that HTTP does not allow; answered 500")
    let error = HTTPResponse.error(500, "the answer could not be sent")
    if let prepared = unsafe LibraryResponse.make(error, toHead: false, closes: true) {
      unsafe send(prepared, status: error.status)
    } else {
      isUnanswerable = true
    }
  }

  private func send(_ prepared: OpaquePointer, status: Int) {
    // MHD_queue_response takes a reference of its own.
    let queued = unsafe MHD_queue_response(handle, UInt32(status), prepared)
    unsafe MHD_destroy_response(prepared)
    guard queued != .YES else { return }
    // The library is in no state to take an answer. Whatever brought it there, only this connection pays for it.
    core.log("an answer with status \(status) could not be queued; the connection is closed")
    isUnanswerable = true
  }

  /// Says that the connection is in `phase` anew. On the worker.
  func enter(_ phase: ConnectionPhase, _ exchange: HTTPExchange) {
    // Only this connection's worker writes it.
    exchange.phase.store(phase.word(after: exchange.phase.load(ordering: .relaxed)), ordering: .relaxed)
  }
}

/// `bytes` without blanks and tabs around them.
@_lifetime(copy bytes)
func trimmed(_ bytes: Span<UInt8>) -> Span<UInt8> {
  var low = 0
  var high = bytes.count
  while low < high, bytes[low] == 0x20 || bytes[low] == 0x09 { low += 1 }
  while low < high, bytes[high - 1] == 0x20 || bytes[high - 1] == 0x09 { high -= 1 }
  return bytes.extracting(low..<high)
}
