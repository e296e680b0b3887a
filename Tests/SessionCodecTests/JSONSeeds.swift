/// Seeds for a property test: some that never change, and a new one at each run, which is printed.
func seeds() -> [UInt64] {
  let fresh = UInt64.random(in: .min ... .max)
  print("property tests run with the seed \(fresh)")
  return [1, 2, fresh]
}

/// SplitMix64: the same numbers from the same seed everywhere.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }

  mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &self) == 0 }

  mutating func pick<Element>(_ choices: [Element]) -> Element {
    choices[Int.random(in: 0..<choices.count, using: &self)]
  }

  /// Text of scalars of every length in UTF-8.
  mutating func text(count: ClosedRange<Int>, includingControls: Bool) -> String {
    var text = String.UnicodeScalarView()
    for _ in 0..<Int.random(in: count, using: &self) {
      let range: ClosedRange<UInt32> = pick([
        0x20...0x7e, 0x20...0x7e, 0x80...0x7ff, 0x800...0xd7ff, 0x10000...0x10ffff,
      ])
      let value =
        includingControls && chance(5) ? UInt32.random(in: 0...0x1f, using: &self) : .random(in: range, using: &self)
      if let scalar = Unicode.Scalar(value) { text.append(scalar) }
    }
    return String(text)
  }
}
