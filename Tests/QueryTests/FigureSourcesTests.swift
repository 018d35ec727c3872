// SPDX-License-Identifier: Apache-2.0
import Postgres
import Testing

@testable import Query

private let minuteNs: Int64 = 60_000_000_000
private let hourNs = 60 * minuteNs

private func minute(_ number: Int64) -> ComputedPeriod {
    ComputedPeriod(startUnixNs: number * minuteNs, lengthNs: minuteNs, elementCount: 1)
}

private func hour(_ number: Int64) -> ComputedPeriod {
    ComputedPeriod(startUnixNs: number * hourNs, lengthNs: hourNs, elementCount: 1)
}

private func range(_ startNs: Int64, _ endNs: Int64) -> TimeRange {
    TimeRange(startUnixNs: startNs, endUnixNs: endNs)
}

// Goal: periods and gaps cover the range once. Method: beginnings, ends and holes of each kind.
struct FigureSourcesTests {
    private static let cases: [(TimeRange, [ComputedPeriod], [TimeRange])] = [
        (range(5, 90), [], [range(5, 90)]),
        (range(0, minuteNs), [minute(0)], []),
        (
            range(5, minuteNs * 3 - 7), [minute(1)],
            [range(5, minuteNs), range(2 * minuteNs, minuteNs * 3 - 7)]
        ),
        (range(0, 2 * hourNs), [hour(0), hour(1)], []),
        (
            range(hourNs - minuteNs - 1, 3 * hourNs),
            [minute(59), hour(1), minute(120), minute(122)],
            [
                range(hourNs - minuteNs - 1, hourNs - minuteNs),
                range(2 * hourNs + minuteNs, 2 * hourNs + 2 * minuteNs),
                range(2 * hourNs + 3 * minuteNs, 3 * hourNs),
            ]
        ),
    ]

    @Test(arguments: cases)
    func gaps(asked: TimeRange, periods: [ComputedPeriod], expected: [TimeRange]) {
        let sources = FigureSources(asked, periods: periods)
        #expect(sources.gaps == expected)
        #expect((sources.hours + sources.minutes).count == periods.count)
        let coveredNs =
            sources.gaps.reduce(0) { $0 + $1.widthNs } + periods.reduce(0) { $0 + $1.lengthNs }
        #expect(coveredNs == asked.widthNs)
    }

    @Test func oneGapTakesWhatLiesBetween() {
        let asked = range(hourNs - 2 * minuteNs, 4 * hourNs)
        let sources = FigureSources(
            asked, periods: [minute(58), hour(1), minute(120), hour(3)])
        let joined = sources.withOneGap()
        #expect(joined.gaps == [range(59 * minuteNs, 3 * hourNs)])
        #expect(joined.minutes == [minute(58)])
        #expect(joined.hours == [hour(3)])
        let whole = FigureSources(range(0, hourNs), periods: [hour(0)])
        #expect(whole.withOneGap() == whole)
    }
}
