-- SPDX-License-Identifier: Apache-2.0
-- Dead letters: items that were received and cannot be stored as they are, each with what it takes to try
-- again. Written in the transaction that stores the rest of their request, so that what is acknowledged
-- stands either there or here.

CREATE SEQUENCE otel_dead_letter_id_seq;
COMMENT ON SEQUENCE otel_dead_letter_id_seq IS 'Numbers of otel_dead_letters; attempts that are rolled back leave gaps';

CREATE TABLE otel_dead_letters (
    dead_letter_id bigint NOT NULL,
    signal text NOT NULL CHECK (signal IN ('traces', 'logs', 'metrics')),
    tenant text NOT NULL,
    service_name text,
    reason text NOT NULL,
    sqlstate text,
    message text NOT NULL,
    request_fingerprint bytea NOT NULL CHECK (octet_length(request_fingerprint) = 16),
    request_item_count integer NOT NULL,
    item_ordinal integer NOT NULL,
    received_at timestamptz NOT NULL,
    dead_lettered_at timestamptz NOT NULL DEFAULT now(),
    retry_count integer NOT NULL DEFAULT 0,
    retried_at timestamptz,
    size_bytes integer NOT NULL,
    request bytea NOT NULL,
    -- The janitor counts and adds up by this index alone.
    PRIMARY KEY (dead_letter_id) INCLUDE (size_bytes)
);
COMMENT ON TABLE otel_dead_letters IS
    'One row per item that could not be stored, up to dead_letters.rows_max and dead_letters.bytes_max; then the oldest go. See starling dead-letters';
COMMENT ON COLUMN otel_dead_letters.dead_letter_id IS 'Ascending in time; named in the answer to the client';
COMMENT ON COLUMN otel_dead_letters.tenant IS
    'Value of the resource attribute that retention.tenant_attribute names; empty without one';
COMMENT ON COLUMN otel_dead_letters.service_name IS 'Resource attribute service.name, cut at 200 bytes';
COMMENT ON COLUMN otel_dead_letters.reason IS
    'refused_by_postgresql, or what the daemon found: nul_in_text, invalid_utf8, invalid_trace_id, invalid_span_id, invalid_parent_span_id, time_out_of_range, time_outside_window';
COMMENT ON COLUMN otel_dead_letters.sqlstate IS 'What PostgreSQL said; NULL where the daemon found the fault';
COMMENT ON COLUMN otel_dead_letters.message IS 'The reason in words, without content of the item';
COMMENT ON COLUMN otel_dead_letters.request_fingerprint IS
    'Of the request that it came in: the same for all items of a request, and for a retry of it';
COMMENT ON COLUMN otel_dead_letters.request_item_count IS 'Items in that request, good and bad';
COMMENT ON COLUMN otel_dead_letters.item_ordinal IS 'Place of the item in that request, from 0';
COMMENT ON COLUMN otel_dead_letters.received_at IS 'When the request arrived';
COMMENT ON COLUMN otel_dead_letters.retry_count IS 'Replays that failed; reason and message stay those of the first attempt';
COMMENT ON COLUMN otel_dead_letters.retried_at IS 'Time of the last replay that failed';
COMMENT ON COLUMN otel_dead_letters.size_bytes IS 'Length of request';
COMMENT ON COLUMN otel_dead_letters.request IS
    'An Export request (protobuf) of that item alone, with its resource and scope';

-- For a retry: what became of the request's items is to be said again.
CREATE INDEX otel_dead_letters_request_idx ON otel_dead_letters (request_fingerprint);
