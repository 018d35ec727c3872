// SPDX-License-Identifier: Apache-2.0
internal import Base

extension ServiceEdgeSQL {
    /// Takes out the edges of the minute that begins at `$1`; its hour does not count any more.
    static let clearing = """
        WITH hours AS (
            DELETE FROM otel_service_edge_hours
            WHERE hour = date_trunc('hour', otel_time($1), 'UTC')
        )
        DELETE FROM otel_service_minute_edges WHERE minute = otel_time($1)
        """

    /// Computes the edges and figures of the minute from `$1` until `$2` and stores them; what was
    /// stored of it has to be away. `$3` is the attribute that names the tenant, `$4` is now.
    ///
    /// Returns the number of edges that were stored and left out, and of spans.
    var replacement: String { ServiceEdgeSQL.storing(after: with) }

    /// One session at a time does this: what is not known by its key is not being added elsewhere.
    private static func storing(after with: String) -> String {
        """
        \(with),
        numbered AS (
            SELECT row_number() OVER (ORDER BY call_count DESC, tenant, \(names))::int4 AS ordinal,
                \(key) AS edge_key, *
            FROM edges
        ), kept AS MATERIALIZED (
            SELECT * FROM numbered WHERE ordinal <= \(ServiceEdgeLimits.edgesPerMinuteMax)
        ), known_edges AS MATERIALIZED (
            SELECT edge_id, edge_key, last_seen FROM otel_service_edges_dim
            WHERE edge_key IN (SELECT edge_key FROM kept)
        ), seen_edges AS (
            UPDATE otel_service_edges_dim SET last_seen = otel_time($1)
            FROM known_edges WHERE otel_service_edges_dim.edge_id = known_edges.edge_id
                AND known_edges.last_seen < otel_time($1) - \(seenEvery)
        ), added_edges AS (
            INSERT INTO otel_service_edges_dim (edge_key, \(names), last_seen)
            SELECT DISTINCT ON (edge_key) edge_key, \(names), otel_time($1) FROM kept
            WHERE NOT EXISTS (SELECT FROM known_edges WHERE known_edges.edge_key = kept.edge_key)
            RETURNING edge_id, edge_key
        ), stored_edges AS (
            INSERT INTO otel_service_minute_edges (minute, tenant, \(lists))
            SELECT otel_time($1), tenant, \(listed(by: "ordinal"))
            FROM kept JOIN (SELECT edge_id, edge_key FROM known_edges
                UNION ALL SELECT edge_id, edge_key FROM added_edges) AS named USING (edge_key)
            GROUP BY tenant
        ),
        \(ServiceFigureSQL.storing)
        INSERT INTO otel_service_edge_minutes AS minute
            (minute, computed_at, is_stale, span_count, edge_count, omitted_edge_count)
        SELECT otel_time($1), otel_time($4), false, (SELECT count(*) FROM spans),
            least(count(*), \(ServiceEdgeLimits.edgesPerMinuteMax)),
            greatest(count(*) - \(ServiceEdgeLimits.edgesPerMinuteMax), 0)
        FROM numbered
        ON CONFLICT (minute) DO UPDATE SET computed_at = excluded.computed_at, is_stale = false,
            span_count = excluded.span_count, edge_count = excluded.edge_count,
            omitted_edge_count = excluded.omitted_edge_count
        RETURNING edge_count::int8, omitted_edge_count::int8, span_count
        """
    }

    /// How far `last_seen` may lag behind: it is not written for every minute.
    static let seenEvery = "interval '1 hour'"

    private static let key = "md5(ARRAY[\(names)]::text)::uuid"

    /// The lists of `otel_service_minute_edges` and `otel_service_hour_edges`.
    static let lists =
        "edge_ids, call_counts, error_counts, latency_sums_nanos, latency_buckets"

    /// Makes them out of rows.
    private static func listed(by order: String) -> String {
        ["edge_id", "call_count", "error_count", "latency_sum_nanos", "latency_buckets"]
            .map { "array_agg(\($0) ORDER BY \(order))" }.joined(separator: ", ")
    }

    /// Adds up the minutes of the hour that begins at `$1`; what was stored of it has to be away.
    static var hourStatement: String {
        let edgeCountMax = ServiceEdgeLimits.edgesPerHourMax
        return """
            WITH minute_edges AS MATERIALIZED (
                SELECT tenant, edge.*
                FROM otel_service_minute_edges AS stored
                CROSS JOIN LATERAL unnest(edge_ids, call_counts, error_counts,
                    latency_sums_nanos, stored.latency_buckets)
                    AS edge (edge_id, call_count, error_count, latency_sum_nanos, buckets)
                WHERE minute >= otel_time($1) AND minute < otel_time($1) + interval '1 hour'
            ), numbered AS (
                SELECT tenant, edge_id, sum(call_count)::int8 AS call_count,
                    sum(error_count)::int8 AS error_count,
                    sum(latency_sum_nanos) AS latency_sum_nanos,
                    row_number() OVER (ORDER BY sum(call_count) DESC, tenant, edge_id) AS ordinal
                FROM minute_edges GROUP BY tenant, edge_id
            ), buckets AS (
                SELECT tenant, edge_id, \(ServiceFigureSQL.packedBuckets) AS latency_buckets
                FROM (SELECT tenant, edge_id, \(bigEndian(bytes: 2)) AS bucket,
                        sum(\(bigEndian(bytes: 4, from: 2))) AS count
                    FROM minute_edges CROSS JOIN LATERAL
                        generate_series(0, length(buckets) - 1, \(packedSize)) AS place
                    GROUP BY tenant, edge_id, bucket) AS one
                GROUP BY tenant, edge_id
            ), stored AS (
                INSERT INTO otel_service_hour_edges (hour, tenant, \(lists))
                SELECT otel_time($1), tenant, \(listed(by: "ordinal"))
                FROM numbered JOIN buckets USING (tenant, edge_id)
                WHERE ordinal <= \(edgeCountMax)
                GROUP BY tenant
            )
            INSERT INTO otel_service_edge_hours (hour, edge_count, omitted_edge_count)
            SELECT otel_time($1), least(count(*), \(edgeCountMax)),
                greatest(count(*) - \(edgeCountMax), 0) + (
                    SELECT coalesce(sum(omitted_edge_count), 0) FROM otel_service_edge_minutes
                    WHERE minute >= otel_time($1)
                        AND minute < otel_time($1) + interval '1 hour')
            FROM numbered
            """
    }

    private static let packedSize = LatencyHistogram.packedBucketSizeBytes

    /// A number in `buckets`, `offset` bytes behind `place`. None has its highest bit set.
    private static func bigEndian(bytes count: Int, from offset: Int = 0) -> String {
        let parts = (0..<count).map { index in
            let shift = 8 * (count - 1 - index)
            return "(get_byte(buckets, place + \(offset + index)) << \(shift))"
        }
        return "(\(parts.joined(separator: " | ")))::int\(count)"
    }
}
