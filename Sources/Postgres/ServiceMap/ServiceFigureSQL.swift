// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Figures of services out of spans: parts of statements that agree on what is counted, and how.
package enum ServiceFigureSQL {
    /// SpanKind of OTLP's trace.proto.
    static let kindServer = 2
    static let kindConsumer = 5
    /// The kinds of which every span is a call.
    package static let callKinds = [kindServer, kindConsumer]

    /// Whether a span is a call of its service; `kind_id` is its kind.
    package static let isCall =
        "(kind_id IN (\(kindServer), \(kindConsumer)) OR parent_span_id IS NULL)"

    /// The duration of a span in nanoseconds, where clocks go backwards as well.
    package static let duration = "greatest(end_time_unix_nano - start_time_unix_nano, 0)"

    /// A name as it is stored in figures and edges; `''` where `column` is NULL.
    package static func name(_ column: String) -> String {
        "left(coalesce(\(column), ''), \(ServiceEdgeLimits.nameLengthMax))"
    }

    /// The number of the bucket that has `duration`, as `otel_service_minute_edges` says.
    package static func bucket(of duration: String) -> String {
        let (first, last) = (
            ServiceEdgeLimits.latencyBuckets.lowerBound, ServiceEdgeLimits.latencyBuckets.upperBound
        )
        return """
            CASE WHEN \(duration) <= 1024 THEN \(first)
                ELSE least(ceil(ln((\(duration))::float8) / ln(2::float8) * 8) - 1, \(last))
                END::int2
            """
    }

    /// Joins rows of `bucket` and `count`, each bucket once, into the form of `latency_buckets`.
    package static let packedBuckets = """
        string_agg(int2send(bucket) || int4send(least(count, 2147483647)::int4), ''::bytea
            ORDER BY bucket)
        """

    /// Columns of `otel_service_figures` that say whose figures they are.
    static let identity = "tenant, service_namespace, service_name, kind_id"

    /// The columns of `otel_service_figures` and `otel_service_hour_figures` but the time.
    static let columns = """
        ordinal, \(identity), call_count, error_count, latency_sum_nanos, latency_buckets
        """

    /// Parts of WITH that end in `figures`: a row for each row of `otel_service_figures`, with
    /// `minute_number` (minutes since 1970) in place of the minute.
    ///
    /// They read `spans` (`resource_id`, `start_time_unix_nano`, `end_time_unix_nano`,
    /// `parent_span_id`, `kind_id`, `is_error`) and the `resources` of `ServiceEdgeSQL`.
    static var figures: String {
        """
        call_buckets AS (
            SELECT minute_number, \(identity), \(bucket(of: "duration")) AS bucket,
                count(*) AS count, count(*) FILTER (WHERE is_error) AS error_count,
                sum(duration::float8) AS latency_sum
            FROM (
                SELECT start_time_unix_nano / \(ServiceEdgeLimits.minuteNs) AS minute_number,
                    tenant, namespace AS service_namespace, service AS service_name,
                    CASE WHEN kind_id BETWEEN 0 AND \(kindConsumer) THEN kind_id ELSE 0
                        END::int2 AS kind_id,
                    is_error, \(duration) AS duration
                FROM spans JOIN resources USING (resource_id)
                WHERE \(isCall)
            ) AS call
            GROUP BY minute_number, \(identity), bucket
        ),
        figures AS (
            SELECT minute_number, \(identity), sum(count)::int8 AS call_count,
                sum(error_count)::int8 AS error_count, sum(latency_sum) AS latency_sum_nanos,
                \(packedBuckets) AS latency_buckets, count(*) AS bucket_count,
                row_number() OVER (PARTITION BY minute_number
                    ORDER BY sum(count) DESC, \(identity))::int4 AS ordinal
            FROM call_buckets GROUP BY minute_number, \(identity)
        )
        """
    }

    /// Parts of WITH that store `figures` and what `otel_service_figure_minutes` says about the
    /// minutes from `$1` until `$2`, which begin and end with a minute; `$4` is now. All in Unix
    /// nanoseconds. What was stored of these minutes has to be away.
    static var storing: String {
        let minuteNs = ServiceEdgeLimits.minuteNs
        let rowCountMax = ServiceEdgeLimits.figuresPerMinuteMax
        return """
            stored_figures AS (
                INSERT INTO otel_service_figures (minute, \(columns))
                SELECT to_timestamp(minute_number * 60), \(columns) FROM figures
                WHERE ordinal <= \(rowCountMax)
            ),
            noted_minutes AS (
                INSERT INTO otel_service_figure_minutes AS known (minute, computed_at,
                    snapshot_xmin, span_count, row_count, omitted_row_count, latency_bucket_count)
                SELECT to_timestamp(minute_number * 60), otel_time($4),
                    pg_snapshot_xmin(pg_current_snapshot()), coalesce(span_count, 0),
                    least(coalesce(row_count, 0), \(rowCountMax)),
                    greatest(coalesce(row_count, 0) - \(rowCountMax), 0),
                    coalesce(bucket_count, 0)
                FROM generate_series($1::int8 / \(minuteNs), $2::int8 / \(minuteNs) - 1)
                    AS minute_number
                LEFT JOIN (
                    SELECT start_time_unix_nano / \(minuteNs) AS minute_number,
                        count(*) AS span_count
                    FROM spans GROUP BY 1) AS counted USING (minute_number)
                LEFT JOIN (
                    SELECT minute_number, count(*) AS row_count,
                        sum(bucket_count) FILTER (WHERE ordinal <= \(rowCountMax)) AS bucket_count
                    FROM figures GROUP BY 1) AS figured USING (minute_number)
                ON CONFLICT (minute) DO UPDATE SET computed_at = excluded.computed_at,
                    snapshot_xmin = excluded.snapshot_xmin, span_count = excluded.span_count,
                    row_count = excluded.row_count, omitted_row_count = excluded.omitted_row_count,
                    latency_bucket_count = excluded.latency_bucket_count
                RETURNING row_count
            )
            """
    }

    /// Computes the figures of the minutes from `$1` until `$2`, where `$3` is the attribute that
    /// names the tenant.
    static var statement: String {
        """
        WITH \(ServiceEdgeSQL.resources),
        spans AS MATERIALIZED (
            SELECT fact.resource_id, fact.start_time_unix_nano, fact.end_time_unix_nano,
                fact.parent_span_id, coalesce(named.kind_id, fact.kind_id, 0) AS kind_id,
                coalesce(status_code_id = 2, false) AS is_error
            FROM otel_spans_fact AS fact
            LEFT JOIN otel_operations_dim AS named USING (operation_id)
            WHERE fact.start_time_unix_nano >= $1 AND fact.start_time_unix_nano < $2
        ),
        \(figures),
        \(storing)
        SELECT sum(row_count)::int8 FROM noted_minutes
        """
    }
}
