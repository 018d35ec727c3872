// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// One trace with everything that is stored of its spans.
package struct WholeTrace: Sendable {
    private let id: TraceID

    /// Spans of one trace that are shown; a trace with more says so in its warnings.
    package static let spanCountMax = 100_000

    package init(_ id: TraceID) { self.id = id }

    /// Writes it as one object, spans by their start. Errors: `notFound`.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let spans = try session.query(spanQuery, parameters)
        guard spans.rowCount > 0 else {
            throw QueryFailure(.notFound, "there is no trace \(id.text)")
        }
        let resources = try session.query(resourceQuery, parameters)
        let isCut = spans.rowCount > WholeTrace.spanCountMax
        let count = min(spans.rowCount, WholeTrace.spanCountMax)
        writer.object { writer in
            writer.member("trace_id", id.text)
            WholeTrace.writeSummary(of: spans, count: count, to: &writer)
            writer.key("resources")
            writer.list { WholeTrace.writeResources(resources, to: &$0) }
            writer.key("spans")
            writer.list { writer in
                for row in 0..<count { SpanRows.write(spans, row: row, to: &writer) }
            }
            writer.key("warnings")
            writer.list { writer in
                if isCut {
                    writer.text("the trace has more than \(count) spans; these are the first")
                }
            }
        }
    }

    // MARK: SQL

    private var parameters: QueryParameters {
        var parameters = QueryParameters()
        parameters.append(id.text)
        return parameters
    }

    private let condition = "trace_uuid = $1::text::uuid"

    private var spanQuery: String {
        SpanRows.query(
            over: """
                SELECT \(SpanRows.columns) FROM v_otel_spans_enriched WHERE \(condition)
                ORDER BY start_time_unix_nano, span_id LIMIT \(WholeTrace.spanCountMax + 1)
                """, order: "start_time_unix_nano, span_id")
    }

    /// What many spans have in common is looked up once.
    private var resourceQuery: String {
        """
        SELECT id.resource_id, resource.service_name, resource.resource_attributes::text
        FROM (SELECT DISTINCT resource_id FROM v_otel_spans_enriched WHERE \(condition)) AS id
        CROSS JOIN LATERAL (
            SELECT service_name, resource_attributes FROM v_otel_spans_enriched AS span
            WHERE \(condition) AND span.resource_id = id.resource_id LIMIT 1) AS resource
        ORDER BY id.resource_id
        """
    }

    // MARK: JSON

    private static func writeSummary(
        of spans: borrowing QueryResult, count: Int, to writer: inout JSONWriter
    ) {
        var endUnixNs = Int64.min
        var errorCount: Int64 = 0
        for row in 0..<count {
            endUnixNs = max(
                endUnixNs, spans.integer(row: row, column: SpanRows.endColumn) ?? endUnixNs)
            if spans.string(row: row, column: SpanRows.statusColumn) == "ERROR" { errorCount += 1 }
        }
        let startUnixNs = spans.integer(row: 0, column: SpanRows.startColumn) ?? 0
        writer.member("start_time_unix_nano", digits: startUnixNs)
        writer.member("end_time_unix_nano", digits: endUnixNs)
        writer.member("duration_nanos", digits: endUnixNs &- startUnixNs)
        writer.member("span_count", Int64(count))
        writer.member("error_count", errorCount)
    }

    private static func writeResources(
        _ resources: borrowing QueryResult, to writer: inout JSONWriter
    ) {
        for row in 0..<resources.rowCount {
            writer.object { writer in
                writer.member("resource_id", number: 0, of: resources, row: row)
                writer.member("service_name", text: 1, of: resources, row: row)
                writer.member("attributes", json: 2, of: resources, row: row)
            }
        }
    }
}
