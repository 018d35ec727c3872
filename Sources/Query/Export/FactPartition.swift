// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// A partition of a fact table, as far as a range of time reaches into it.
struct FactPartition {
    /// As SQL names it.
    let name: String
    let range: TimeRange

    /// Those of `table` that have rows of `range`, by time.
    ///
    /// An export reads them one by one, and never the table: whoever wants to change that need not
    /// wait for the end of an export, and each is brought into its order by itself.
    static func all(
        of table: String, in range: TimeRange, from session: inout ReadSession
    ) throws(QueryFailure) -> [FactPartition] {
        var statement = SQLStatement()
        statement.text = """
            SELECT child.oid::regclass::text, bounds[1]::int8, bounds[2]::int8
            FROM pg_inherits
            JOIN pg_class AS child ON child.oid = inhrelid
            CROSS JOIN regexp_match(pg_get_expr(child.relpartbound, child.oid),
                'FROM \\(''?(-?\\d+)''?\\) TO \\(''?(-?\\d+)') AS bounds
            WHERE inhparent = \(statement.bind(table))::regclass AND NOT inhdetachpending
                AND bounds[2]::int8 > \(statement.bind(range.startUnixNs))
                AND bounds[1]::int8 < \(statement.bind(range.endUnixNs))
            ORDER BY bounds[1]::int8
            """
        let rows = try session.query(statement)
        var partitions: [FactPartition] = []
        for row in 0..<rows.rowCount {
            let start = rows.integer(row: row, column: 1) ?? .min
            let end = rows.integer(row: row, column: 2) ?? .max
            partitions.append(
                FactPartition(
                    name: rows.string(row: row, column: 0),
                    range: TimeRange(
                        startUnixNs: max(start, range.startUnixNs),
                        endUnixNs: min(end, range.endUnixNs))))
        }
        return partitions
    }
}
