-- SPDX-License-Identifier: Apache-2.0
-- What daemons with a spool on disk have put into this database out of it.
--
-- A record's mark is written in the transaction that holds its rows. Whatever a daemon forgets in a
-- crash, and however long it is away, a record that is read again meets its mark and is not stored a
-- second time. Marks go once the file that held the record is gone.

CREATE TABLE otel_spools (
    spool_id bytea PRIMARY KEY CHECK (octet_length(spool_id) = 16),
    keep_since_unix_nano bigint,
    seen_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE otel_spools IS 'Spools on disk that daemons on this database have';
COMMENT ON COLUMN otel_spools.spool_id IS 'Random, made with the spool';
COMMENT ON COLUMN otel_spools.keep_since_unix_nano IS
    'No export in the spool arrived earlier: the export ledger keeps what it noted since, for at most a day. NULL: the daemon ended with an empty spool';
COMMENT ON COLUMN otel_spools.seen_at IS 'When its daemon last wrote this row';

CREATE TABLE otel_spool_marks (
    spool_id bytea NOT NULL,
    record_number bigint NOT NULL,
    PRIMARY KEY (spool_id, record_number)
);
COMMENT ON TABLE otel_spool_marks IS 'Records of spools whose rows are committed, for as long as their file may exist';
COMMENT ON COLUMN otel_spool_marks.record_number IS 'Counts from 1 through the life of a spool';
