// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import OTLPFixtures
import Rows
import Testing

// Goal: a row's partition is found exactly. Method: both sides of borders, before and after 1970.

private let hourNs: Int64 = 3_600_000_000_000
private let dayNs = 24 * hourNs

@Test(
    arguments: [
        (.oneHour, 0, 0), (.oneHour, hourNs - 1, 0), (.oneHour, hourNs, hourNs),
        (.oneHour, -1, -hourNs),
        (.sixHours, 6 * hourNs - 1, 0), (.sixHours, 6 * hourNs, 6 * hourNs),
        (.oneDay, dayNs - 1, 0), (.oneDay, dayNs, dayNs),
        // 1970-01-05 was the first Monday; 2023-11-13 was one, too.
        (.sevenDays, 4 * dayNs, 4 * dayNs), (.sevenDays, 4 * dayNs - 1, -3 * dayNs),
        (.sevenDays, 0, -3 * dayNs),
        (.sevenDays, 11 * dayNs - 1, 4 * dayNs), (.sevenDays, 11 * dayNs, 11 * dayNs),
        (.sevenDays, Int64(baseUnixNs), 1_699_833_600_000_000_000),
        (.oneDay, Int64(baseUnixNs), 1_699_920_000_000_000_000),
        (.oneDay, .max, Int64.max / dayNs * dayNs),
    ] as [(PartitionInterval, Int64, Int64)])
func startOfAPartition(interval: PartitionInterval, unixNs: Int64, expected: Int64) {
    let start = interval.start(of: unixNs)
    #expect(start == expected)
    #expect(interval.start(of: start) == start)
    #expect(unixNs - start < interval.lengthNs)
}

@Test func partitionsOfABatchAreSortedAndUnique() throws {
    let offsetsNs: [Int64] = [0, 2 * hourNs, 1, -hourNs, hourNs - 1, hourNs, 0]
    let bytes = request { scope in
        for offsetNs in offsetsNs { scope.span(startUnixNs: UInt64(Int64(baseUnixNs) + offsetNs)) }
    }
    var station = Station(interval: .oneHour)
    station.context = .init(
        window: .init(minUnixNs: 0, maxUnixNs: UInt64(Int64.max)), arrivalUnixNs: baseUnixNs)
    _ = try station.run([ExportBox(.traces, bytes, budget: station.budget)])
    let first = PartitionInterval.oneHour.start(of: Int64(baseUnixNs))
    #expect(
        station.partitionStartsUnixNs(.spans) == [
            first - hourNs, first, first + hourNs, first + 2 * hourNs,
        ])
    #expect(station.partitionStartsUnixNs(.logs).isEmpty)
}
