import Platform
import Testing

@Suite("Histogram")
struct HistogramTests {
  @Test("a value counts in the first bucket whose bound it doesn't exceed")
  func bounds() {
    var histogram = Histogram(bounds: [10, 20])
    for value: UInt64 in [0, 10, 11, 20, 21, 1000] { histogram.add(value) }
    #expect(histogram.counts == [2, 2, 2])
    #expect(histogram.sum == 1062)
  }

  @Test("the bounds for durations ascend")
  func durations() {
    #expect(Histogram.durationBounds == Histogram.durationBounds.sorted())
    #expect(Set(Histogram.durationBounds).count == Histogram.durationBounds.count)
  }
}
