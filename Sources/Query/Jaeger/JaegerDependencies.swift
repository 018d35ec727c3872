// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// Calls between services, as Jaeger's clients draw them, out of `otel_service_edges`.
struct JaegerDependencies: ~Copyable {
    private let rows: QueryResult

    /// Edges of one answer, those with most calls first.
    private static let edgeCountMax = 10_000

    /// Whole minutes that begin in `range`. `service` is one of the two sides, where it is given.
    init(
        in range: ClosedRange<Int64>, of service: String?, from session: inout ReadSession
    ) throws(QueryFailure) {
        var statement = SQLStatement()
        let none = statement.bind(JaegerTraces.noServiceName)
        let start = statement.bind(range.lowerBound)
        let end = statement.bind(range.upperBound)
        let side = service.map { statement.bind($0) }
        let condition = side.map { "WHERE \($0) IN (edge.parent, edge.child)" } ?? ""
        // Databases and other peers have no spans, and so are no services to Jaeger.
        statement.text = """
            SELECT edge.parent, edge.child, sum(edge.call_count)::bigint AS call_count
            FROM (SELECT COALESCE(NULLIF(client_service, ''), \(none)) AS parent,
                    COALESCE(NULLIF(server_service, ''), \(none)) AS child, call_count
                FROM otel_service_edges
                WHERE kind IN ('call', 'message')
                    AND minute >= otel_time(\(start)) AND minute <= otel_time(\(end))) AS edge
            \(condition)
            GROUP BY edge.parent, edge.child
            ORDER BY call_count DESC, edge.parent, edge.child
            LIMIT \(JaegerDependencies.edgeCountMax)
            """
        rows = try session.query(statement)
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
