internal import SessionAPI

extension Log {
  /// Writes what became of a request.
  func callAsFunction(_ record: AccessRecord) {
    var fields = [("status", "\(record.status)"), ("duration_us", "\(record.durationMicroseconds)")]
    if let tenant = record.tenant { fields.append(("tenant", "\(tenant)")) }
    if let session = record.session { fields.append(("session", "\(session)")) }
    if let position = record.position { fields.append(("position", "\(position)")) }
    if let id = record.requestID { fields.append(("request_id", id)) }
    fields.append(("client", record.client))
    self(.info, "\(record.method) \(record.operation?.name ?? "none")", fields)
  }
}
