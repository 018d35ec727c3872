// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// What a list of traces shows of each, computed by the database: no span leaves it.
struct JaegerSummaries: ~Copyable {
    private let rows: QueryResult

    /// Of `ids`, looked for in `range`.
    init(
        _ ids: [TraceID], in range: ClosedRange<Int64>, from session: inout ReadSession
    ) throws(QueryFailure) {
        rows = try session.query(JaegerSummaries.statement(ids, in: range))
    }

    /// Spans that were stored twice count once. The root is the first span without a parent, or
    /// where there is none, the first span whose parent is not there.
    private static func statement(_ ids: [TraceID], in range: ClosedRange<Int64>) -> SQLStatement {
        var statement = SQLStatement()
        let wanted = statement.bind(ids.map(\.text))
        let start = statement.bind(range.lowerBound)
        let end = statement.bind(range.upperBound)
        let none = statement.bind(JaegerTraces.noServiceName)
        statement.text = """
            SELECT wanted.id, trace.root_service, trace.root_name, trace.start_unix_ns,
                trace.end_unix_ns, trace.span_count, trace.error_count, trace.orphan_count,
                trace.services::text
            FROM unnest(\(wanted)) AS wanted (id)
            CROSS JOIN LATERAL (
                WITH span AS MATERIALIZED (
                    SELECT DISTINCT ON (fact.span_id, kind_id) fact.span_id, fact.parent_span_id,
                        COALESCE(operation.kind_id, fact.kind_id, 0) AS kind_id,
                        COALESCE(operation.name, fact.name, '') AS name,
                        COALESCE(resource.service_name, \(none)) AS service,
                        fact.start_time_unix_nano AS start_unix_ns,
                        fact.end_time_unix_nano AS end_unix_ns,
                        fact.status_code_id IS NOT DISTINCT FROM 2 AS is_error
                    FROM otel_spans_fact AS fact
                    LEFT JOIN otel_operations_dim AS operation USING (operation_id)
                    LEFT JOIN otel_resources_dim AS resource USING (resource_id)
                    WHERE fact.trace_id = wanted.id::uuid
                        AND fact.start_time_unix_nano >= \(start)
                        AND fact.start_time_unix_nano <= \(end)
                    ORDER BY fact.span_id, kind_id, fact.start_time_unix_nano),
                placed AS MATERIALIZED (
                    SELECT span.*, span.parent_span_id IS NOT NULL
                        AND span.parent_span_id NOT IN (SELECT span_id FROM span) AS is_orphan
                    FROM span)
                SELECT min(start_unix_ns) AS start_unix_ns, max(end_unix_ns) AS end_unix_ns,
                    count(*) AS span_count, count(*) FILTER (WHERE is_error) AS error_count,
                    count(*) FILTER (WHERE is_orphan) AS orphan_count,
                    \(root("service")) AS root_service, \(root("name")) AS root_name,
                    (SELECT jsonb_agg(jsonb_build_object('name', of.service, 'spanCount',
                            of.span_count, 'errorSpanCount', of.error_count) ORDER BY of.service)
                        FROM (SELECT service, count(*) AS span_count,
                                count(*) FILTER (WHERE is_error) AS error_count
                            FROM placed GROUP BY service) AS of) AS services
                FROM placed) AS trace
            WHERE trace.span_count > 0
            ORDER BY trace.start_unix_ns DESC, wanted.id
            """
        return statement
    }

    private static func root(_ column: String) -> String {
        "(array_agg(placed.\(column) ORDER BY parent_span_id IS NOT NULL, start_unix_ns, span_id)"
            + " FILTER (WHERE parent_span_id IS NULL OR is_orphan))[1]"
    }

    /// Newest first.
    func write(to writer: inout JSONWriter) {
        writer.list { writer in
            for row in 0..<rows.rowCount {
                writer.object { writer in
                    writer.member("traceId", text: 0, of: rows, row: row)
                    writer.member("rootServiceName", rows.string(row: row, column: 1))
                    writer.member("rootOperationName", rows.string(row: row, column: 2))
                    writer.member("minStartTimeUnixNano", digits: 3, of: rows, row: row)
                    writer.member("maxEndTimeUnixNano", digits: 4, of: rows, row: row)
                    writer.member("spanCount", number: 5, of: rows, row: row)
                    writer.member("errorSpanCount", number: 6, of: rows, row: row)
                    writer.member("orphanSpanCount", number: 7, of: rows, row: row)
                    writer.member("services", json: 8, of: rows, row: row)
                }
            }
        }
    }
}
