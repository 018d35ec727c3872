// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// The spans of one trace as a list, by their start.
package struct TraceSpans: Sendable {
    private let id: TraceID

    package init(_ id: TraceID) { self.id = id }

    /// Errors: `notFound`.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        var statement = SQLStatement()
        statement.text = SpanRows.query(
            over: """
                SELECT \(SpanRows.columns) FROM v_otel_spans_enriched
                WHERE trace_uuid = \(statement.bind(id.text))::uuid
                ORDER BY start_time_unix_nano, span_id LIMIT \(WholeTrace.spanCountMax + 1)
                """, order: "start_time_unix_nano, span_id")
        let spans = try session.query(statement)
        guard spans.rowCount > 0 else {
            throw QueryFailure(.notFound, "there is no trace \(id.text)")
        }
        let count = min(spans.rowCount, WholeTrace.spanCountMax)
        let isCut = spans.rowCount > count
        let warning = "the trace has more than \(count) spans; these are the first"
        Page.write("spans", nextCursor: nil, warnings: isCut ? [warning] : [], to: &writer) {
            writer in
            for row in 0..<count { SpanRows.write(spans, row: row, to: &writer) }
        }
    }
}
