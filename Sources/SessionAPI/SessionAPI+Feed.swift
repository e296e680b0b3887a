internal import HTTPServer
internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

extension SessionAPI {
  /// `GET /events`: the tenant's events in order, in the form that the client accepts.
  func feed(_ request: APIRequest) throws(AuditProblem) -> HTTPResponse {
    switch FeedFormat(accepted: request.exchange.headerList(.accept)) {
    case .page?: return try feedPage(request)
    case .lines?: return try feedLines(request)
    case .live?: return try liveFeed(request)
    case nil:
      let types = FeedFormat.allCases.map(\.mediaType).joined(separator: ", ")
      return AnswerFactory.error(406, "The events are there as \(types)")
    }
  }

  /// Events that are looked at for one page, at most.
  private static let pageScanLimit = 4096

  /// A page, with a link to the next.
  private func feedPage(_ request: APIRequest) throws(AuditProblem) -> HTTPResponse {
    let query = request.target.query
    let limit = try Self.parse { () throws(RequestTarget.Problem) in
      try query.number(.limit, in: Self.pageLimits) ?? Self.defaultPageLimit
    }
    let after = try Self.feedStart(query.text(.after), "after")
    _ = try feedEnd(request, after: after, "after")
    var filter = try feedFilter(request)
    var page = PageRendering("events", limit: limit)
    let reach = try look { () throws(StoreError) in
      try store.readEvents(of: request.caller.tenant, after: after, scanLimit: Self.pageScanLimit, filter: &filter) {
        event in
        page.append { event.event.appendCloudEvent(of: request.target.tenant, isErased: event.isErased, to: &$0) }
      }
    }
    let next = reach.isAtEnd ? nil : "\(request.base)/events?after=\(reach.position)&limit=\(limit)\(query.filterText)"
    return .json(200, page.finish(next: next), fields: [Self.positionField(reach.position)])
  }

  /// The rest of the log as it is now, an event a line. `Sessiond-Position` says up to where, to go on from there later.
  private func feedLines(_ request: APIRequest) throws(AuditProblem) -> HTTPResponse {
    let after = try Self.feedStart(request.target.query.text(.after), "after")
    let last = try feedEnd(request, after: after, "after")
    return try stream(
      request, after: after, until: .position(last), type: .lines, fields: [Self.positionField(last)])
  }

  /// The rest of the log, then what is appended. A client that comes back goes on where it was by `Last-Event-ID`.
  private func liveFeed(_ request: APIRequest) throws(AuditProblem) -> HTTPResponse {
    let resumed = request.exchange.header(.lastEventID).flatMap { $0.isEmpty ? nil : $0 }
    let name = resumed == nil ? "after" : "Last-Event-ID"
    let after = try Self.feedStart(resumed ?? request.target.query.text(.after), name)
    _ = try feedEnd(request, after: after, name)
    return try stream(
      request, after: after, until: .token(request.caller.goodUntilSeconds), type: .live,
      // A proxy that collects an answer before it passes it on would never pass this on.
      fields: [HTTPResponse.Field("X-Accel-Buffering", "no")])
  }

  private func stream(
    _ request: APIRequest, after: UInt64, until: FeedSource.End, type: FeedFormat, fields: [HTTPResponse.Field]
  ) throws(AuditProblem) -> HTTPResponse {
    guard request.target.query.text(.limit) == nil else {
      throw .request(.invalid("limit: belongs to pages; a stream goes on to its end"))
    }
    let filter = try feedFilter(request)
    guard feeds.open() else {
      return AnswerFactory.error(
        503, "As many feeds are open as may be; try again later", fields: [HTTPResponse.Field(.retryAfter, "5")])
    }
    let generation = request.caller.keyGeneration
    let isRevoked: @Sendable () -> Bool = { [authorizer] in authorizer.keyGeneration != generation }
    let source = FeedSource(
      hub: feeds, store: store, tenant: request.caller.tenant, after: after, until: until, filter: filter,
      timing: configuration.feedTiming, isRevoked: isRevoked, failed: report)
    let common = [
      HTTPResponse.Field(.contentType, type.mediaType), HTTPResponse.Field(.cacheControl, "no-store"),
    ]
    return .stream(200, HTTPBodyStream(source), fields: common + fields)
  }

  /// Where a feed begins: after the position that the client names.
  private static func feedStart(_ text: String?, _ name: String) throws(AuditProblem) -> UInt64 {
    guard let text else { return 0 }
    guard let position = UInt64(digits: text) else {
      throw .request(.invalid("\(name): must be a position, 0 for the beginning"))
    }
    return position
  }

  /// The position of the tenant's last event. A feed that would begin behind it can't be what the client means: it has
  /// the position from another log, or from this one before it was restored to an earlier state.
  private func feedEnd(_ request: APIRequest, after: UInt64, _ name: String) throws(AuditProblem) -> UInt64 {
    let last = store.lastPosition(of: request.caller.tenant)
    guard after <= last else {
      throw .request(.invalid("\(name): position \(after) lies behind the log's end, \(last)"))
    }
    return last
  }

  private func feedFilter(_ request: APIRequest) throws(AuditProblem) -> EventFilter {
    let query = request.target.query
    let (kind, session, customer) = try Self.parse { () throws(RequestTarget.Problem) in
      let kind = query.text(.type).map { Event.Kind(name: $0) }
      if case .some(nil) = kind { throw .invalid("type: must be an event's type such as session.patched.v1") }
      let session = query.text(.sessionId).map { SessionID($0) }
      if case .some(nil) = session { throw .noName("sessionId") }
      return (kind ?? nil, session ?? nil, try query.customer())
    }
    return try look { () throws(StoreError) in
      try store.eventFilter(of: request.caller.tenant, kind: kind, session: session, customer: customer)
    }
  }

  private static func positionField(_ position: UInt64) -> HTTPResponse.Field {
    HTTPResponse.Field("Sessiond-Position", "\(position)")
  }
}

extension RequestQuery {
  /// The filters of a feed, for the link to its next page.
  fileprivate var filterText: String {
    let filters: [Parameter] = [.type, .sessionId, .customerId]
    return filters.compactMap { filter in text(filter).map { "&\(filter)=\(percentEncoded($0))" } }.joined()
  }
}
