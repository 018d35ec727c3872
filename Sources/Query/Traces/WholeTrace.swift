// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// One trace with everything that is stored of its spans.
package struct WholeTrace: Sendable {
    private let id: TraceID
    /// Where it is known when the trace was: nanoseconds since 1970, half-open. Without it every
    /// partition is looked into.
    private let hint: (startUnixNs: Int64, endUnixNs: Int64)?

    /// Spans of one trace that are shown; a trace with more says so in its warnings.
    package static let spanCountMax = 100_000

    package init(_ id: TraceID, between hint: (startUnixNs: Int64, endUnixNs: Int64)? = nil) {
        self.id = id
        self.hint = hint
    }

    /// Writes it as one object, spans by their start. Errors: `notFound`.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let spans = try session.query(spanQuery, parameters)
        guard spans.rowCount > 0 else {
            throw QueryFailure(.notFound, "there is no trace \(id.text)" + hintRemedy)
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
                for row in 0..<count { WholeTrace.writeSpan(spans, row: row, to: &writer) }
            }
            writer.key("warnings")
            writer.list { writer in
                if isCut {
                    writer.text("the trace has more than \(count) spans; these are the first")
                }
            }
        }
    }

    private var hintRemedy: String {
        hint == nil ? "" : " in that range of time; ask without start_time and end_time"
    }

    // MARK: SQL

    private var parameters: QueryParameters {
        var parameters = QueryParameters()
        parameters.append(id.text)
        if let hint {
            parameters.append(hint.startUnixNs)
            parameters.append(hint.endUnixNs)
        }
        return parameters
    }

    private var condition: String {
        "trace_uuid = $1::text::uuid"
            + (hint == nil
                ? "" : " AND start_time_unix_nano >= $2 AND start_time_unix_nano < $3")
    }

    private var spanQuery: String {
        """
        SELECT span_id_hex, parent_span_id_hex, name, kind_name, start_time_unix_nano,
            end_time_unix_nano, duration_nanos, status_name, status_message, resource_id,
            service_name, scope_name, scope_version, attributes::text, events::text, links::text,
            trace_state, flags, dropped_attributes_count, dropped_events_count,
            dropped_links_count
        FROM v_otel_spans_enriched WHERE \(condition)
        ORDER BY start_time_unix_nano, span_id LIMIT \(WholeTrace.spanCountMax + 1)
        """
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
            endUnixNs = max(endUnixNs, spans.integer(row: row, column: 5) ?? endUnixNs)
            if spans.string(row: row, column: 7) == "ERROR" { errorCount += 1 }
        }
        let startUnixNs = spans.integer(row: 0, column: 4) ?? 0
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

    private static func writeSpan(
        _ spans: borrowing QueryResult, row: Int, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.member("span_id", text: 0, of: spans, row: row)
            writer.member("parent_span_id", text: 1, of: spans, row: row)
            writer.member("name", text: 2, of: spans, row: row)
            writer.member("kind", text: 3, of: spans, row: row)
            writer.member("start_time_unix_nano", digits: 4, of: spans, row: row)
            writer.member("end_time_unix_nano", digits: 5, of: spans, row: row)
            writer.member("duration_nanos", digits: 6, of: spans, row: row)
            writer.member("status", text: 7, of: spans, row: row)
            writer.member("status_message", text: 8, of: spans, row: row)
            writer.member("resource_id", number: 9, of: spans, row: row)
            writer.member("service_name", text: 10, of: spans, row: row)
            writer.member("scope_name", text: 11, of: spans, row: row)
            writer.member("scope_version", text: 12, of: spans, row: row)
            writer.member("attributes", json: 13, of: spans, row: row)
            writer.member("events", json: 14, of: spans, row: row)
            writer.member("links", json: 15, of: spans, row: row)
            writer.member("trace_state", text: 16, of: spans, row: row)
            writer.member("flags", number: 17, of: spans, row: row)
            writer.member("dropped_attributes_count", number: 18, of: spans, row: row)
            writer.member("dropped_events_count", number: 19, of: spans, row: row)
            writer.member("dropped_links_count", number: 20, of: spans, row: row)
        }
    }
}
