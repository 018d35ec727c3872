// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// Spans as lists of the API show them.
enum SpanRows {
    /// Columns of `v_otel_spans_enriched` that `query` needs.
    static let columns = """
        trace_id, span_id, span_id_hex, parent_span_id_hex, name, kind_name, start_time_unix_nano,
        end_time_unix_nano, duration_nanos, status_name, status_message, resource_id, service_name,
        scope_name, scope_version, attributes, events, links, trace_state, flags,
        dropped_attributes_count, dropped_events_count, dropped_links_count
        """

    /// What `write` reads the rows of. `inner` selects `columns` and `resource_attributes`, and is
    /// not to be merged into the rest: the attributes of a span are put together once.
    static func query(over inner: String, order: String) -> String {
        """
        SELECT trace_id, span_id_hex, parent_span_id_hex, name, kind_name, start_time_unix_nano,
            end_time_unix_nano, duration_nanos, status_name, status_message,
            \(SemanticType.expression(of: "attributes")), resource_id, service_name, scope_name,
            scope_version, attributes::text, events::text, links::text, trace_state, flags,
            dropped_attributes_count, dropped_events_count, dropped_links_count,
            resource_attributes::text
        FROM (\(inner)) AS span ORDER BY \(order)
        """
    }

    static func write(_ spans: borrowing QueryResult, row: Int, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("trace_id", text: 0, of: spans, row: row)
            writer.member("span_id", text: 1, of: spans, row: row)
            writer.member("parent_span_id", text: 2, of: spans, row: row)
            writer.member("name", text: 3, of: spans, row: row)
            writer.member("kind", text: 4, of: spans, row: row)
            writer.member("start_time_unix_nano", digits: 5, of: spans, row: row)
            writer.member("end_time_unix_nano", digits: 6, of: spans, row: row)
            writer.member("duration_nanos", digits: 7, of: spans, row: row)
            writer.member("status", text: 8, of: spans, row: row)
            writer.member("status_message", text: 9, of: spans, row: row)
            writer.member("semantic_type", text: 10, of: spans, row: row)
            writer.member("resource_id", number: 11, of: spans, row: row)
            writer.member("service_name", text: 12, of: spans, row: row)
            writer.member("scope_name", text: 13, of: spans, row: row)
            writer.member("scope_version", text: 14, of: spans, row: row)
            writer.member("attributes", json: 15, of: spans, row: row)
            writer.member("events", json: 16, of: spans, row: row)
            writer.member("links", json: 17, of: spans, row: row)
            writer.member("trace_state", text: 18, of: spans, row: row)
            writer.member("flags", number: 19, of: spans, row: row)
            writer.member("dropped_attributes_count", number: 20, of: spans, row: row)
            writer.member("dropped_events_count", number: 21, of: spans, row: row)
            writer.member("dropped_links_count", number: 22, of: spans, row: row)
            writer.member("resource_attributes", json: 23, of: spans, row: row)
        }
    }
}
