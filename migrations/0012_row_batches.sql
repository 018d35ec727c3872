-- SPDX-License-Identifier: Apache-2.0
-- What has been stored lately, for those who follow it. Written with the rows themselves, so that whoever
-- looks for what is new reads these few, and then those rows.

CREATE TABLE otel_row_batches (
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    signal text NOT NULL CHECK (signal IN ('traces', 'logs')),
    first_unix_nano bigint NOT NULL,
    last_unix_nano bigint NOT NULL,
    row_count integer NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX otel_row_batches_transaction_idx ON otel_row_batches (transaction_id);
COMMENT ON TABLE otel_row_batches IS
    'Rows of a fact table by the transaction that stored them. They have the xmin of the row here, which is that of a subtransaction where some were refused. Kept for 20 minutes';
COMMENT ON COLUMN otel_row_batches.transaction_id IS 'The whole transaction, for pg_visible_in_snapshot()';
COMMENT ON COLUMN otel_row_batches.first_unix_nano IS 'No row begins before it: start_time_unix_nano of spans, time_unix_nano of log records';
COMMENT ON COLUMN otel_row_batches.last_unix_nano IS 'No row begins after it';
COMMENT ON COLUMN otel_row_batches.row_count IS 'Rows that were sent';
COMMENT ON COLUMN otel_row_batches.written_at IS 'When the transaction began';
