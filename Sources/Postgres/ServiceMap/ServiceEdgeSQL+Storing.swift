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
            INSERT INTO otel_service_minute_edges (minute, tenant, edges, latency_buckets)
            SELECT otel_time($1), tenant, \(packed)
            FROM (SELECT *, sum(length(latency_buckets))
                    OVER (PARTITION BY tenant ORDER BY ordinal) AS buckets_end FROM kept) AS kept
            JOIN (SELECT edge_id, edge_key FROM known_edges
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

    private static let key = "otel_edge_key(\(names))"

    /// The columns that `PackedEdges` reads. The largest double below 2^63 is what fits.
    private static let packed = """
        string_agg(int8send(edge_id) || int8send(call_count) || int8send(error_count)
            || int8send(least(latency_sum_nanos, 9223372036854774784)::int8)
            || int8send(buckets_end), ''::bytea ORDER BY ordinal),
        string_agg(latency_buckets, ''::bytea ORDER BY ordinal)
        """
}
