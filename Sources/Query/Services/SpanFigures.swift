// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Figures of services out of the spans of some ranges of time, for `ServiceFigures`.
///
/// Cost: reads at most `spanCountMax` spans, however many there are: all by the index on time, or,
/// if there are more, those of each process by the index on resource and time. Where a process then
/// has more than its share, its newest ones stand for the rest.
struct SpanFigures {
    /// Spans that are looked at, over all processes.
    static let spanCountMax = 1_000_000
    /// Spans of one process that are looked at even where there are very many processes.
    static let spansPerResourceMin = 100
    /// Services of one statement, those with most calls.
    static let serviceCountMax = 10_000

    /// Whether `ranges` have no more than `countMax` spans. Reads no more than the index.
    static func isWithin(
        _ countMax: Int, spansOf ranges: [TimeRange], from session: inout ReadSession
    ) throws(QueryFailure) -> Bool {
        guard !ranges.isEmpty else { return true }
        var statement = SQLStatement()
        let spans = spans(in: ranges, columns: "", &statement)
        statement.text = """
            SELECT count(*) FROM (SELECT FROM (\(spans)) AS span LIMIT \(countMax + 1)) AS found
            """
        return try session.query(statement).integer(row: 0, column: 0) ?? 0 <= countMax
    }

    /// Rows of service, namespace (`''` without one), calls, errors, sum of durations, their
    /// buckets, and whether they are an estimate.
    static func read(
        _ ranges: [TimeRange], isEstimated: Bool, from session: inout ReadSession
    ) throws(QueryFailure) -> QueryResult {
        var statement = SQLStatement()
        let read =
            isEstimated
            ? shares(of: ranges, in: &statement) : allSpans(of: ranges, in: &statement)
        statement.text = """
            WITH \(read),
            \(calls),
            bucketed AS (
                SELECT service, namespace, \(ServiceFigureSQL.bucket(of: "duration")) AS bucket,
                    sum(weight) AS count, sum(weight) FILTER (WHERE is_error) AS error_count,
                    sum(weight * duration) AS latency_sum, bool_or(is_cut) AS is_cut
                FROM call GROUP BY service, namespace, bucket
            )
            SELECT service, namespace, round(sum(count))::int8 AS calls,
                round(coalesce(sum(error_count), 0))::int8, sum(latency_sum),
                \(ServiceFigureSQL.packedBuckets), bool_or(is_cut)
            FROM bucketed GROUP BY service, namespace
            ORDER BY calls DESC, service, namespace LIMIT \(serviceCountMax)
            """
        return try session.query(statement)
    }

    /// Rows of service, namespace (`''` without one), calls, errors, and for each of `shares` the
    /// duration that it does not exceed, those with most calls first; as exact as the spans are.
    static func readExactly(
        _ range: TimeRange, shares: [Double], rowCountMax: Int, from session: inout ReadSession
    ) throws(QueryFailure) -> QueryResult {
        var statement = SQLStatement()
        let read = allSpans(of: [range], in: &statement)
        let quantiles = shares.map {
            "percentile_disc(\($0)) WITHIN GROUP (ORDER BY duration)"
        }
        statement.text = """
            WITH \(read),
            \(calls)
            SELECT service, namespace, count(*) AS calls, count(*) FILTER (WHERE is_error),
                \(quantiles.joined(separator: ", "))
            FROM call GROUP BY service, namespace
            ORDER BY calls DESC, service, namespace LIMIT \(rowCountMax)
            """
        return try session.query(statement)
    }

    /// A table of `since` and `until`.
    private static func bind(_ ranges: [TimeRange], in statement: inout SQLStatement) -> String {
        let since = statement.bind(ranges.map(\.startUnixNs))
        let until = statement.bind(ranges.map(\.endUnixNs))
        return "unnest(\(since), \(until)) AS gap (since, until)"
    }

    private static let names = """
        \(ServiceFigureSQL.name("service_name")) AS service,
        \(ServiceFigureSQL.name("service_namespace")) AS namespace
        """

