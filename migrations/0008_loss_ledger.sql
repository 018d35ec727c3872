-- SPDX-License-Identifier: Apache-2.0
-- The loss ledger: what became of every item that was received, in numbers that can be checked. Written in
-- the transaction that holds the rows; each writer has rows of its own, so that none waits for another.

CREATE TABLE otel_loss_ledger (
    minute timestamptz NOT NULL,
    signal text NOT NULL CHECK (signal IN ('traces', 'logs', 'metrics')),
    tenant text NOT NULL,
    source text NOT NULL,
    received bigint NOT NULL,
    committed bigint NOT NULL,
    dead_lettered bigint NOT NULL,
    deduplicated bigint NOT NULL,
    refused bigint NOT NULL,
    replayed bigint NOT NULL,
    PRIMARY KEY (minute, signal, tenant, source)
) WITH (fillfactor = 50);
COMMENT ON TABLE otel_loss_ledger IS
    'Items by minute of arrival: received = committed + dead_lettered + deduplicated + refused, in every row. Kept for 90 days';
COMMENT ON COLUMN otel_loss_ledger.tenant IS
    'Value of the resource attribute that retention.tenant_attribute names, empty without one; (other) beyond 1,000 in a minute of one source';
COMMENT ON COLUMN otel_loss_ledger.source IS 'One run of a daemon, and which of its writers';
COMMENT ON COLUMN otel_loss_ledger.received IS 'Items that were decoded';
COMMENT ON COLUMN otel_loss_ledger.committed IS 'Rows that COPY reported';
COMMENT ON COLUMN otel_loss_ledger.dead_lettered IS 'Rows of otel_dead_letters';
COMMENT ON COLUMN otel_loss_ledger.deduplicated IS 'Items of retries of requests that were committed before';
COMMENT ON COLUMN otel_loss_ledger.refused IS 'Items that were not stored, and whose client was told so';
COMMENT ON COLUMN otel_loss_ledger.replayed IS
    'Of dead_lettered, those that starling dead-letters replay has stored since; not part of the balance';
