// SPDX-License-Identifier: Apache-2.0
import Copy
import Foundation
import Rows
import Testing

// Goal: the columns that are encoded are the columns of the schema. Method: read the migration.

private func migration(_ name: String) throws -> String {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    return try String(contentsOf: root.appending(path: "migrations/\(name)"), encoding: .utf8)
}

@Test(arguments: FactTable.allCases)
func columnsAreThoseOfTheSchema(table: FactTable) throws {
    let lines = try migration("0003_facts.sql").split(separator: "\n")
    let start = try #require(lines.firstIndex { $0 == "CREATE TABLE \(table.name) (" })
    let end = try #require(lines[start...].firstIndex { $0.hasPrefix(")") })
    let columns = lines[(start + 1)..<end].map { line in
        String(line.split(separator: " ", omittingEmptySubsequences: true)[0])
    }
    #expect(table.columns == columns)
    #expect(lines[end] == ") PARTITION BY RANGE (\(table.timeColumn));")
    #expect(columns[0] == table.timeColumn)
}

@Test func copyStatement() {
    #expect(
        TableLayout(table: .numberPoints).copyStatement
            == "COPY otel_metrics_data_points_number (time_unix_nano, start_time_unix_nano, "
            + "series_id, value_int, value_double, flags, exemplars) FROM STDIN (FORMAT binary)")
}

@Test func columnsOfAttributesFollowTheOthersInQuotes() {
    let layout = TableLayout(
        table: .logs,
        promoted: [
            PromotedColumn(key: "user", type: .string, name: "user"),
            PromotedColumn(key: "n", type: .int, name: "n"),
        ])
    #expect(layout.columns == FactTable.logs.columns + ["user", "n"])
    #expect(
        layout.copyStatement.hasSuffix("attributes, \"user\", \"n\") FROM STDIN (FORMAT binary)"))
}
