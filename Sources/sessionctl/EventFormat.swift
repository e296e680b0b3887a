internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

/// How events are printed, one a line.
enum EventFormat: String {
  /// Columns for people.
  case table
  /// A CloudEvent as JSON.
  case ndjson
  /// RFC 4180 with a header, lines ended by a line feed alone.
  case csv

  /// Appends what stands before the first event.
  func appendHead(to output: inout [UInt8]) {
    switch self {
    case .ndjson: break
    case .table: Self.appendColumns(Self.columns.map(\.heading), to: &output)
    case .csv:
      let names = [
        "tenant", "position", "time", "type", "session", "life", "version", "previous", "actor", "requestid",
        "traceparent", "erased", "data",
      ]
      output.append(contentsOf: (names.joined(separator: ",") + "\n").utf8)
    }
  }

  /// Appends an event's line.
  func append(_ recorded: RecordedEvent, of tenant: TenantID, to output: inout [UInt8]) {
    let event = recorded.event
    switch self {
    case .ndjson:
      event.appendCloudEventLine(of: tenant, isErased: recorded.isErased, to: &output)
    case .table:
      Self.appendColumns(
        [
          tenant.description, "\(event.position)", event.recordedAt.rfc3339, printable(event.sessionID.description),
          "\(event.life)", "\(event.version)", event.kind.shortName, recorded.actorText, recorded.changesText,
        ], to: &output)
    case .csv:
      var data: [UInt8] = []
      event.changes.appendData(to: &data)
      let cells = [
        tenant.description, "\(event.position)", event.recordedAt.rfc3339, event.kind.name,
        event.sessionID.description, "\(event.life)", "\(event.version)", "\(event.previousPosition)",
        event.origin.actor, event.origin.requestID, event.origin.traceParent, recorded.isErased ? "true" : "false",
        String(decoding: data, as: UTF8.self),
      ]
      for (index, cell) in cells.enumerated() {
        if index > 0 { output.append(UInt8(ascii: ",")) }
        Self.appendCell(cell, to: &output)
      }
      output.append(UInt8(ascii: "\n"))
    }
  }

  /// Widths that most events fit into: a stream can't wait for its widest.
  private static let columns: [(heading: String, width: Int, alignment: TextTable.Alignment)] = [
    ("TENANT", 10, .left), ("POSITION", 9, .right), ("TIME", 27, .left), ("SESSION", 36, .left), ("LIFE", 4, .right),
    ("VERSION", 7, .right), ("TYPE", 17, .left), ("ACTOR", 20, .left), ("CHANGES", 0, .left),
  ]

  private static func appendColumns(_ cells: [String], to output: inout [UInt8]) {
    for (index, cell) in cells.enumerated() {
      let column = columns[index]
      output.append(
        contentsOf: TextTable.cell(
          cell, width: column.width, column.alignment, isLast: index == columns.count - 1
        ).utf8)
    }
    output.append(UInt8(ascii: "\n"))
  }

  /// RFC 4180, 2.6 and 2.7: quotes around what holds commas, quotes or line breaks; quotes within are doubled.
  private static func appendCell(_ cell: String, to output: inout [UInt8]) {
    let special: [UInt8] = [UInt8(ascii: ","), UInt8(ascii: "\""), 0x0a, 0x0d]
    guard cell.utf8.contains(where: { special.contains($0) }) else { return output.append(contentsOf: cell.utf8) }
    output.append(UInt8(ascii: "\""))
    for byte in cell.utf8 {
      if byte == UInt8(ascii: "\"") { output.append(byte) }
      output.append(byte)
    }
    output.append(UInt8(ascii: "\""))
  }
}
