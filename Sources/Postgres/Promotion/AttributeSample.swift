// SPDX-License-Identifier: Apache-2.0
package import Copy
package import Rows

/// What a sample of a fact table's rows says about their attributes.
///
/// Sizes are those of rows as they lie on disk, before compression.
package struct AttributeSample: Sendable {
    /// An attribute in `attributes`, as far as its values are of one kind.
    package struct Member: Sendable, Equatable {
        package let key: String
        /// As `otel_value_kind` calls it: `string`, ..., `array`, `kvlist`, `empty`.
        package let kind: String
        package let rowCount: Int64
        /// What `attributes` would be smaller without it, over all sampled rows.
        package let sizeBytes: Int64
        /// What its values would take in a column, likewise; 0 for kinds that can have none.
        package let columnSizeBytes: Int64
        /// Values that differ from one another, and those that occur once.
        package let distinctCount: Int64
        package let singleCount: Int64

        package init(
            key: String, kind: String, rowCount: Int64, sizeBytes: Int64, columnSizeBytes: Int64,
            distinctCount: Int64, singleCount: Int64
        ) {
            self.key = key
            self.kind = kind
            self.rowCount = rowCount
            self.sizeBytes = sizeBytes
            self.columnSizeBytes = columnSizeBytes
            self.distinctCount = distinctCount
            self.singleCount = singleCount
        }

        /// Nil for what only jsonb can hold.
        package var type: AttributeType? { AttributeType(rawValue: kind) }
    }

    /// The values of a column.
    package struct Column: Sendable {
        package let column: RegisteredColumn
        package let rowCount: Int64
        package let sizeBytes: Int64
    }

    package let signal: PromotedSignal
    /// Rows that were looked at.
    package let rowCount: Int64
    /// Rows of the whole table, roughly.
    package let tableRowCountEstimate: Double
    package let members: [Member]
    /// Those that exist, whether or not a sampled row has a value there.
    package let columns: [Column]

    package init(
        signal: PromotedSignal, rowCount: Int64, tableRowCountEstimate: Double, members: [Member],
        columns: [Column]
    ) {
        self.signal = signal
        self.rowCount = rowCount
        self.tableRowCountEstimate = tableRowCountEstimate
        self.members = members
        self.columns = columns
    }
}

// Reading.
extension AttributeSample {
    /// Looks at up to `rowCountMax` rows of the newest partitions, without reading the whole of any
    /// that is large.
    ///
    /// Cost: at 10,000 rows of ten attributes, about a second of the server's time.
    package static func take(
        _ signal: PromotedSignal, columns: [RegisteredColumn], rowCountMax: Int,
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> AttributeSample {
        let plan = try SamplePlan.load(
            signal, rowCountMax: rowCountMax, on: &connection, deadlineNs: deadlineNs)
        let usable = columns.filter { $0.signal == signal && $0.isUsable }
        let (rowCount, counted) = try columnTallies(
            plan, usable, on: &connection, deadlineNs: deadlineNs)
        return AttributeSample(
            signal: signal, rowCount: rowCount, tableRowCountEstimate: plan.tableRowCountEstimate,
            members: try memberTallies(plan, on: &connection, deadlineNs: deadlineNs),
            columns: counted)
    }

    private static func columnTallies(
        _ plan: SamplePlan, _ columns: [RegisteredColumn], on connection: inout PGConnection,
        deadlineNs: UInt64
    ) throws(DatabaseError) -> (Int64, [Column]) {
        let names = columns.map(\.column.quotedName)
        guard let sample = plan.sql(columns: (["1"] + names).joined(separator: ", ")) else {
            return (0, columns.map { Column(column: $0, rowCount: 0, sizeBytes: 0) })
        }
        let tallies = names.map { "count(\($0)), coalesce(sum(pg_column_size(\($0))), 0)::int8" }
        let result = try connection.query(
            "SELECT \((["count(*)"] + tallies).joined(separator: ", ")) FROM (\(sample)) AS sample",
            deadlineNs: deadlineNs)
        let counted = columns.enumerated().map { index, column in
            Column(
                column: column, rowCount: result.integer(row: 0, column: 1 + 2 * index) ?? 0,
                sizeBytes: result.integer(row: 0, column: 2 + 2 * index) ?? 0)
        }
        return (result.integer(row: 0, column: 0) ?? 0, counted)
    }

    private static func memberTallies(
        _ plan: SamplePlan, on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [Member] {
        guard let sample = plan.sql(columns: "attributes") else { return [] }
        let result = try connection.query(
            memberQuery(sample), deadlineNs: deadlineNs)
        return (0..<result.rowCount).map { row in
            func number(_ column: Int) -> Int64 { result.integer(row: row, column: column) ?? 0 }
            return Member(
                key: result.string(row: row, column: 0), kind: result.string(row: row, column: 1),
                rowCount: number(2), sizeBytes: number(3), columnSizeBytes: number(4),
                distinctCount: number(5), singleCount: number(6))
        }
    }

    /// `object #- '{}'` is the same object in the form that it has in memory, whether it came from
    /// the disk, compressed, or from another step of the query: sizes of both sides of a difference
    /// have to be those of the same form.
    private static func memberQuery(_ sample: String) -> String {
        """
        WITH objects AS MATERIALIZED (
            SELECT attributes #- '{}' AS object FROM (\(sample)) AS sample
            WHERE attributes IS NOT NULL),
        members AS (
            SELECT key, otel_value_kind(value) AS kind, value,
                \(storedSize("(object #- '{}')")) - CASE WHEN object - key = '{}' THEN 0
                    ELSE \(storedSize("(object - key)")) END AS size
            FROM objects CROSS JOIN LATERAL jsonb_each(object)),
        sized AS (
            SELECT key, kind, md5(value::text) AS value, size, CASE kind
                WHEN 'string' THEN \(columnSize("octet_length(value #>> '{}')"))
                WHEN 'bytes' THEN \(columnSize("octet_length(otel_value_bytes(value))"))
                WHEN 'bool' THEN 1 WHEN 'int' THEN 8 WHEN 'double' THEN 8 ELSE 0 END AS column_size
            FROM members),
        values AS (
            SELECT key, kind, count(*) AS row_count, sum(size) AS size,
                sum(column_size) AS column_size
            FROM sized GROUP BY key, kind, value)
        SELECT key, kind, sum(row_count)::int8, sum(size)::int8, sum(column_size)::int8, count(*),
            count(*) FILTER (WHERE row_count = 1)
        FROM values GROUP BY key, kind ORDER BY key COLLATE "C", kind
        """
    }

    /// On disk, of a value in memory: a short one has a header of one byte instead of four.
    private static func storedSize(_ datum: String) -> String {
        "(pg_column_size(\(datum)) - CASE WHEN pg_column_size(\(datum)) <= 130 THEN 3 ELSE 0 END)"
    }

    private static func columnSize(_ length: String) -> String {
        "\(length) + CASE WHEN \(length) <= 126 THEN 1 ELSE 4 END"
    }
}
