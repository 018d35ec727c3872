// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Query

private let minuteNs: Int64 = 60_000_000_000

// Goal: points and their windows are whole minutes, and bounded. Method: limits from both sides.
struct JaegerMetricTimesTests {
    private func times(
        end: Int64, lookback: Int64, step: Int64, window: Int64, rangeNsMax: Int64 = .max / 4
    ) -> JaegerMetricTimes {
        JaegerMetricTimes(
            JaegerMetrics(
                .calls, services: ["a"], kindIDs: [2], endUnixNs: end, lookbackNs: lookback,
                stepNs: step, windowNs: window, isByOperation: false), rangeNsMax: rangeNsMax)
    }

    @Test func theEndIsRoundedDownAndTheRestUp() {
        let found = times(
            end: 100 * minuteNs + 59, lookback: 4 * minuteNs, step: minuteNs + 1,
            window: 9 * minuteNs + 1)
        #expect(found.points == [96, 98, 100].map { $0 * minuteNs })
        #expect(found.windowNs == 10 * minuteNs)
        #expect(found.range.startUnixNs == 86 * minuteNs)
        #expect(found.range.endUnixNs == 100 * minuteNs)
    }

    private static let lookbacks: [(Int64, Int)] = [
        (0, 1), (minuteNs - 1, 1), (minuteNs, 2), (1_999 * minuteNs, 2_000),
        (1_999 * minuteNs + 1, 2_000), (2_000 * minuteNs, 1_001), (4_000 * minuteNs, 1_334),
    ]

    @Test(arguments: lookbacks)
    func pointsAreBounded(lookback: Int64, count: Int) {
        let found = times(end: 10_000 * minuteNs, lookback: lookback, step: 1, window: 0)
        #expect(found.points.count == count)
        #expect(found.points.last == 10_000 * minuteNs)
    }

    @Test func theRangeIsCutToItsNewestPart() {
        let found = times(
            end: 10_000 * minuteNs, lookback: .max, step: 1, window: 10 * minuteNs,
            rangeNsMax: 60 * minuteNs)
        #expect(found.range.widthNs == 60 * minuteNs)
        #expect(found.points.first == 9_950 * minuteNs)
        let wide = times(end: 3 * minuteNs, lookback: .max, step: .max, window: .max)
        #expect(wide.points == [3 * minuteNs])
        #expect(wide.range.startUnixNs == 0)
    }
}
