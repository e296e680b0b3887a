internal import SessionCodec
internal import SessionModel
internal import SessionStore

extension [UInt8] {
  /// Appends an event as one line of JSON.
  mutating func appendLine(_ recorded: RecordedEvent, of tenant: TenantID) {
    recorded.event.appendCloudEventLine(of: tenant, isErased: recorded.isErased, to: &self)
  }

  /// Appends an event as a server-sent event (HTML Standard, section 9.2) that has its type and position.
  mutating func appendServerSentEvent(_ recorded: RecordedEvent, of tenant: TenantID) {
    appendFields(id: recorded.event.position, event: recorded.event.kind.name)
    let start = count
    recorded.event.appendCloudEvent(of: tenant, isErased: recorded.isErased, to: &self)
    if self[start...].contains(where: \.isLineBreak) {
      // Each line of the value needs a field of its own; the client puts a line feed between them.
      let json = self[start...].split(omittingEmptySubsequences: false, whereSeparator: \.isLineBreak).map(Array.init)
      removeSubrange(start...)
      append(contentsOf: json.joined(separator: "\ndata: ".utf8))
    }
    append(contentsOf: "\n\n".utf8)
  }

  /// Appends a server-sent event that says how far the feed is, and no more.
  mutating func appendServerSentMark(_ name: String, position: UInt64) {
    appendFields(id: position, event: name)
    append(contentsOf: #"{"position":"#.utf8)
    appendDecimal(position)
    append(contentsOf: "}\n\n".utf8)
  }

  /// Appends a comment that no client shows, so that the connection carries something.
  mutating func appendHeartbeat() {
    append(contentsOf: ": heartbeat\n\n".utf8)
  }

  private mutating func appendFields(id: UInt64, event: String) {
    append(contentsOf: "id: ".utf8)
    appendDecimal(id)
    append(contentsOf: "\nevent: ".utf8)
    append(contentsOf: event.utf8)
    append(contentsOf: "\ndata: ".utf8)
  }
}
