// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// Log records as lists of the API show them.
enum LogRows {
    /// What goes after SELECT for `write`, of `v_otel_logs_enriched AS record`.
    static let columns = """
        record.time_unix_nano, record.observed_time_unix_nano, record.log_id,
        record.severity_number,
        record.severity_text, record.event_name, record.body::text, record.body_type,
        record.trace_id, record.span_id_hex, record.flags, record.resource_id, record.service_name,
        record.scope_name, record.scope_version, record.attributes::text,
        record.resource_attributes::text, record.dropped_attributes_count,
        record.time_is_substituted
        """

    static let spanColumn = 9

    static func write(_ logs: borrowing QueryResult, row: Int, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("time_unix_nano", digits: 0, of: logs, row: row)
            writer.member("observed_time_unix_nano", digits: 1, of: logs, row: row)
            writer.member("log_id", digits: 2, of: logs, row: row)
            writer.member("severity_number", number: 3, of: logs, row: row)
            writer.member("severity_text", text: 4, of: logs, row: row)
            writer.member("event_name", text: 5, of: logs, row: row)
            writer.member("body", json: 6, of: logs, row: row)
            writer.member("body_type", text: 7, of: logs, row: row)
            writer.member("trace_id", text: 8, of: logs, row: row)
            writer.member("span_id", text: spanColumn, of: logs, row: row)
            writer.member("flags", number: 10, of: logs, row: row)
            writer.member("resource_id", number: 11, of: logs, row: row)
            writer.member("service_name", text: 12, of: logs, row: row)
            writer.member("scope_name", text: 13, of: logs, row: row)
            writer.member("scope_version", text: 14, of: logs, row: row)
            writer.member("attributes", json: 15, of: logs, row: row)
            writer.member("resource_attributes", json: 16, of: logs, row: row)
            writer.member("dropped_attributes_count", number: 17, of: logs, row: row)
            writer.key("time_is_substituted")
            writer.truth(logs.bool(row: row, column: 18) ?? false)
        }
    }
}
