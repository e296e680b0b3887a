/// The forms in which a tenant's events are answered.
enum FeedFormat: CaseIterable {
  /// A page as one JSON object, with a link to the next.
  case page
  /// The rest of the log as it is now, an event a line (NDJSON).
  case lines
  /// The rest of the log, then what is appended, as it happens (server-sent events).
  case live

  var mediaType: String {
    switch self {
    case .page: "application/json"
    case .lines: "application/x-ndjson"
    case .live: "text/event-stream"
    }
  }

  /// The form that a client likes best by its `Accept` (RFC 9110, section 12.5.1), the first of those it likes alike;
  /// nil when it takes none of them. Without the field it takes any.
  init?(accepted: String?) {
    guard let accepted else {
      self = .page
      return
    }
    // Media types are ASCII; other texts may take quadratic time to compare.
    guard accepted.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
    // Those beyond the first few aren't looked at, which takes much longer than to send them.
    let ranges = accepted.split(separator: ",", maxSplits: 32).prefix(32).map { MediaRange($0) }
    var best: (format: FeedFormat, quality: Double)?
    for format in Self.allCases {
      let quality = ranges.compactMap { $0.match(format.mediaType) }.max { $0.precision < $1.precision }?.quality ?? 0
      if quality > best?.quality ?? 0 { best = (format, quality) }
    }
    guard let best else { return nil }
    self = best.format
  }
}

/// One of the media types that an `Accept` lists, which may be a group of them.
private struct MediaRange {
  private let name: String
  private let quality: Double

  init(_ text: Substring) {
    let parts = text.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
    name = parts.first ?? ""
    // A weight that is none makes the range count for nothing.
    quality = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
  }

  /// How exactly this names `mediaType`, and how much it is liked; nil when it doesn't mean it.
  func match(_ mediaType: String) -> (precision: Int, quality: Double)? {
    if name == mediaType { return (2, quality) }
    if name == "*/*" { return (0, quality) }
    return name.hasSuffix("/*") && mediaType.hasPrefix(name.dropLast()) ? (1, quality) : nil
  }
}
