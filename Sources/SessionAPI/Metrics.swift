public import Platform

/// Figures in the text format that Prometheus reads (exposition format 0.0.4).
public struct Metrics: Sendable {
  /// The names and values that tell samples of one figure apart.
  public typealias Labels = [(name: String, value: String)]

  /// The format's media type.
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// The figures as text.
  public private(set) var text = ""

  /// No figures yet.
  public init() {}

  /// Adds a figure that only grows.
  public mutating func counter(_ name: String, _ help: String, _ value: Double) {
    counters(name, help, [(labels: [], value: value)])
  }

  /// Adds a figure that grows and shrinks.
  public mutating func gauge(_ name: String, _ help: String, _ value: Double) {
    gauges(name, help, [(labels: [], value: value)])
  }

  /// Adds figures that only grow and are told apart by labels. Without samples nothing is added.
  public mutating func counters(_ name: String, _ help: String, _ samples: [(labels: Labels, value: Double)]) {
    add(name, help, "counter", samples)
  }

  /// Adds figures that grow and shrink and are told apart by labels. Without samples nothing is added.
  public mutating func gauges(_ name: String, _ help: String, _ samples: [(labels: Labels, value: Double)]) {
    add(name, help, "gauge", samples)
  }

  /// Adds distributions whose values, in the figure's unit, are a `unit`-th of what was counted: 1e9 for nanoseconds as
  /// seconds. Without samples nothing is added.
  public mutating func histograms(
    _ name: String, _ help: String, unit: Double = 1, _ samples: [(labels: Labels, histogram: Histogram)]
  ) {
    guard !samples.isEmpty else { return }
    head(name, help, "histogram")
    for (labels, histogram) in samples {
      var cumulative: UInt64 = 0
      for (index, count) in histogram.counts.enumerated() {
        cumulative += count
        let bound = index < histogram.bounds.count ? Self.number(Double(histogram.bounds[index]) / unit) : "+Inf"
        sample("\(name)_bucket", labels + [("le", bound)], Double(cumulative))
      }
      sample("\(name)_sum", labels, Double(histogram.sum) / unit)
      sample("\(name)_count", labels, Double(cumulative))
    }
  }

  private mutating func add(
    _ name: String, _ help: String, _ type: String, _ samples: [(labels: Labels, value: Double)]
  ) {
    guard !samples.isEmpty else { return }
    head(name, help, type)
    for (labels, value) in samples { sample(name, labels, value) }
  }

  private mutating func head(_ name: String, _ help: String, _ type: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  private mutating func sample(_ name: String, _ labels: Labels, _ value: Double) {
    let labels = labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
    text += labels.isEmpty ? name : "\(name){\(labels)}"
    text += " \(Self.number(value))\n"
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
