-- SPDX-License-Identifier: Apache-2.0
-- What is kept, and what maintenance did. Partitions are dropped whole; nothing here stores telemetry.

CREATE TABLE retention_policy (
    signal text NOT NULL CHECK (signal IN ('traces', 'logs', 'metrics')),
    tenant text NOT NULL DEFAULT '' CHECK (octet_length(tenant) <= 200),
    days integer CHECK (days BETWEEN 1 AND 36500),
    bytes bigint CHECK (bytes > 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (signal, tenant),
    -- The rows of a tenant are among those of all others: they have an age, but no size of their own.
    CHECK (tenant = '' OR (days IS NOT NULL AND bytes IS NULL))
);
COMMENT ON TABLE retention_policy IS
    'How long each signal is kept. `starling retention set` writes it; running daemons obey within a minute';
COMMENT ON COLUMN retention_policy.tenant IS
    'Empty: all rows of the signal. Else only those whose resource has this value of the attribute that retention.tenant_attribute names';
COMMENT ON COLUMN retention_policy.days IS
    'A partition is dropped once all of its range is older; rows older than this are rejected on arrival. NULL: no limit';
COMMENT ON COLUMN retention_policy.bytes IS
    'While the partitions of the signal take more, indexes included, the oldest one is dropped; never the present one. NULL: no limit';
INSERT INTO retention_policy (signal, days) VALUES ('traces', 30), ('logs', 30), ('metrics', 30);

CREATE TABLE otel_maintenance_log (
    entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    action text NOT NULL,
    object text NOT NULL,
    signal text,
    detail jsonb,
    bytes_freed bigint,
    duration_ms integer
);
COMMENT ON TABLE otel_maintenance_log IS
    'What the daemons and the maintenance verbs did to partitions. Entries older than 400 days are deleted';
COMMENT ON COLUMN otel_maintenance_log.action IS
    'drop_partition, finish_detach, build_index, drop_index, delete_rows or set_policy';
COMMENT ON COLUMN otel_maintenance_log.object IS 'The partition, the index, or the signal (and tenant) of a policy';
COMMENT ON COLUMN otel_maintenance_log.detail IS
    'What belongs to the action: reason, from_unix_nano, until_unix_nano, rows, table, tenant, days, bytes';
COMMENT ON COLUMN otel_maintenance_log.bytes_freed IS
    'Bytes that the file system got back; NULL for actions that free none';
CREATE INDEX otel_maintenance_log_at_idx ON otel_maintenance_log (at);
