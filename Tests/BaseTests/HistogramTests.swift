// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Base

// Goal: a duration is counted in the range that its bound names. Method: both sides of every bound.

@Suite struct HistogramTests {
    @Test func boundsRise() {
        let bounds = DurationBuckets.upperBoundsNs
        #expect(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test(arguments: DurationBuckets.upperBoundsNs.indices)
    func boundBelongsToItsRange(index: Int) {
        let boundNs = DurationBuckets.upperBoundsNs[index]
        for (durationNs, expected) in [
            (boundNs - 1, index), (boundNs, index), (boundNs + 1, index + 1),
        ] {
            let histogram = Histogram()
            histogram.record(durationNs)
            #expect(histogram.snapshot.counts.firstIndex(of: 1) == expected)
            #expect(histogram.snapshot.count == 1)
            #expect(histogram.snapshot.sumNs == durationNs)
        }
    }

    @Test(arguments: [0, UInt64.max]) func extremesAreCounted(durationNs: UInt64) {
        let histogram = Histogram()
        histogram.record(durationNs)
        #expect(histogram.snapshot.count == 1)
    }

    @Test func snapshotsAddUpAndSubtract() {
        let (one, other) = (Histogram(), Histogram())
        one.record(1_000_000)
        other.record(1_000_000)
        let earlier = HistogramSnapshot.sum([one, other])
        other.record(40_000_000)
        let later = HistogramSnapshot.sum([one, other])
        #expect(later.count == 3)
        #expect(later.sumNs == 42_000_000)
        let between = later.since(earlier)
        #expect(between.count == 1)
        #expect(between.sumNs == 40_000_000)
    }

    @Test func percentiles() {
        let histogram = Histogram()
        #expect(histogram.snapshot.percentileNs(50) == nil)
        for _ in 0..<90 { histogram.record(1_000_000) }  // in 0.5...1 ms
        for _ in 0..<10 { histogram.record(40_000_000) }  // in 30...50 ms
        let snapshot = histogram.snapshot
        #expect(snapshot.percentileNs(1) == 500_000 + 500_000 / 90)
        #expect(snapshot.percentileNs(90) == 1_000_000)
        #expect(snapshot.percentileNs(91) == 32_000_000)
        #expect(snapshot.percentileNs(100) == 50_000_000)
        let beyond = Histogram()
        beyond.record(.max)
        #expect(beyond.snapshot.percentileNs(50) == 30_000_000_000)
    }
}
