internal import Platform

/// Seeds for a property test: some that never change, and a new one at each run, which is printed. The variable
/// `TEST_SEED` takes the place of all of them, to run a failure again.
public func propertySeeds(_ test: String = #fileID) -> [UInt64] {
  if let text = Process.environment(prefix: "TEST_SEED")["TEST_SEED"], let seed = UInt64(text) { return [seed] }
  let fresh = UInt64.random(in: .min ... .max)
  print("\(test): property tests run with the seeds 1, 2 and \(fresh); TEST_SEED=… runs one alone")
  return [1, 2, fresh]
}

/// SplitMix64: the same numbers from the same seed everywhere.
public struct SeededRandomness: RandomNumberGenerator {
  private var state: UInt64

  /// The numbers that follow from `seed`.
  public init(seed: UInt64) {
    state = seed
  }

  /// The next number.
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }

  /// A number of that range.
  public mutating func number<Value: FixedWidthInteger>(_ range: ClosedRange<Value>) -> Value {
    Value.random(in: range, using: &self)
  }

  /// True once in so many times.
  public mutating func chance(_ oneIn: Int) -> Bool { number(0...oneIn - 1) == 0 }

  /// One of `choices`.
  public mutating func pick<Element>(_ choices: [Element]) -> Element { choices[number(0...choices.count - 1)] }

  /// That many bytes.
  public mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in number(0...255) } }

  /// Text without control characters, of scalars of every length in UTF-8.
  public mutating func text(_ count: ClosedRange<Int>) -> String {
    var text = String.UnicodeScalarView()
    for _ in 0..<number(count) {
      let range: ClosedRange<UInt32> = pick([
        0x20...0x7e, 0x20...0x7e, 0x80...0x7ff, 0x800...0xd7ff, 0x10000...0x10ffff,
      ])
      if let scalar = Unicode.Scalar(number(range)) { text.append(scalar) }
    }
    return String(text)
  }
}
