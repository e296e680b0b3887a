/// A number of things for people: `1 event`, `2 events`.
func counted(_ count: some BinaryInteger, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}

/// A number of bytes for people: `1.5 MiB`.
func byteText(_ bytes: UInt64) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB"]
  var unit = 0
  var tenths = bytes * 10
  while tenths >= 10240 && unit < units.count - 1 {
    tenths /= 1024
    unit += 1
  }
  return unit == 0 ? "\(bytes) B" : "\(tenths / 10).\(tenths % 10) \(units[unit])"
}

/// A number of seconds for people: `8 s`, `3:05`, `1:02:03`.
func durationText(_ seconds: UInt64) -> String {
  func two(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
  if seconds < 60 { return "\(seconds) s" }
  if seconds < 3600 { return "\(seconds / 60):\(two(seconds % 60))" }
  return "\(seconds / 3600):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
}
