// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Calls between services, as Jaeger's clients draw them, out of the service map.
struct JaegerDependencies: ~Copyable {
    private let rows: QueryResult

    /// Edges of one answer, those with most calls first.
    private static let edgeCountMax = 10_000

    /// Whole minutes that begin in `range`. `service` is one of the two sides, where it is given.
    init(
        in range: ClosedRange<Int64>, of service: String?, from session: inout ReadSession
    ) throws(QueryFailure) {
        rows = try session.withSnapshot { (session) throws(QueryFailure) in
            let totals = try EdgeReading(in: JaegerDependencies.minutes(in: range), from: &session)
                .totals(from: &session)
            return try session.query(
                JaegerDependencies.statement(totals, service: service))
        }
    }

    private static func minutes(in range: ClosedRange<Int64>) -> TimeRange {
        // A minute that begins with the end of the range is in it.
        let (endNs, isOver) = range.upperBound.addingReportingOverflow(ServiceEdgeLimits.minuteNs)
        return TimeRange(startUnixNs: range.lowerBound, endUnixNs: isOver ? .max : endNs)
    }

    /// Databases and other peers have no spans, and so are no services to Jaeger.
    private static func statement(_ totals: EdgeTotals, service: String?) -> SQLStatement {
        var statement = SQLStatement()
        let none = statement.bind(JaegerTraces.noServiceName)
        let edges = statement.bind(totals.edges)
        let calls = statement.bind(totals.edges.map { totals[$0].callCount })
        let side = service.map { statement.bind($0) }
        let condition = side.map { "WHERE \($0) IN (edge.parent, edge.child)" } ?? ""
        statement.text = """
            SELECT edge.parent, edge.child, sum(edge.call_count)::bigint AS call_count
            FROM (SELECT COALESCE(NULLIF(client_service, ''), \(none)) AS parent,
                    COALESCE(NULLIF(server_service, ''), \(none)) AS child, call_count
                FROM unnest(\(edges), \(calls)) AS counted (edge_id, call_count)
                JOIN otel_service_edges_dim USING (edge_id)
                WHERE kind IN ('call', 'message')) AS edge
            \(condition)
            GROUP BY edge.parent, edge.child
            ORDER BY call_count DESC, edge.parent, edge.child
            LIMIT \(edgeCountMax)
            """
        return statement
    }

    var count: Int { rows.rowCount }

    /// As a list.
    func write(to writer: inout JSONWriter) {
        writer.list { writer in
            for row in 0..<rows.rowCount {
                writer.object { writer in
                    writer.member("parent", text: 0, of: rows, row: row)
                    writer.member("child", text: 1, of: rows, row: row)
                    writer.member("callCount", number: 2, of: rows, row: row)
                }
            }
        }
    }
}
