// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Postgres

// Goal: never a whole large table, the newest rows first, and enough of them. Method: partitions of
// sizes on both sides of each bound.

private func source(_ name: String, pages: Int64, rowsPerPage: Double? = 10) -> SamplePlan.Source {
    SamplePlan.Source(sqlName: name, pageCount: pages, rowsPerPage: rowsPerPage)
}

@Suite struct SamplePlanTests {
    // 1,000 rows are 100 pages, and 120 with what is added for chance.
    @Test(
        arguments: [
            ([source("new", pages: 1_200), source("old", pages: 9)], ["new 10.0"]),
            ([source("new", pages: 120), source("old", pages: 9)], ["new 100.0"]),
            ([source("new", pages: 119), source("old", pages: 6_400)], ["new 100.0", "old 1.0"]),
            ([source("new", pages: 0), source("old", pages: 100)], ["old 100.0"]),
            // Too few pages are no sample.
            ([source("new", pages: 640, rowsPerPage: 1_000)], ["new 10.0"]),
            ([source("new", pages: 63, rowsPerPage: 1_000)], ["new 100.0"]),
            // Nobody has counted: 20 rows per page.
            ([source("new", pages: 6_400, rowsPerPage: nil)], ["new 1.0"]),
            // Empty when it was counted.
            ([source("new", pages: 1_000, rowsPerPage: 0)], ["new 100.0"]),
            ([source("new", pages: 0)], []), ([], []),
        ] as [([SamplePlan.Source], [String])])
    func pagesAreAsManyAsHoldTheRows(sources: [SamplePlan.Source], expected: [String]) {
        let plan = SamplePlan(sources, rowCountMax: 1_000)
        #expect(plan.parts.map { "\($0.sqlName) \($0.percent)" } == expected)
    }

    @Test func statementsSampleOnlyWhatIsLarge() {
        let plan = SamplePlan(
            [source("a.b", pages: 1), source("\"c\"", pages: 5_000)], rowCountMax: 100)
        #expect(
            plan.sql(columns: "x, y") == "SELECT x, y FROM a.b UNION ALL SELECT x, y FROM \"c\" "
                + "TABLESAMPLE SYSTEM (1.28) REPEATABLE (0) LIMIT 100")
        #expect(plan.tableRowCountEstimate == 50_010)
        #expect(SamplePlan([], rowCountMax: 100).sql(columns: "x") == nil)
        #expect(SamplePlan([source("a", pages: 1)], rowCountMax: 0).sql(columns: "x") == nil)
    }
}
