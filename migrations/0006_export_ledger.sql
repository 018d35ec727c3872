-- SPDX-License-Identifier: Apache-2.0
-- The export ledger: which exports are committed, so that a retry of one stores nothing.
--
-- A fingerprint is written in the transaction that holds the export's rows, for the window of time
-- that is current and for the one before. Whoever meets either row knows that the export is
-- committed; two daemons whose clocks or windows are one step apart still meet in one of them.
-- Windows take turns in four slots. A slot that is no longer in use is truncated, which locks nothing
-- that anyone writes, where dropping a partition would lock the parent.

CREATE TABLE otel_export_ledger (
    slot smallint NOT NULL,
    window_start bigint NOT NULL,
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 16),
    PRIMARY KEY (slot, window_start, fingerprint)
) PARTITION BY LIST (slot);
COMMENT ON TABLE otel_export_ledger IS
    'Fingerprints of committed exports, kept for durability.dedup_window at least and three times that at most';
COMMENT ON COLUMN otel_export_ledger.slot IS 'Number of the window modulo 4: which partition it is in';
COMMENT ON COLUMN otel_export_ledger.window_start IS 'Start of the window, seconds since 1970';
COMMENT ON COLUMN otel_export_ledger.fingerprint IS
    'First 16 bytes of the SHA-256 of signal, tenant and inflated request body';

CREATE TABLE otel_export_ledger_0 PARTITION OF otel_export_ledger FOR VALUES IN (0);
CREATE TABLE otel_export_ledger_1 PARTITION OF otel_export_ledger FOR VALUES IN (1);
CREATE TABLE otel_export_ledger_2 PARTITION OF otel_export_ledger FOR VALUES IN (2);
CREATE TABLE otel_export_ledger_3 PARTITION OF otel_export_ledger FOR VALUES IN (3);