    private static let columns = """
        start_time_unix_nano, end_time_unix_nano, status_code_id, operation_id,
        kind_id AS own_kind_id, parent_span_id
        """

    /// Ranges up to which each is a part of the statement, so that the server knows them when it
    /// plans.
    private static let plannedRangeCountMax = 16

    /// A SELECT of the spans of `ranges`: `since` and `until` of their range, and `columns`, which
    /// begin with a comma or are none.
    private static func spans(
        in ranges: [TimeRange], columns: String, _ statement: inout SQLStatement
    ) -> String {
        let begins = { (since: String, until: String) in
            "start_time_unix_nano >= \(since) AND start_time_unix_nano < \(until)"
        }
        guard ranges.count <= plannedRangeCountMax else {
            return """
                SELECT since, until\(columns) FROM \(bind(ranges, in: &statement))
                JOIN otel_spans_fact ON \(begins("since", "until"))
                """
        }
        var parts: [String] = []
        for range in ranges {
            let since = statement.bind(range.startUnixNs)
            let until = statement.bind(range.endUnixNs)
            parts.append(
                """
                SELECT \(since) AS since, \(until) AS until\(columns) FROM otel_spans_fact
                WHERE \(begins(since, until))
                """)
        }
        return parts.joined(separator: "\nUNION ALL\n")
    }

    private static func allSpans(
        of ranges: [TimeRange], in statement: inout SQLStatement
    ) -> String {
        let spans = spans(in: ranges, columns: ", resource_id, \(columns)", &statement)
        return """
            read AS (
                SELECT \(names), span.*, false AS is_cut, 0::int8 AS oldest
                FROM (\(spans)) AS span JOIN otel_resources_dim USING (resource_id)
            )
            """
    }

    /// Those of `read` that are calls.
    private static let calls = """
        call AS (
            SELECT service, namespace, is_cut, coalesce(status_code_id = 2, false) AS is_error,
                \(ServiceFigureSQL.duration) AS duration,
                CASE WHEN is_cut THEN (until - since)::float8 / greatest(until - oldest, 1)
                    ELSE 1 END AS weight
            FROM (SELECT read.*, coalesce(operation.kind_id, own_kind_id, 0) AS kind_id
                FROM read LEFT JOIN otel_operations_dim AS operation USING (operation_id)
            ) AS span
            WHERE \(ServiceFigureSQL.isCall)
        )
        """

    /// The share of a process depends on how many there are, and on the width of the range. A
    /// process that has more covers the time from the oldest of its spans that was read to the end,
    /// and is scaled up by that.
    private static func shares(of ranges: [TimeRange], in statement: inout SQLStatement) -> String {
        let gaps = bind(ranges, in: &statement)
        let widthNs = statement.bind(Double(ranges.reduce(0) { $0 + $1.widthNs }))
        let firstNs = statement.bind(ranges.first?.startUnixNs ?? 0)
        return """
            resource AS MATERIALIZED (
                SELECT resource_id, \(names) FROM otel_resources_dim
                WHERE last_seen >= otel_time(\(firstNs)) - interval '1 day'
            ), share AS MATERIALIZED (
                SELECT gap.*, greatest(\(spansPerResourceMin), \(spanCountMax)
                    * ((until - since) / \(widthNs)) / greatest((SELECT count(*) FROM resource), 1)
                    )::int8 AS count
                FROM \(gaps)
            ), read AS (
                SELECT service, namespace, since, until, span.*,
                    count(*) OVER process = share.count AS is_cut,
                    min(start_time_unix_nano) OVER process AS oldest
                FROM resource CROSS JOIN share CROSS JOIN LATERAL (
                    SELECT \(columns) FROM otel_spans_fact AS fact
                    WHERE fact.resource_id = resource.resource_id
                        AND start_time_unix_nano >= since AND start_time_unix_nano < until
                    ORDER BY start_time_unix_nano DESC LIMIT share.count) AS span
                WINDOW process AS (PARTITION BY resource.resource_id, since)
            )
            """
    }
}
