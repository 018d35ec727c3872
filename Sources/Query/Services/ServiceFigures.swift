// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres
internal import Rows

/// Calls, errors and durations of every service over a range of time: out of its SERVER and
/// CONSUMER spans and those without a parent.
///
/// Cost: reads at most `spanCountMax` spans, however many there are: all by the index on time, or,
/// if there are more, those of each process by the index on resource and time. Where a process then
/// has more than its share, its newest ones stand for the rest.
package struct ServiceFigures: Sendable {
    package static let serviceCountMax = 1_000
    /// Spans that are looked at, over all processes.
    static let spanCountMax = 1_000_000
    /// Spans of one process that are looked at even where there are very many processes.
    static let spansPerResourceMin = 100

    private let asked: AskedTimeRange

    package init(_ asked: AskedTimeRange) { self.asked = asked }

    /// Writes them, services with most calls first.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let range = try asked.resolved(nowUnixNs: Int64(Clock.unixNs))
        try range.check(widthNsMax: session.rangeNsMax)
        let isFew = try ServiceFigures.hasFewSpans(range, from: &session)
        var statement = ServiceFigures.statement(range, isFew: isFew)
        statement.text += " LIMIT \(ServiceFigures.serviceCountMax + 1)"
        let rows = try session.query(statement)
        let count = min(rows.rowCount, ServiceFigures.serviceCountMax)
        var isEstimate = false
        writer.object { writer in
            writer.member("start_time_unix_nano", digits: range.startUnixNs)
            writer.member("end_time_unix_nano", digits: range.endUnixNs)
            writer.key("services")
            writer.list { writer in
                for row in 0..<count {
                    isEstimate = isEstimate || rows.bool(row: row, column: 8) == true
                    ServiceFigures.writeService(rows, row: row, to: &writer)
                }
            }
            writer.key("warnings")
            writer.list { writer in
                if isEstimate {
                    writer.text(
                        "services with is_estimate have too many spans to look at all of them: "
                            + "their figures are those of the newest ones")
                }
                if rows.rowCount > count {
                    writer.text("there are more services; these \(count) have the most calls")
                }
            }
        }
    }

    private static func writeService(
        _ rows: borrowing QueryResult, row: Int, to writer: inout JSONWriter
    ) {
        let calls = rows.integer(row: row, column: 2) ?? 0
        let errors = rows.integer(row: row, column: 3) ?? 0
        writer.object { writer in
            writer.member("service", text: 0, of: rows, row: row)
            writer.member("namespace", text: 1, of: rows, row: row)
            writer.member("calls", calls)
            writer.member("errors", errors)
            writer.key("error_rate")
            writer.decimal(calls == 0 ? 0 : Double(errors) / Double(calls))
            writer.key("calls_per_second")
            writer.decimal(rows.double(row: row, column: 4) ?? 0)
            writer.member("p50_nanos", digits: 5, of: rows, row: row)
            writer.member("p95_nanos", digits: 6, of: rows, row: row)
            writer.member("p99_nanos", digits: 7, of: rows, row: row)
            writer.key("is_estimate")
            writer.truth(rows.bool(row: row, column: 8) == true)
        }
    }

    /// Whether all spans of `range` may be read. Reads no more than the index.
    private static func hasFewSpans(
        _ range: TimeRange, from session: inout ReadSession
    ) throws(QueryFailure) -> Bool {
        var statement = SQLStatement()
        statement.text = """
            SELECT count(*) FROM (SELECT FROM otel_spans_fact
                WHERE start_time_unix_nano >= \(statement.bind(range.startUnixNs))
                    AND start_time_unix_nano < \(statement.bind(range.endUnixNs))
                LIMIT \(spanCountMax + 1)) AS found
            """
        let rows = try session.query(statement)
        return rows.integer(row: 0, column: 0) ?? 0 <= spanCountMax
    }

    private static let columns = """
        start_time_unix_nano, end_time_unix_nano, status_code_id, operation_id, kind_id,
        parent_span_id
        """

    private static func allSpans(from start: String, until end: String) -> String {
        """
        read AS (
            SELECT service_name, service_namespace, \(columns), false AS is_cut, 0 AS oldest
            FROM otel_spans_fact JOIN otel_resources_dim USING (resource_id)
            WHERE start_time_unix_nano >= \(start) AND start_time_unix_nano < \(end)
        )
        """
    }

    /// The share of a process depends on how many there are. A process that has more covers the
    /// time from the oldest of its spans that was read to the end, and is scaled up by that.
    private static func shares(from start: String, until end: String) -> String {
        """
        resource AS MATERIALIZED (
            SELECT resource_id, service_name, service_namespace FROM otel_resources_dim
            WHERE last_seen >= otel_time(\(start)) - interval '1 day'
        ), share AS (
            SELECT greatest(\(spansPerResourceMin),
                \(spanCountMax) / greatest(count(*), 1)) AS count FROM resource
        ), read AS (
            SELECT resource.*, span.*,
                count(*) OVER process = (SELECT count FROM share) AS is_cut,
                min(start_time_unix_nano) OVER process AS oldest
            FROM resource CROSS JOIN LATERAL (
                SELECT \(columns) FROM otel_spans_fact AS fact
                WHERE fact.resource_id = resource.resource_id
                    AND start_time_unix_nano >= \(start) AND start_time_unix_nano < \(end)
                ORDER BY start_time_unix_nano DESC LIMIT (SELECT count FROM share)) AS span
            WINDOW process AS (PARTITION BY resource.resource_id)
        )
        """
    }

    private static func statement(_ range: TimeRange, isFew: Bool) -> SQLStatement {
        var statement = SQLStatement()
        let start = statement.bind(range.startUnixNs)
        let end = statement.bind(range.endUnixNs)
        let read = isFew ? allSpans(from: start, until: end) : shares(from: start, until: end)
        statement.text = """
            WITH \(read), call AS (
                SELECT read.service_name, read.service_namespace, is_cut,
                    coalesce(status_code_id = 2, false) AS is_error,
                    greatest(end_time_unix_nano - start_time_unix_nano, 0) AS duration,
                    CASE WHEN is_cut
                        THEN (\(end) - \(start))::float8 / greatest(\(end) - oldest, 1)
                        ELSE 1 END AS weight
                FROM read LEFT JOIN otel_operations_dim AS operation USING (operation_id)
                WHERE parent_span_id IS NULL
                    OR coalesce(operation.kind_id, read.kind_id, 0) IN (2, 5)
            )
            SELECT service_name, service_namespace, round(sum(weight))::int8 AS calls,
                round(coalesce(sum(weight) FILTER (WHERE is_error), 0))::int8,
                sum(weight) / ((\(end) - \(start)) / 1e9::float8),
                percentile_disc(0.5) WITHIN GROUP (ORDER BY duration),
                percentile_disc(0.95) WITHIN GROUP (ORDER BY duration),
                percentile_disc(0.99) WITHIN GROUP (ORDER BY duration), bool_or(is_cut)
            FROM call GROUP BY service_name, service_namespace
            ORDER BY calls DESC, service_name, service_namespace
            """
        return statement
    }
}
