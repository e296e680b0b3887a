/// Figures in the text format that Prometheus reads (exposition format 0.0.4).
public struct Metrics: Sendable {
  /// The format's media type.
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// The figures as text.
  public private(set) var text = ""

  /// No figures yet.
  public init() {}

  /// Adds a figure that only grows.
  public mutating func counter(_ name: String, _ help: String, _ value: Double) {
    add(name, help, "counter", [(labels: [], value: value)])
  }

  /// Adds a figure that grows and shrinks.
  public mutating func gauge(_ name: String, _ help: String, _ value: Double) {
    add(name, help, "gauge", [(labels: [], value: value)])
  }

  /// Adds figures that only grow and are told apart by labels. Without samples nothing is added.
  public mutating func counters(
    _ name: String, _ help: String, _ samples: [(labels: [(name: String, value: String)], value: Double)]
  ) {
    if !samples.isEmpty { add(name, help, "counter", samples) }
  }

  private mutating func add(
    _ name: String, _ help: String, _ type: String,
    _ samples: [(labels: [(name: String, value: String)], value: Double)]
  ) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    for sample in samples {
      let labels = sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
      text += labels.isEmpty ? name : "\(name){\(labels)}"
      text += " \(Self.number(sample.value))\n"
    }
  }

  private static func number(_ value: Double) -> String {
    Int64(exactly: value).map { "\($0)" } ?? "\(value)"
  }

  private static func escaped(_ value: String) -> String {
    var escaped = ""
    for character in value {
      switch character {
      case "\\": escaped += "\\\\"
      case "\"": escaped += "\\\""
      case "\n": escaped += "\\n"
      default: escaped.append(character)
      }
    }
    return escaped
  }
}
