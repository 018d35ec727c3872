// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// The tables of metric points, in the order in which an export reads them.
enum PointTable: CaseIterable {
    case number, histogram, exponentialHistogram, summary

    /// Of the metrics whose points it has.
    var kinds: [MetricKind] {
        switch self {
        case .number: [.gauge, .sum]
        case .histogram: [.histogram]
        case .exponentialHistogram: [.exponentialHistogram]
        case .summary: [.summary]
        }
    }

    var name: String { kinds[0].table }
}

/// The metric points of whose series a filter is true, as SQL.
struct MatchedPoints {
    /// Those that have any.
    let tables: [PointTable]
    private let statement: SQLStatement
    private let condition: String
    private let compiler: FilterCompiler

    /// Looks up which kinds of metrics pass. Errors: `invalidFilter`; those of the database.
    init(_ filter: Filter, from session: inout ReadSession) throws(QueryFailure) {
        compiler = try session.compiler(of: filter, .series)
        var statement = SQLStatement()
        condition = compiler.condition(filter, in: &statement)
        self.statement = statement
        statement.text = """
            SELECT DISTINCT metric.metric_type_id::int8 FROM \(compiler.source)
            WHERE \(condition)
            """
        let rows = try session.query(statement)
        let found = (0..<rows.rowCount).map { rows.integer(row: $0, column: 0) }
        tables = PointTable.allCases.filter { table in
            table.kinds.contains { found.contains($0.rawValue) }
        }
    }

    /// What reads `columns` of the points in `partition`, and of what `join` joins to it.
    func query(
        _ columns: [String], of partition: FactPartition, join: String, order: String
    ) -> SQLStatement {
        var statement = self.statement
        let (start, end) = (
            statement.bind(partition.range.startUnixNs), statement.bind(partition.range.endUnixNs)
        )
        statement.text = """
            SELECT \(columns.joined(separator: ", "))
            FROM \(compiler.source(of: partition.name)) \(join)
            WHERE \(condition)
                AND fact.time_unix_nano >= \(start) AND fact.time_unix_nano < \(end)
            ORDER BY \(order)
            """
        return statement
    }
}
