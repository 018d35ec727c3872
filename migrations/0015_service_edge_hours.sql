-- SPDX-License-Identifier: Apache-2.0
-- The service map by hour as well, so that a day of it is not read minute by minute, and both in a form that is quickly
-- added up: a row for each minute or hour and tenant, with the figures of its edges packed, and who calls whom once for
-- all of them. What there was of otel_service_edges is taken over.

-- A daemon of an older version may be at it.
LOCK TABLE otel_service_edges IN EXCLUSIVE MODE;

CREATE FUNCTION otel_edge_key(kind text, client_namespace text, client_service text, server_namespace text, server_service text)
    RETURNS uuid LANGUAGE sql STABLE STRICT PARALLEL SAFE
    AS $$
        SELECT encode(substring(sha256(convert_to(ARRAY[kind, client_namespace, client_service, server_namespace,
            server_service]::text, 'UTF8')) FOR 16), 'hex')::uuid
    $$;
COMMENT ON FUNCTION otel_edge_key IS 'edge_key of otel_service_edges_dim';

CREATE TABLE otel_service_edges_dim (
    edge_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    edge_key uuid NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('call', 'message', 'database', 'broker', 'external')),
    client_namespace text NOT NULL,
    client_service text NOT NULL,
    server_namespace text NOT NULL,
    server_service text NOT NULL,
    last_seen timestamptz NOT NULL
);
COMMENT ON TABLE otel_service_edges_dim IS
    'Who calls whom: services, and what answers for none. Those that were seen last before the oldest minute are taken out with the minutes of a partition';
COMMENT ON COLUMN otel_service_edges_dim.edge_key IS
    'Half of a SHA-256 of kind and names, which may be longer together than an index takes: otel_edge_key()';
COMMENT ON COLUMN otel_service_edges_dim.kind IS
    'call: a span and its parent in another service. message: the same for a consumer or from a producer, and links of consumers. database, broker, external: a client or producer span that no other span goes on from';
COMMENT ON COLUMN otel_service_edges_dim.client_namespace IS 'service.namespace, cut at 200 characters; empty without one';
COMMENT ON COLUMN otel_service_edges_dim.client_service IS 'service.name, cut at 200 characters; empty without one';
COMMENT ON COLUMN otel_service_edges_dim.server_namespace IS 'As client_namespace; empty where kind is database, broker or external';
COMMENT ON COLUMN otel_service_edges_dim.server_service IS
    'service.name where kind is call or message; else the name of the peer: service.peer.name, peer.service, or system and namespace of a database, system of a broker, address of a server';
COMMENT ON COLUMN otel_service_edges_dim.last_seen IS 'No minute has it that begins more than an hour later';

CREATE TABLE otel_service_minute_edges (
    minute timestamptz NOT NULL,
    tenant text NOT NULL,
    edges bytea NOT NULL CHECK (length(edges) % 40 = 0),
    latency_buckets bytea NOT NULL CHECK (length(latency_buckets) % 6 = 0),
    PRIMARY KEY (minute, tenant)
);
COMMENT ON TABLE otel_service_minute_edges IS
    'Calls between services, and from services to what answers for none, by minute; grafana.service_edges has them one by one. The janitor replaces whole minutes; see otel_service_edge_minutes';
COMMENT ON COLUMN otel_service_minute_edges.minute IS
    'In which the span began that was counted: the callee''s where kind is call or message, else the caller''s';
COMMENT ON COLUMN otel_service_minute_edges.tenant IS
    'Value of the resource attribute that retention.tenant_attribute names, of both sides; empty without one. Calls between tenants are not counted';
COMMENT ON COLUMN otel_service_minute_edges.edges IS
    '40 bytes for each edge, those with most calls first: edge_id, calls, those whose status is ERROR, sum of their durations in nanoseconds (at most 2^63 - 1), and where its part of latency_buckets ends, in bytes; each an int8, big-endian (otel_int8_at)';
