/// Rows of text in aligned columns, two blanks apart.
struct TextTable {
  /// On which side a column is filled up.
  enum Alignment {
    case left
    case right
  }

  private let alignments: [Alignment]
  private var rows: [[String]] = []

  /// A table with those columns and, unless all headings are empty, a first row of headings.
  init(_ columns: [(heading: String, alignment: Alignment)]) {
    alignments = columns.map(\.alignment)
    if columns.contains(where: { !$0.heading.isEmpty }) { rows.append(columns.map(\.heading)) }
  }

  /// A table of names and values.
  init(pairs: [(String, String)]) {
    self.init([("", .left), ("", .left)])
    for (name, value) in pairs { add([name, value]) }
  }

  /// Adds a row, one text for each column. Texts are shown as they are, see `printable`.
  mutating func add(_ row: [String]) {
    precondition(row.count == alignments.count)
    rows.append(row)
  }

  /// The lines of the table.
  var text: String {
    let widths = alignments.indices.map { column in rows.map { displayWidth($0[column]) }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        line += Self.cell(cell, width: widths[column], alignments[column], isLast: column == row.count - 1)
      }
      return line + "\n"
    }.joined()
  }

  /// A cell filled up to its width with what divides it from the next one.
  static func cell(_ text: String, width: Int, _ alignment: Alignment, isLast: Bool) -> String {
    let padding = String(repeating: " ", count: max(0, width - displayWidth(text)))
    switch alignment {
    case .left: return isLast ? text : text + padding + "  "
    case .right: return padding + text + (isLast ? "" : "  ")
    }
  }
}
