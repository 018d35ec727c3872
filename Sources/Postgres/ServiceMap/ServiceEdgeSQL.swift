// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Rows

/// The edges of the service map, computed from spans: one statement.
///
/// Parameters: `$1` and `$2` are the Unix nanoseconds from and until which the counted spans begin,
/// `$3` is the resource attribute that names the tenant.
/// Cost: reads the spans of that time once, by the index on resource and time, and of traces that
/// reach beyond it the rest, by the index on traces. What it joins it hashes, so that a trace of
/// very many spans costs no more than as many traces of one.
package struct ServiceEdgeSQL: Sendable {
    /// Columns of attributes of spans, by key; attributes without one are looked for in
    /// `attributes` alone.
    private let columns: [String: String]

    init(_ registered: [RegisteredColumn]) {
        var columns: [String: String] = [:]
        for found in registered
        where found.signal == .spans && found.isUsable && found.column.type == .string {
            columns[found.column.key] = found.column.quotedName
        }
        self.columns = columns
    }

    /// Looks up which attributes have columns.
    package static func load(
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> ServiceEdgeSQL {
        ServiceEdgeSQL(try PromotionColumns.registered(on: &connection, deadlineNs: deadlineNs))
    }

    /// `WITH ...` that ends in `spans` (one row per span of the time), `edges`, which has the
    /// minute, the tenant, who calls whom and how often, and `figures` (`ServiceFigureSQL`).
    package var with: String {
        """
        WITH \(ServiceEdgeSQL.resources),
        \(spans),
        \(surroundings),
        \(calls),
        \(links),
        \(peers),
        \(edges),
        \(ServiceFigureSQL.figures)
        """
    }

    /// Columns of `otel_service_edges_dim` that say who calls whom.
    package static let names =
        "kind, client_namespace, client_service, server_namespace, server_service"

    // MARK: Spans

    /// Every span's resource was seen a while ago at most; `last_seen` lags by an hour or so, and
    /// clocks of clients may be a day ahead.
    static var resources: String {
        """
        resources AS MATERIALIZED (
            SELECT resource_id, \(ServiceFigureSQL.name("service_name")) AS service,
                \(ServiceFigureSQL.name("service_namespace")) AS namespace,
                left(coalesce(text.value, number.value::text, ''), \(cut)) AS tenant
            FROM otel_resources_dim
            LEFT JOIN attribute_keys AS tenant ON tenant.key = $3
            LEFT JOIN otel_resource_attrs_string AS text USING (resource_id, key_id)
            LEFT JOIN otel_resource_attrs_int AS number USING (resource_id, key_id)
            WHERE last_seen >= otel_time($1 - \(2 * ServiceEdgeLimits.windowNs))
        )
        """
    }

    private static var cut: Int { ServiceEdgeLimits.nameLengthMax }

    private var spans: String {
        """
        spans AS MATERIALIZED (
            SELECT fact.trace_id, fact.span_id, fact.parent_span_id, fact.resource_id,
                fact.start_time_unix_nano, fact.end_time_unix_nano, operation.kind_id,
                coalesce(status_code_id = 2, false) AS is_error, peer.kind AS peer_kind,
                left(peer.name, \(ServiceEdgeSQL.cut)) AS peer_name,
                CASE WHEN operation.kind_id = \(kindConsumer) THEN links END AS links
            FROM resources
            JOIN otel_spans_fact AS fact USING (resource_id)
            LEFT JOIN otel_operations_dim AS named USING (operation_id)
            CROSS JOIN LATERAL (
                SELECT coalesce(named.kind_id, fact.kind_id, 0) AS kind_id) AS operation
            LEFT JOIN LATERAL (\(peer)) AS peer
                ON operation.kind_id IN (\(kindClient), \(kindProducer))
            WHERE fact.start_time_unix_nano >= $1 AND fact.start_time_unix_nano < $2
        )
        """
    }

    /// SpanKind of OTLP's trace.proto.
    private let kindServer = ServiceFigureSQL.kindServer
    private let kindClient = 3
    private let kindProducer = 4
    private let kindConsumer = ServiceFigureSQL.kindConsumer

    /// The name of what a client span calls, and of what kind it is; NULL where it does not say.
    private var peer: String {
        """
        SELECT CASE WHEN database IS NOT NULL THEN 'database'
                WHEN broker IS NOT NULL THEN 'broker' ELSE 'external' END AS kind,
            CASE WHEN service IS NOT NULL THEN service
                WHEN database IS NOT NULL THEN concat_ws('/', database, namespace)
                ELSE coalesce(broker, address) END AS name
        FROM (SELECT \(first("service.peer.name", "peer.service")) AS service,
            \(first("db.system.name", "db.system")) AS database,
            \(first("db.namespace", "db.name")) AS namespace,
            \(first("messaging.system")) AS broker,
            \(first("server.address", "net.peer.name", "network.peer.address")) AS address
        ) AS said
        """
    }

    /// The first of the attributes that is a string and not empty.
    private func first(_ keys: String...) -> String {
        let places = keys.flatMap { key in
            let inObject = "otel_value_string(fact.attributes -> \(SQLText.literal(key)))"
            return (columns[key].map { ["fact.\($0)"] } ?? []) + [inObject]
        }
        return "coalesce(\(places.map { "nullif(\($0), '')" }.joined(separator: ", ")))"
    }

    /// Keeps a subquery for itself, because the planner does not know how few rows there are. It
    /// would read a window of hours for some traces, and join all resources of a tenant with one
    /// another before it looks which ones are wanted.
    private static let fence = "OFFSET 0"

    /// Spans of other times whose parent or child is among `spans`, or may be.
    private var surroundings: String {
        """
        reaching AS (
            SELECT child.trace_id FROM spans AS child
            LEFT JOIN spans AS parent
                ON parent.trace_id = child.trace_id AND parent.span_id = child.parent_span_id
            WHERE child.parent_span_id IS NOT NULL AND parent.span_id IS NULL
            UNION
            SELECT trace_id FROM spans
            WHERE peer_name IS NOT NULL
                AND (start_time_unix_nano < $1 + \(ServiceEdgeLimits.clockSkewNs)
                    OR end_time_unix_nano >= $2 - \(ServiceEdgeLimits.clockSkewNs))
        ),
        known AS MATERIALIZED (
            SELECT trace_id, span_id, parent_span_id, resource_id, kind_id FROM spans
            UNION ALL
            SELECT trace_id, span_id, parent_span_id, resource_id,
                coalesce(named.kind_id, fact.kind_id, 0)
            FROM reaching CROSS JOIN LATERAL (
                SELECT span_id, parent_span_id, resource_id, operation_id, kind_id
                FROM otel_spans_fact
                WHERE trace_id = reaching.trace_id
                    AND ((start_time_unix_nano >= $1 - \(ServiceEdgeLimits.parentWindowNs)
                            AND start_time_unix_nano < $1)
                        OR (start_time_unix_nano >= $2
                            AND start_time_unix_nano < $2 + \(ServiceEdgeLimits.childWindowNs)))
                \(ServiceEdgeSQL.fence)) AS fact
            LEFT JOIN otel_operations_dim AS named USING (operation_id)
        ),
        parents AS MATERIALIZED (
            SELECT trace_id, span_id, min(resource_id) AS resource_id, max(kind_id) AS kind_id
            FROM known GROUP BY trace_id, span_id
        )
        """
    }

    // MARK: Edges

    /// A span that was stored twice as a parent is one parent.
    private var calls: String {
        """
        called AS (
            SELECT child.start_time_unix_nano, child.end_time_unix_nano, child.is_error,
                parent.resource_id AS client_id, child.resource_id AS server_id,
                CASE WHEN child.kind_id = \(kindConsumer) OR parent.kind_id = \(kindProducer)
                    THEN 'message' ELSE 'call' END AS kind
            FROM spans AS child
            JOIN parents AS parent
                ON parent.trace_id = child.trace_id AND parent.span_id = child.parent_span_id
            WHERE parent.resource_id <> child.resource_id
        )
        """
    }

    /// What consumers link to: each message once, and not again where its producer is the parent.
    private var links: String {
        """
        linking AS MATERIALIZED (
            SELECT DISTINCT consumer.start_time_unix_nano, consumer.end_time_unix_nano,
                consumer.is_error, consumer.resource_id, consumer.trace_id AS own_trace_id,
                consumer.span_id AS own_span_id, link.trace_id, link.span_id
            FROM (SELECT * FROM spans WHERE links IS NOT NULL) AS consumer
            CROSS JOIN LATERAL jsonb_array_elements(consumer.links)
                WITH ORDINALITY AS element (form, position)
            CROSS JOIN LATERAL (
                SELECT CASE WHEN form ->> 'trace_id' ~ '^[0-9a-f]{32}$'
                        THEN (form ->> 'trace_id')::uuid END AS trace_id,
                    CASE WHEN form ->> 'span_id' ~ '^[0-9a-f]{16}$'
                        THEN otel_span_id(form ->> 'span_id') END AS span_id) AS link
            WHERE position <= \(ServiceEdgeLimits.linksPerSpanMax)
                AND (link.trace_id, link.span_id)
                    IS DISTINCT FROM (consumer.trace_id, consumer.parent_span_id)
        ),
        linked AS MATERIALIZED (
            SELECT trace_id, span_id, min(resource_id) AS resource_id
            FROM (SELECT DISTINCT trace_id FROM linking) AS wanted CROSS JOIN LATERAL (
                SELECT span_id, resource_id FROM otel_spans_fact
                WHERE trace_id = wanted.trace_id
                    AND start_time_unix_nano >= $1 - \(ServiceEdgeLimits.linkWindowNs)
                    AND start_time_unix_nano < $2 + \(ServiceEdgeLimits.clockSkewNs)
                \(ServiceEdgeSQL.fence)) AS fact
            GROUP BY trace_id, span_id
        ),
        followed AS (
            SELECT start_time_unix_nano, end_time_unix_nano, is_error,
                linked.resource_id AS client_id, linking.resource_id AS server_id,
                'message' AS kind
            FROM linking JOIN linked
                ON linked.trace_id = linking.trace_id AND linked.span_id = linking.span_id
        )
        """
    }

    /// Client spans from which nothing goes on: no span below them is of another process, and none
    /// is itself about a call.
    private var peers: String {
        """
        continued AS MATERIALIZED (
            SELECT DISTINCT child.trace_id, child.parent_span_id AS span_id
            FROM known AS child JOIN spans AS client
                ON client.trace_id = child.trace_id AND client.span_id = child.parent_span_id
            WHERE client.peer_name IS NOT NULL AND (child.resource_id <> client.resource_id
                OR child.kind_id BETWEEN \(kindServer) AND \(kindConsumer))
        ),
        ended AS (
            SELECT start_time_unix_nano, end_time_unix_nano, is_error, resource_id AS client_id,
                peer_kind AS kind, peer_name
            FROM spans LEFT JOIN continued
                ON continued.trace_id = spans.trace_id AND continued.span_id = spans.span_id
            WHERE peer_name IS NOT NULL AND continued.span_id IS NULL
        )
        """
    }

    private var edges: String {
        """
        counted AS (
            SELECT start_time_unix_nano, is_error, client.tenant, kind, client_namespace,
                client_service, server.namespace AS server_namespace,
                server.service AS server_service, \(ServiceFigureSQL.duration) AS duration
            FROM (SELECT crossing.*, tenant, namespace AS client_namespace,
                    service AS client_service
                FROM (SELECT * FROM called UNION ALL SELECT * FROM followed) AS crossing
                JOIN resources ON resource_id = client_id
                \(ServiceEdgeSQL.fence)) AS client
            JOIN resources AS server ON server.resource_id = server_id
            WHERE client.tenant = server.tenant
                AND (client_namespace, client_service) <> (server.namespace, server.service)
            UNION ALL
            SELECT start_time_unix_nano, is_error, tenant, kind, namespace, service, '',
                peer_name, \(ServiceFigureSQL.duration)
            FROM ended JOIN resources ON resource_id = client_id
        ),
        bucketed AS (
            SELECT to_timestamp(start_time_unix_nano / \(ServiceEdgeLimits.minuteNs) * 60)
                    AS minute, \(identity),
                \(ServiceFigureSQL.bucket(of: "duration")) AS bucket,
                count(*) AS count, count(*) FILTER (WHERE is_error) AS error_count,
                sum(duration::float8) AS latency_sum_nanos
            FROM counted GROUP BY minute, \(identity), bucket
        ),
        edges AS (
            SELECT minute, \(identity), sum(count)::int8 AS call_count,
                sum(error_count)::int8 AS error_count,
                sum(latency_sum_nanos) AS latency_sum_nanos,
                \(ServiceFigureSQL.packedBuckets) AS latency_buckets
            FROM bucketed GROUP BY minute, \(identity)
        )
        """
    }

    private let identity = "tenant, \(ServiceEdgeSQL.names)"
}
