// SPDX-License-Identifier: Apache-2.0
import Copy
import Postgres
import Rows
import Testing

@testable import Collector

// Goal: the arithmetic of suggestions. Method: samples made by hand, with both sides of each case.

private func member(
    _ key: String, _ kind: String, rows: Int64, bytes: Int64 = 0, columnBytes: Int64 = 0,
    distinct: Int64 = 1, single: Int64 = 0
) -> AttributeSample.Member {
    AttributeSample.Member(
        key: key, kind: kind, rowCount: rows, sizeBytes: bytes, columnSizeBytes: columnBytes,
        distinctCount: distinct, singleCount: single)
}

private func sample(
    _ members: [AttributeSample.Member], rows: Int64 = 1_000, tableRows: Double = 1_000_000
) -> AttributeSample {
    AttributeSample(
        signal: .spans, rowCount: rows, tableRowCountEstimate: tableRows, members: members,
        columns: [])
}

@Suite struct PromotionEstimateTests {
    @Test func sharesAndSavingsAreMeansOverAllRows() throws {
        let members = [
            member("a", "int", rows: 300, bytes: 6_000, columnBytes: 2_400, distinct: 10),
            member("a", "string", rows: 100, bytes: 3_000, columnBytes: 1_000),
        ]
        let estimate = try #require(
            PromotionEstimate(members, in: sample(members), scope: .spans))
        #expect(estimate.type == "int")
        #expect(estimate.rowShare == 0.4)
        #expect(estimate.typeShare == 0.75)
        #expect(estimate.bytesPerRow == 9)
        // What is of another type stays where it is.
        #expect(estimate.savingPerRow == 3.6 - 0.125)
        #expect(estimate.distinctEstimate == 10)
    }

    @Test func rareAttributesCostMoreThanTheySave() throws {
        let members = [member("a", "bool", rows: 1, bytes: 20, columnBytes: 1)]
        let estimate = try #require(
            PromotionEstimate(members, in: sample(members), scope: .spans))
        #expect(estimate.savingPerRow == 0.019 - 0.125)
    }

    @Test(arguments: ["array", "kvlist", "empty"])
    func whatNoColumnTakesIsNoSuggestion(kind: String) {
        let members = [
            member("a", kind, rows: 2, bytes: 9), member("a", "int", rows: 1, bytes: 9),
        ]
        #expect(PromotionEstimate(members, in: sample(members), scope: .spans) == nil)
        let most = [
            member("a", kind, rows: 1, bytes: 9), member("a", "int", rows: 2, bytes: 9),
        ]
        #expect(PromotionEstimate(most, in: sample(most), scope: .spans)?.type == "int")
    }

    // n rows seen, d values, f1 of them once, N rows in all.
    @Test(
        arguments: [
            (0, 0, 0, 100.0, 0),
            // All rows were seen.
            (100, 7, 3, 100, 7), (100, 7, 3, 50, 7),
            // No value only once: there are no others.
            (100, 7, 0, 10_000, 7),
            // Every value once: every row has its own.
            (100, 100, 100, 10_000, 10_000),
            // 100 * 60 / (100 - 50 + 50 * 100 / 10 000).
            (100, 60, 50, 10_000, 119),
        ] as [(Int64, Int64, Int64, Double, Int64)])
    func distinctValuesAreThoseOfTheTable(
        seen: Int64, distinct: Int64, single: Int64, total: Double, expected: Int64
    ) {
        #expect(
            PromotionEstimate.distinctCount(
                seenCount: seen, distinctCount: distinct, singleCount: single, totalCount: total)
                == expected)
    }

    @Test func theLargestSavingIsFirstAndWhatIsDecidedIsLeftOut() {
        var rules = AttributeRules()
        rules.promote(.init(key: "promoted", type: .string), in: .spans)
        rules.promote(.init(key: "of.logs", type: .int), in: .logs)
        rules.drop("dropped", in: .spans)
        let long = String(repeating: "n", count: 513)
        let keys = ["small", "promoted", "dropped", "large", "of.logs", "", long]
        let members = keys.enumerated().map { number, key in
            member(key, "int", rows: 1_000, bytes: key == "large" ? 90_000 : 10_000)
        }
        let found = PromotionEstimate.all(of: sample(members), scope: .spans, rules: rules)
        #expect(found.map(\.key) == ["large", "of.logs", "small"])
        #expect(
            PromotionEstimate.all(of: sample(members, rows: 0), scope: .spans, rules: rules) == [])
    }

    @Test func listingsTellStatesApart() {
        var rules = AttributeRules()
        rules.promote(.init(key: "seen", type: .int), in: .resource)
        rules.drop("gone", in: .resource)
        let tallies = [
            DimensionTally(key: "seen", kind: "int", count: 10, sizeBytes: 60),
            DimensionTally(key: "seen", kind: "string", count: 5, sizeBytes: 20),
            DimensionTally(key: "gone", kind: "string", count: 5, sizeBytes: 20),
            DimensionTally(key: "plain", kind: "other", count: 0, sizeBytes: 0),
        ]
        let found = AttributeListing.ofDimension(
            tallies, ownerCount: 20, scope: .resource, rules: rules)
        #expect(
            found.map { "\($0.key) \($0.type) \($0.state.rawValue) \($0.rowShare) \($0.byteShare)" }
                == [
                    "gone string dropped 0.25 0.2", "plain other unpromoted 0.0 0.0",
                    "seen int promoted 0.5 0.6", "seen string other type 0.25 0.2",
                ])
    }

    @Test func aPromotionWithoutAColumnIsPending() {
        var rules = AttributeRules()
        rules.promote(.init(key: "a", type: .int), in: .spans)
        rules.promote(.init(key: "unseen", type: .int), in: .spans)
        let members = [member("a", "int", rows: 10, bytes: 10)]
        let found = AttributeListing.ofRows(
            sample(members, rows: 10), scope: .spans, rules: rules)
        #expect(
            found.map { "\($0.key) \($0.state) \($0.rowShare)" } == [
                "a pending 1.0", "unseen pending 0.0",
            ])
    }
}
