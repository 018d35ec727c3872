// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Calls out of the spans of some services, for `JaegerMetrics`, where no figures say them.
///
/// Cost: reads the newest `spanCountMax` spans of them, of whatever kind.
struct JaegerMetricSpans {
    static let spanCountMax = 200_000
    /// Characters of the name of an operation.
    private static let nameLengthMax = 200

    /// As figures have them.
    let services: [String]
    let kindIDs: [Int64]
    let isByOperation: Bool

    /// Adds the calls that begin in `ranges`, and says from when on where they are not all.
    func read(
        _ ranges: [TimeRange], into series: inout JaegerMetricSeries,
        from session: inout ReadSession
    ) throws(QueryFailure) {
        let rows = try session.query(statement(ranges))
        series.add(rows)
        guard let oldestNs = rows.rowCount > 0 ? rows.integer(row: 0, column: 6) : nil else {
            return
        }
        let minuteNs = JaegerMetrics.minuteNs
        series.completeFromUnixNs = (oldestNs / minuteNs + 1) * minuteNs
    }

    /// The last column is where what was read begins, if there is more: it stands in every row.
    private func statement(_ ranges: [TimeRange]) -> SQLStatement {
        var statement = SQLStatement()
        let since = statement.bind(ranges.map(\.startUnixNs))
        let until = statement.bind(ranges.map(\.endUnixNs))
        let (names, kinds) = (statement.bind(services), statement.bind(kindIDs))
        let count = JaegerMetricSpans.spanCountMax
        let operation =
            isByOperation
            ? "left(coalesce(operation.name, read.name, ''), \(JaegerMetricSpans.nameLengthMax))"
            : "''"
        statement.text = """
            WITH resource AS MATERIALIZED (
                SELECT resource_id, \(ServiceFigureSQL.name("service_name")) AS service
                FROM otel_resources_dim
                WHERE \(ServiceFigureSQL.name("service_name")) = ANY (\(names))
            ), read AS MATERIALIZED (
                SELECT span.*
                FROM unnest(\(since), \(until)) AS gap (since, until)
                CROSS JOIN LATERAL (
                    SELECT start_time_unix_nano, end_time_unix_nano, resource_id, operation_id,
                        kind_id AS own_kind_id, name, status_code_id
                    FROM otel_spans_fact
                    WHERE start_time_unix_nano >= since AND start_time_unix_nano < until
                        AND resource_id IN (SELECT resource_id FROM resource)
                    ORDER BY start_time_unix_nano DESC LIMIT \(count + 1)) AS span
                ORDER BY start_time_unix_nano DESC LIMIT \(count + 1)
            ), call AS (
                SELECT service, \(operation) AS operation,
                    start_time_unix_nano / \(JaegerMetrics.minuteNs) AS minute,
                    coalesce(status_code_id = 2, false) AS is_error,
                    \(ServiceFigureSQL.duration) AS duration
                FROM read JOIN resource USING (resource_id)
                LEFT JOIN otel_operations_dim AS operation USING (operation_id)
                WHERE coalesce(operation.kind_id, own_kind_id, 0) = ANY (\(kinds))
            ), bucketed AS (
                SELECT service, operation, minute, count(*) AS count,
                    \(ServiceFigureSQL.bucket(of: "duration")) AS bucket,
                    count(*) FILTER (WHERE is_error) AS error_count
                FROM call GROUP BY service, operation, minute, bucket
            )
            SELECT service, operation, minute * \(JaegerMetrics.minuteNs), sum(count)::int8,
                sum(error_count)::int8, \(ServiceFigureSQL.packedBuckets),
                (SELECT CASE WHEN count(*) > \(count) THEN min(start_time_unix_nano) END FROM read)
            FROM bucketed GROUP BY service, operation, minute
            """
        return statement
    }
}
