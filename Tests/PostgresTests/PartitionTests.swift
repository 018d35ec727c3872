// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Postgres

private let hourNs = PartitionName.hourNs
private let dayNs = PartitionName.dayNs
/// 2026-11-21T00:00:00Z
private let dayStartNs: Int64 = 20_778 * dayNs

// Goal: names say in UTC when a partition begins, and never collide. Method: known dates.
struct PartitionNameTests {
    @Test(
        arguments: [
            (-719_162, "00010101"), (-1, "19691231"), (0, "19700101"), (58, "19700228"),
            (59, "19700301"),
            (789, "19720229"), (11_016, "20000229"), (11_017, "20000301"), (20_778, "20261121"),
            (47_540, "21000228"), (47_541, "21000301"), (106_751, "22620411"),
            (2_932_896, "99991231"),
        ] as [(Int64, String)])
    func dayIsNamed(day: Int64, expected: String) throws {
        #expect(try #require(UTCDate(daysSinceEpoch: day)).compactName == expected)
    }

    @Test(arguments: [-719_163, 2_932_897, .min, .max] as [Int64])
    func dayBeyondTheCalendarIsNone(day: Int64) {
        #expect(UTCDate(daysSinceEpoch: day) == nil)
    }

    @Test(
        arguments: [
            (0, dayNs, "t_p20261121"), (0, 7 * dayNs, "t_p20261121"), (0, hourNs, "t_p20261121_00"),
            (5 * hourNs, hourNs, "t_p20261121_05"), (23 * hourNs, hourNs, "t_p20261121_23"),
            (5 * hourNs, dayNs, "t_p20261121_05"), (1, dayNs, "t_t1795219200000000001"),
            (-1, dayNs, "t_t1795219199999999999"),
        ] as [(Int64, Int64, String)])
    func partitionIsNamed(offsetNs: Int64, intervalNs: Int64, expected: String) {
        let fromNs = dayStartNs + offsetNs
        let range = PartitionRange(fromNs: fromNs, untilNs: fromNs + 1)
        #expect(PartitionName.name(table: "t", range: range, intervalNs: intervalNs) == expected)
    }

    @Test func longestNameFits() {
        let table = "otel_metrics_data_points_exp_histogram"
        let range = PartitionRange(fromNs: .max - 1, untilNs: .max)
        #expect(PartitionName.name(table: table, range: range, intervalNs: dayNs).utf8.count <= 63)
    }

    @Test(
        arguments: [(0, 0), (1, 0), (9, 0), (10, 1), (-1, -1), (-10, -1), (-11, -2)]
            as [(Int64, Int64)])
    func divisionRoundsDown(value: Int64, expected: Int64) {
        #expect(PartitionName.floorDivide(value, 10) == expected)
    }
}

// Goal: new partitions fill exactly the room between those that exist. Method: small numbers.
struct PartitionRangesTests {
    private static let existing = PartitionRanges([range(30, 40), range(10, 20), range(20, 25)])

    private static func range(_ fromNs: Int64, _ untilNs: Int64) -> PartitionRange {
        PartitionRange(fromNs: fromNs, untilNs: untilNs)
    }

    @Test(
        arguments: [
            (10, 20, []), (12, 13, []), (10, 25, []), (30, 40, []),
            (0, 10, [(0, 10)]), (25, 30, [(25, 30)]), (40, 50, [(40, 50)]),
            (5, 15, [(5, 10)]), (24, 31, [(25, 30)]), (39, 41, [(40, 41)]),
            (0, 50, [(0, 10), (25, 30), (40, 50)]),
        ] as [(Int64, Int64, [(Int64, Int64)])])
    func gapsAreFound(fromNs: Int64, untilNs: Int64, expected: [(Int64, Int64)]) {
        let wanted = PartitionRangesTests.range(fromNs, untilNs)
        let gaps = PartitionRangesTests.existing.gaps(in: wanted)
        #expect(gaps == expected.map { PartitionRangesTests.range($0.0, $0.1) })
        #expect(PartitionRangesTests.existing.covers(wanted) == expected.isEmpty)
    }

    @Test func insertedGapsLeaveNone() {
        var ranges = PartitionRangesTests.existing
        let whole = PartitionRangesTests.range(.min, .max)
        for gap in ranges.gaps(in: whole) { ranges.insert(gap) }
        #expect(ranges.covers(whole))
        #expect(ranges.sorted.map(\.fromNs) == [.min, 10, 20, 25, 30, 40])
    }

    @Test func boundsBelongToOneSide() {
        let range = PartitionRangesTests.range(10, 20)
        #expect(
            !range.contains(9) && range.contains(10) && range.contains(19) && !range.contains(20))
    }
}