COMMENT ON COLUMN otel_service_minute_edges.latency_buckets IS
    'Durations, one edge behind the other: six bytes for each bucket that has any, ascending: its number (int2) and how many (int4), big-endian. Bucket i has durations above 2^(i/8) and up to 2^((i+1)/8) nanoseconds; 79 has all below and 335 all above: 1 us to 73 min';

CREATE TABLE otel_service_hour_edges (
    hour timestamptz NOT NULL,
    tenant text NOT NULL,
    edges bytea NOT NULL CHECK (length(edges) % 40 = 0),
    latency_buckets bytea NOT NULL CHECK (length(latency_buckets) % 6 = 0),
    PRIMARY KEY (hour, tenant)
);
COMMENT ON TABLE otel_service_hour_edges IS
    'otel_service_minute_edges, added up by hour. Only hours that are in otel_service_edge_hours count';

CREATE TABLE otel_service_edge_hours (
    hour timestamptz PRIMARY KEY,
    edge_count integer NOT NULL,
    omitted_edge_count integer NOT NULL
);
COMMENT ON TABLE otel_service_edge_hours IS
    'The hours that are in otel_service_hour_edges and have all of their sixty minutes in it as they are';
COMMENT ON COLUMN otel_service_edge_hours.edge_count IS 'Over all tenants';
COMMENT ON COLUMN otel_service_edge_hours.omitted_edge_count IS
    'Edges with the fewest calls that were left out of the hour, or of its minutes';

-- They are read whole and often, and are not to be unpacked each time.
ALTER TABLE otel_service_minute_edges
    ALTER COLUMN edges SET STORAGE EXTERNAL, ALTER COLUMN latency_buckets SET STORAGE EXTERNAL;
ALTER TABLE otel_service_hour_edges
    ALTER COLUMN edges SET STORAGE EXTERNAL, ALTER COLUMN latency_buckets SET STORAGE EXTERNAL;

INSERT INTO otel_service_edges_dim
    (edge_key, kind, client_namespace, client_service, server_namespace, server_service, last_seen)
SELECT otel_edge_key(kind, client_namespace, client_service, server_namespace, server_service),
    kind, client_namespace, client_service, server_namespace, server_service, max(minute)
FROM otel_service_edges
GROUP BY kind, client_namespace, client_service, server_namespace, server_service;

INSERT INTO otel_service_minute_edges
SELECT minute, tenant,
    string_agg(int8send(edge_id) || int8send(call_count) || int8send(error_count)
        || int8send(least(latency_sum_nanos, 9223372036854774784)::int8) || int8send(buckets_end),
        ''::bytea ORDER BY ordinal),
    string_agg(buckets, ''::bytea ORDER BY ordinal)
FROM (
    SELECT minute, ordinal, tenant, edge_id, call_count, error_count, latency_sum_nanos, buckets,
        sum(length(buckets)) OVER (PARTITION BY minute, tenant ORDER BY ordinal) AS buckets_end
    FROM otel_service_edges
    JOIN otel_service_edges_dim USING (kind, client_namespace, client_service, server_namespace, server_service)
    CROSS JOIN LATERAL (
        SELECT coalesce(string_agg(int2send(bucket) || int4send(count), ''::bytea ORDER BY bucket), ''::bytea) AS buckets
        FROM unnest(latency_buckets, latency_bucket_counts) AS one (bucket, count)) AS packed
) AS edge
GROUP BY minute, tenant;

DROP TABLE otel_service_edges;

COMMENT ON TABLE otel_service_edge_minutes IS
    'The minutes that are in otel_service_minute_edges, those without an edge too. A minute that is missing here is not in the map yet';
COMMENT ON COLUMN otel_service_edge_minutes.edge_count IS 'Edges in otel_service_minute_edges, over all tenants';
COMMENT ON COLUMN otel_service_figures.latency_buckets IS
    'Durations, in the form of otel_service_minute_edges. Longer ones may be added up by putting them one behind the other';
