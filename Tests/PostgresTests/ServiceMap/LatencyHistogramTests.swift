// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Postgres

// Goal: what is added up by bytes is what was in them. Method: there and back, in any order.
struct LatencyHistogramTests {
    private func adding(_ packed: [UInt8], to histogram: inout LatencyHistogram) {
        unsafe packed.withUnsafeBytes { histogram.add(packed: unsafe ByteSlice($0)) }
    }

    private func histogram(_ counts: KeyValuePairs<Int16, Int32>) -> LatencyHistogram {
        var packed: [UInt8] = []
        for (bucket, count) in counts {
            packed.appendBigEndian(bucket)
            packed.appendBigEndian(count)
        }
        var histogram = LatencyHistogram()
        adding(packed, to: &histogram)
        return histogram
    }

    @Test func packedAndBack() {
        let one = histogram([79: 1, 200: 70_000, 335: 3])
        let other = histogram([80: 5, 200: 30_000])
        #expect(one.packed().count == 18)
        #expect(Array(one.packed().prefix(6)) == [0, 79, 0, 0, 0, 1])
        var sum = LatencyHistogram()
        adding(other.packed() + one.packed(), to: &sum)
        #expect(sum.totalCount == 100_009)
        let expected = histogram([79: 1, 80: 5, 200: 100_000, 335: 3])
        #expect(sum.packed() == expected.packed())
    }

    @Test func bucketsThatAreNotThereCountAsTheNearest() {
        var found = LatencyHistogram()
        adding([0, 0, 0, 0, 0, 2, 0x7f, 0xff, 0, 0, 0, 4], to: &found)
        let expected = histogram([79: 2, 335: 4])
        #expect(found.packed() == expected.packed())
    }

    private static let quantiles: [(Double, Int64)] = [
        (0.01, 100), (0.5, 100), (0.51, 160), (1, 160),
    ]

    @Test(arguments: quantiles)
    func quantilesAreTheMiddleOfTheirBucket(share: Double, bucket: Int64) throws {
        let histogram = histogram([100: 50, 160: 50])
        let found = try #require(histogram.quantileNs(share))
        #expect(found >> (bucket / 8) == 1, "in the bucket's power of two")
    }

    @Test func nothingHasNoQuantile() {
        #expect(LatencyHistogram().quantileNs(0.5) == nil)
        #expect(LatencyHistogram().packed().isEmpty)
    }

    private static let slices: [([Int], [Int])] = [
        ([], []), ([3], [1]), ([5, 5, 1], [2, 1]), ([11, 1], [1, 1]), ([1, 11, 1], [1, 1, 1]),
        ([2, 2, 2, 2, 2, 2], [5, 1]),
    ]

    @Test(arguments: slices)
    func slicesHoldWhatOneStatementFetches(counts: [Int], expected: [Int]) {
        let periods = counts.enumerated().map { place, count in
            ComputedPeriod(startUnixNs: Int64(place), lengthNs: 1, elementCount: count)
        }
        let slices = ComputedPeriod.slices(of: periods, elementCountMax: 10)
        #expect(slices.map(\.count) == expected)
        #expect(slices.flatMap { $0 } == periods)
    }

    private static let runs: [([Int64], Int, Int)] = [
        ([9, 8, 7], 10, 3), ([9, 8, 7], 2, 2), ([9, 7, 6], 10, 1), ([9], 1, 1),
    ]

    @Test(arguments: runs)
    func runsOfMinutesFollowOneAnother(numbers: [Int64], countMax: Int, end: Int) {
        let due = numbers.map { $0 * ServiceEdgeLimits.minuteNs }
        #expect(ServiceFigureRound.endOfRun(in: due, from: 0, countMax: countMax) == end)
    }
}
