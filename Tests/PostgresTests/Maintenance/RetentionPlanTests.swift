// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import Testing

@testable import Postgres

private let dayNs = PartitionName.dayNs
/// 2026-11-21T00:00:00Z
private let nowNs: Int64 = 20_778 * dayNs

/// The partition of the day that ends `age` days ago.
private func partition(
    age: Int64, sizeBytes: Int64 = 100, table: FactTable = .spans,
    state: StoredPartition.State = .live
) -> StoredPartition {
    let untilNs = nowNs - age * dayNs
    return StoredPartition(
        table: table, name: "age\(age)", sqlName: "\(table)\(age)",
        range: PartitionRange(fromNs: untilNs - dayNs, untilNs: untilNs), rowCountEstimate: 0,
        sizeBytes: sizeBytes, state: state, isMarked: false)
}

/// Shift of the clock, what is older than a day then.
private let ageCases: [(Int64, [String])] = [
    (0, ["age2", "age1"]), (-1, ["age2"]), (1, ["age2", "age1"]),
    (dayNs, ["age2", "age1", "age0"]), (-2 * dayNs, []),
]
/// Limit, what goes of four partitions of 100 bytes.
private let sizeCases: [(Int64, [String])] = [
    (401, []), (400, []), (399, ["age2"]), (300, ["age2"]), (299, ["age2", "age1"]),
    (1, ["age2", "age1", "age0"]),
]
private let cutOffCases: [(Int?, Int64?)] = [
    (nil, nil), (1, nowNs - dayNs), (36_500, nowNs - 36_500 * dayNs), (Int.max, Int64.min),
]

// Goal: exactly what the policy says goes, oldest first. Method: partitions of ages and sizes,
// boundaries from both sides.
struct RetentionPlanTests {
    private func expiredAges(
        _ partitions: [StoredPartition], _ rule: RetentionRule, nowNs: Int64 = nowNs
    ) -> [String] {
        RetentionPlan.expired(partitions, rule: rule, nowUnixNs: nowNs).map(\.partition.name)
    }

    @Test(arguments: ageCases)
    func ageCountsFromTheEndOfTheRange(shiftNs: Int64, expected: [String]) {
        let partitions = [-1, 1, 0, 2].map { partition(age: $0) }
        let found = expiredAges(partitions, RetentionRule(days: 1), nowNs: nowNs + shiftNs)
        #expect(found == expected)
    }

    @Test(arguments: sizeCases)
    func sizeTakesTheOldestButNotThePresent(limitBytes: Int64, expected: [String]) {
        let partitions = [1, -1, 0, 2].map { partition(age: $0) }
        #expect(expiredAges(partitions, RetentionRule(sizeBytesMax: limitBytes)) == expected)
    }

    @Test func bothLimitsCount() {
        let partitions = (0..<4).map { partition(age: $0) }
        let rule = RetentionRule(days: 3, sizeBytesMax: 250)
        let expired = RetentionPlan.expired(partitions, rule: rule, nowUnixNs: nowNs)
        #expect(expired.map(\.partition.name) == ["age3", "age2"])
        #expect(expired.map(\.reason) == [.age(days: 3), .size(limitBytes: 250)])
    }

    @Test func sizeIsThatOfAllTablesOfTheSignal() {
        let partitions = [FactTable.numberPoints, .histogramPoints].flatMap { table in
            (0..<3).map { partition(age: $0, table: table) }
        }
        let rule = RetentionRule(sizeBytesMax: 350)
        let expired = RetentionPlan.expired(partitions, rule: rule, nowUnixNs: nowNs)
        #expect(
            expired.map(\.partition.sqlName) == [
                "numberPoints2", "histogramPoints2", "numberPoints1",
            ])
        let others = RetentionPlan.expired(
            partitions, policy: RetentionPolicy(), nowUnixNs: nowNs)
        #expect(others.isEmpty)
    }

    @Test func whatIsLeavingAlreadyDoesNotCount() {
        let partitions = [
            partition(age: 5, state: .detaching), partition(age: 4, state: .detached),
            partition(age: 3, state: .closed), partition(age: 2),
        ]
        #expect(expiredAges(partitions, RetentionRule(days: 1)) == ["age3", "age2"])
        #expect(expiredAges(partitions, RetentionRule(sizeBytesMax: 200)) == [])
    }

    @Test(arguments: cutOffCases)
    func cutOff(days: Int?, expected: Int64?) {
        #expect(RetentionRule(days: days).cutOffNs(nowUnixNs: nowNs) == expected)
    }

    @Test func openEndedPartitionsMadeByHand() {
        let range = PartitionRange(fromNs: .min, untilNs: nowNs - 2 * dayNs)
        let oldest = StoredPartition(
            table: .spans, name: "old", sqlName: "old", range: range, rowCountEstimate: 0,
            sizeBytes: 1, state: .live, isMarked: false)
        let endless = StoredPartition(
            table: .spans, name: "new", sqlName: "new",
            range: PartitionRange(fromNs: nowNs, untilNs: .max), rowCountEstimate: 0, sizeBytes: 1,
            state: .live, isMarked: false)
        let rule = RetentionRule(days: 1, sizeBytesMax: 1)
        #expect(expiredAges([endless, oldest], rule) == ["old"])
    }
}
