// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// What a list says of a trace.
package struct TraceSummary: Sendable {
    /// 32 lower-case hexadecimal digits.
    package let traceID: String
    /// Of its first span to start and its last to end, nanoseconds since 1970.
    package let startUnixNs: Int64
    package let endUnixNs: Int64
    package let spanCount: Int64
    package let errorCount: Int64
    /// JSON: a list of objects with `service_name`, `span_count`, `error_count`, by name.
    package let services: String
    /// Of the first span without a parent; nil where none has arrived.
    package let root: Root?
    /// For the cursor.
    let key: [Int64]

    package struct Root: Sendable {
        package let name: String
        package let serviceName: String?
    }

    /// Of the columns that `TraceSearch` selects.
    init(_ rows: borrowing QueryResult, row: Int) {
        let trace = TraceBits(rows.bytes(row: row, column: 0))
        traceID = trace.text
        key = [rows.integer(row: row, column: 1) ?? 0, trace.high, trace.low]
        startUnixNs = rows.integer(row: row, column: 2) ?? 0
        endUnixNs = rows.integer(row: row, column: 3) ?? 0
        spanCount = rows.integer(row: row, column: 4) ?? 0
        errorCount = rows.integer(row: row, column: 5) ?? 0
        services = rows.string(row: row, column: 6)
        let isService = !rows.isNull(row: row, column: 9)
        root =
            rows.isNull(row: row, column: 7)
            ? nil
            : Root(
                name: rows.string(row: row, column: 8),
                serviceName: isService ? rows.string(row: row, column: 9) : nil)
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("trace_id", traceID)
            writer.member("root_service_name", root?.serviceName)
            writer.member("root_span_name", root?.name)
            writer.member("start_time_unix_nano", digits: startUnixNs)
            writer.member("end_time_unix_nano", digits: endUnixNs)
            writer.member("duration_nanos", digits: endUnixNs &- startUnixNs)
            writer.member("span_count", spanCount)
            writer.member("error_count", errorCount)
            writer.key("services")
            writer.json(services)
        }
    }
}
