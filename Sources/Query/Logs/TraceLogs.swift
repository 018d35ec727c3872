// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// The log records of one trace, by their time: all of them, or those of one span.
package struct TraceLogs: Sendable {
    private let trace: TraceID
    private let span: SpanID?

    /// Records of one trace that are shown; where there are more, `warnings` says so.
    package static let recordCountMax = 10_000

    package init(of trace: TraceID, span: SpanID? = nil) {
        self.trace = trace
        self.span = span
    }

    /// Writes those of one span as a list; those of a trace in groups, one for each span, the span
    /// with the first record first. A trace without records is no error: it may be of other
    /// services.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let logs = try session.query(statement)
        let count = min(logs.rowCount, TraceLogs.recordCountMax)
        let warnings =
            logs.rowCount > count
            ? ["there are more than \(count) records; these are the first"] : []
        guard span == nil else {
            return Page.write("logs", nextCursor: nil, warnings: warnings, to: &writer) { writer in
                for row in 0..<count { LogRows.write(logs, row: row, to: &writer) }
            }
        }
        let groups = TraceLogs.groups(of: logs, count: count)
        writer.object { writer in
            writer.member("trace_id", trace.text)
            writer.member("log_count", Int64(count))
            writer.key("spans")
            writer.list { writer in
                for (spanID, rows) in groups {
                    writer.object { writer in
                        writer.member("span_id", spanID)
                        writer.key("logs")
                        writer.list { writer in
                            for row in rows { LogRows.write(logs, row: row, to: &writer) }
                        }
                    }
                }
            }
            writer.member("warnings", warnings)
        }
    }

    /// Rows by span, nil for records without one.
    private static func groups(
        of logs: borrowing QueryResult, count: Int
    ) -> [(spanID: String?, rows: [Int])] {
        var groups: [(spanID: String?, rows: [Int])] = []
        var places: [String?: Int] = [:]
        for row in 0..<count {
            let isNone = logs.isNull(row: row, column: LogRows.spanColumn)
            let spanID = isNone ? nil : logs.string(row: row, column: LogRows.spanColumn)
            if let place = places[spanID] {
                groups[place].rows.append(row)
            } else {
                places[spanID] = groups.count
                groups.append((spanID, [row]))
            }
        }
        return groups
    }

    private var statement: SQLStatement {
        var statement = SQLStatement()
        var condition = "record.trace_uuid = \(statement.bind(trace.text))::uuid"
        if let span { condition += " AND record.span_id = \(statement.bind(span.bits))" }
        statement.text = """
            SELECT \(LogRows.columns) FROM v_otel_logs_enriched AS record WHERE \(condition)
            ORDER BY record.time_unix_nano, record.log_id LIMIT \(TraceLogs.recordCountMax + 1)
            """
        return statement
    }
}
