// SPDX-License-Identifier: Apache-2.0
package import Base
package import Copy

/// One partition of a fact table, as the server's catalogue shows it.
package struct StoredPartition: Sendable, Equatable {
    package enum State: String, Sendable, CaseIterable {
        /// Takes rows; its late index is not built.
        case live
        /// Has its late index. Still takes rows that come late.
        case closed
        /// A DETACH was begun and not finished: readers and writers see it no more.
        case detaching
        /// No partition any more, and about to be dropped.
        case detached
    }

    package let table: FactTable
    /// Without schema.
    package let name: String
    /// As it stands in statements: quoted, and with its schema where that is not on the path.
    let sqlName: String
    /// The times it takes; open ends are `Int64.min` and `Int64.max`.
    package let range: PartitionRange
    /// What the server's statistics say; 0 where they say nothing.
    package let rowCountEstimate: Int64
    /// On disk, with indexes and TOAST.
    package let sizeBytes: Int64
    package let state: State
    /// Whether it bears the mark of `PartitionMark`.
    let isMarked: Bool

    /// The fact table that it is of.
    package var tableName: String { table.name }
    /// Of the rows in it.
    package var signal: Signal { table.signal }
    /// Whether queries and rows reach it.
    package var isAttached: Bool { state == .live || state == .closed }
}

extension FactTable {
    package var signal: Signal {
        switch self {
        case .spans: .traces
        case .logs: .logs
        case .numberPoints, .histogramPoints, .expHistogramPoints, .summaryPoints: .metrics
        }
    }
}

extension Signal {
    /// As in `retention_policy.signal`.
    package var policyName: String {
        switch self {
        case .traces: "traces"
        case .logs: "logs"
        case .metrics: "metrics"
        }
    }

    package init?(policyName: String) {
        guard let signal = Signal.allCases.first(where: { $0.policyName == policyName }) else {
            return nil
        }
        self = signal
    }
}

/// The comment that says of a table: this was an expired partition, and only its DROP is missing.
///
/// It is set before the partition is detached, and goes with the table. So a drop that was cut
/// short can be told from a table that somebody detached in order to keep it.
enum PartitionMark {
    static func text(_ partition: StoredPartition) -> String {
        let (table, range) = (partition.table.name, partition.range)
        return "Expired partition of \(table) (\(range.fromNs) to \(range.untilNs)), "
            + "to be dropped by starling"
    }

    /// POSIX; groups: table, from, until.
    static let pattern =
        #"^Expired partition of (\w+) \((-?\d+) to (-?\d+)\), to be dropped by starling$"#
}

extension PGConnection {
    /// Every partition of every fact table, by table and time, then those that are detached.
    ///
    /// Cost: one query that looks at the size of each file; takes no locks that others mind.
    package mutating func listPartitions(
        deadlineNs: UInt64
    ) throws(DatabaseError) -> [StoredPartition] {
        try attachedPartitions(deadlineNs: deadlineNs)
            + detachedPartitions(deadlineNs: deadlineNs)
    }

    private mutating func attachedPartitions(
        deadlineNs: UInt64
    ) throws(DatabaseError) -> [StoredPartition] {
        var tables = ArrayParameter(.text)
        var methods = ArrayParameter(.text)
        var columns = ArrayParameter(.text)
        for table in FactTable.allCases {
            tables.append(table.name)
            methods.append(table.lateIndex.method)
            columns.append(table.lateIndex.column)
        }
        var parameters = QueryParameters([tables, methods, columns])
        parameters.append(PartitionMark.pattern)
        let result = try query(
            PartitionQueries.attached, parameters, deadlineNs: deadlineNs)
        return (0..<result.rowCount).compactMap { row in
            let state: StoredPartition.State =
                result.bool(row: row, column: 7) == true
                ? .detaching : result.bool(row: row, column: 8) == true ? .closed : .live
            return PartitionQueries.partition(
                result, row: row, state: state, isMarked: result.bool(row: row, column: 9) == true)
        }
    }

