-- SPDX-License-Identifier: Apache-2.0
-- The service map: who called whom, by minute, out of the spans. The janitor fills it once a minute is over and
-- again when spans came late; a minute is replaced as a whole, in one transaction with what is said about it.

CREATE TABLE otel_service_edges (
    minute timestamptz NOT NULL,
    ordinal integer NOT NULL,
    tenant text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('call', 'message', 'database', 'broker', 'external')),
    client_namespace text NOT NULL,
    client_service text NOT NULL,
    server_namespace text NOT NULL,
    server_service text NOT NULL,
    call_count bigint NOT NULL,
    error_count bigint NOT NULL,
    latency_sum_nanos double precision NOT NULL,
    latency_buckets smallint[] NOT NULL,
    latency_bucket_counts integer[] NOT NULL,
    PRIMARY KEY (minute, ordinal)
);
COMMENT ON TABLE otel_service_edges IS
    'Calls between services, and from services to what answers for none, by minute. The janitor replaces whole minutes; see otel_service_edge_minutes';
COMMENT ON COLUMN otel_service_edges.minute IS
    'In which the span began that was counted: the callee''s where kind is call or message, else the caller''s';
COMMENT ON COLUMN otel_service_edges.ordinal IS 'Number within the minute; most calls first';
COMMENT ON COLUMN otel_service_edges.tenant IS
    'Value of the resource attribute that retention.tenant_attribute names, of both sides; empty without one. Calls between tenants are not counted';
COMMENT ON COLUMN otel_service_edges.kind IS
    'call: a span and its parent in another service. message: the same for a consumer or from a producer, and links of consumers. database, broker, external: a client or producer span that no other span goes on from';
COMMENT ON COLUMN otel_service_edges.client_service IS 'service.name, cut at 200 characters; empty without one';
COMMENT ON COLUMN otel_service_edges.client_namespace IS 'service.namespace, cut at 200 characters; empty without one';
COMMENT ON COLUMN otel_service_edges.server_namespace IS 'As client_namespace; empty where kind is database, broker or external';
COMMENT ON COLUMN otel_service_edges.server_service IS
    'service.name where kind is call or message; else the name of the peer: service.peer.name, peer.service, or system and namespace of a database, system of a broker, address of a server';
COMMENT ON COLUMN otel_service_edges.error_count IS 'Counted spans whose status is ERROR';
COMMENT ON COLUMN otel_service_edges.latency_sum_nanos IS 'Sum of the durations of the counted spans';
COMMENT ON COLUMN otel_service_edges.latency_buckets IS
    'Ascending; bucket i has durations above 2^(i/8) and up to 2^((i+1)/8) nanoseconds; 79 has all below and 335 all above: 1 us to 73 min';
COMMENT ON COLUMN otel_service_edges.latency_bucket_counts IS 'Element n is the number of durations in the bucket of latency_buckets[n]';

CREATE TABLE otel_service_edge_minutes (
    minute timestamptz PRIMARY KEY,
    computed_at timestamptz NOT NULL,
    is_stale boolean NOT NULL,
    span_count bigint NOT NULL,
    edge_count integer NOT NULL,
    omitted_edge_count integer NOT NULL
);
COMMENT ON TABLE otel_service_edge_minutes IS
    'The minutes that are in otel_service_edges, those without an edge too. A minute that is missing here is not in the map yet';
COMMENT ON COLUMN otel_service_edge_minutes.is_stale IS
    'Spans of the minute before or after came late: it is computed again at the next opportunity';
COMMENT ON COLUMN otel_service_edge_minutes.span_count IS 'Spans that began in the minute when it was computed; another number now means that some came late';
COMMENT ON COLUMN otel_service_edge_minutes.edge_count IS 'Rows of otel_service_edges';
COMMENT ON COLUMN otel_service_edge_minutes.omitted_edge_count IS 'Edges with the fewest calls that were left out, because there were more than 2,000';
