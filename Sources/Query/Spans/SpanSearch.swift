// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// One page of spans, newest first.
package struct SpanSearch: Sendable {
    private let question: SearchQuestion

    package init(_ question: SearchQuestion) { self.question = question }

    /// Writes the page as one object. Errors: `invalidParameter`, `cursorMismatch`, `rangeTooWide`.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let search = ItemSearch<SpanKey>(question: question)
        let found = try search.run(on: &session)
        let spans = try session.query(SpanSearch.rows(of: found.keys))
        Page.write(
            "spans", nextCursor: found.nextCursor, warnings: search.warnings(found), to: &writer
        ) { writer in
            for row in 0..<spans.rowCount { SpanRows.write(spans, row: row, to: &writer) }
        }
    }

    /// The whole rows of `keys`, in their order.
    static func rows(of keys: [SpanKey]) -> SQLStatement {
        var statement = SQLStatement()
        let columns = [
            "\(statement.bind(keys.map(\.resourceID)))::int4[]",
            statement.bind(keys.map(\.timeUnixNs)),
            "\(statement.bind(keys.map(\.trace.text)))::uuid[]",
            statement.bind(keys.map(\.spanID)),
        ]
        // The range, though the keys say it too, lets partitions be skipped in planning.
        let inner = """
            SELECT DISTINCT ON (key.position) key.position, span.*
            FROM unnest(\(columns.joined(separator: ", ")))
                WITH ORDINALITY AS key (resource_id, start_time, trace_uuid, span_id, position)
            JOIN LATERAL (SELECT resource_attributes, \(SpanRows.columns)
                FROM v_otel_spans_enriched AS inner_span
                WHERE inner_span.resource_id = key.resource_id
                    AND inner_span.start_time_unix_nano = key.start_time
                    AND inner_span.trace_uuid = key.trace_uuid AND inner_span.span_id = key.span_id
            ) AS span ON true
            WHERE span.start_time_unix_nano
                BETWEEN \(statement.bind(keys.last?.timeUnixNs ?? 0))
                AND \(statement.bind(keys.first?.timeUnixNs ?? 0))
            """
        statement.text = SpanRows.query(over: inner, order: "position")
        return statement
    }
}