    /// Tables with the mark that are partitions no more.
    private mutating func detachedPartitions(
        deadlineNs: UInt64
    ) throws(DatabaseError) -> [StoredPartition] {
        var tables = ArrayParameter(.text)
        for table in FactTable.allCases { tables.append(table.name) }
        var parameters = QueryParameters([tables])
        parameters.append(PartitionMark.pattern)
        let result = try query(
            PartitionQueries.detached, parameters, deadlineNs: deadlineNs)
        return (0..<result.rowCount).compactMap { row in
            PartitionQueries.partition(result, row: row, state: .detached, isMarked: true)
        }
    }
}

private enum PartitionQueries {
    /// Columns: table, name, name for statements, from, until, rows, bytes, and three booleans:
    /// detach pending, has its late index, marked.
    ///
    /// The statistics collector counts rows as they come; `reltuples` is what ANALYZE found. The
    /// former is lost in a crash.
    static let attached = #"""
        SELECT (parent.position - 1)::int4, child.relname::text, child.oid::regclass::text,
            (regexp_match(bound, 'FROM \(''?(-?\d+)'))[1]::int8,
            (regexp_match(bound, 'TO \(''?(-?\d+)'))[1]::int8,
            greatest(pg_stat_get_live_tuples(child.oid), child.reltuples::int8, 0),
            coalesce(pg_total_relation_size(child.oid), 0), inhdetachpending,
            EXISTS (
                SELECT FROM pg_index
                JOIN pg_class AS index ON index.oid = indexrelid
                JOIN pg_am ON pg_am.oid = index.relam AND amname = parent.late_method
                JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
                    AND attname = parent.late_column
                WHERE indrelid = child.oid AND indisvalid AND indpred IS NULL),
            coalesce(obj_description(child.oid, 'pg_class') ~ $4, false)
        FROM unnest($1, $2, $3) WITH ORDINALITY
            AS parent (name, late_method, late_column, position)
        JOIN pg_inherits ON inhparent = parent.name::regclass
        JOIN pg_class AS child ON child.oid = inhrelid AND child.relkind = 'r'
        CROSS JOIN pg_get_expr(child.relpartbound, child.oid) AS bound
        WHERE bound <> 'DEFAULT'
        ORDER BY parent.position, 4 NULLS FIRST
        """#

    static let detached = #"""
        SELECT (parent.position - 1)::int4, relname::text, pg_class.oid::regclass::text,
            mark[2]::int8, mark[3]::int8,
            greatest(pg_stat_get_live_tuples(pg_class.oid), reltuples::int8, 0),
            coalesce(pg_total_relation_size(pg_class.oid), 0)
        FROM pg_description
        CROSS JOIN regexp_match(description, $2) AS mark
        JOIN unnest($1) WITH ORDINALITY AS parent (name, position) ON parent.name = mark[1]
        JOIN pg_class ON pg_class.oid = objoid
        WHERE classoid = 'pg_class'::regclass AND objsubid = 0
            AND relkind = 'r' AND NOT relispartition
            AND relnamespace =
                (SELECT relnamespace FROM pg_class WHERE oid = parent.name::regclass)
        ORDER BY parent.position, 4
        """#

    static func partition(
        _ result: borrowing QueryResult, row: Int, state: StoredPartition.State, isMarked: Bool
    ) -> StoredPartition? {
        let fromNs = result.integer(row: row, column: 3) ?? .min
        let untilNs = result.integer(row: row, column: 4) ?? .max
        guard let position = result.integer(row: row, column: 0),
            let table = FactTable(rawValue: Int(position)), fromNs < untilNs
        else { return nil }
        return StoredPartition(
            table: table, name: result.string(row: row, column: 1),
            sqlName: result.string(row: row, column: 2),
            range: PartitionRange(fromNs: fromNs, untilNs: untilNs),
            rowCountEstimate: result.integer(row: row, column: 5) ?? 0,
            sizeBytes: result.integer(row: row, column: 6) ?? 0, state: state, isMarked: isMarked)
    }
}
