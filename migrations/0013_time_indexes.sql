-- SPDX-License-Identifier: Apache-2.0
-- The newest of all, and what was stored in a minute of the past: without these, a list without a service, the
-- service map and an export read every row of a partition. They take the place of the BRIN indexes that closed
-- partitions of spans and log records had. Building them holds up writers for as long as it takes, about a second
-- per million rows.

CREATE INDEX otel_spans_fact_time_idx ON otel_spans_fact (start_time_unix_nano);
CREATE INDEX otel_logs_fact_time_idx ON otel_logs_fact (time_unix_nano);

DO $$
DECLARE
    late_index regclass;
BEGIN
    FOR late_index IN
        SELECT indexrelid::regclass
        FROM pg_index
        JOIN pg_inherits ON inhrelid = indrelid
        JOIN pg_class ON pg_class.oid = indexrelid
        JOIN pg_am ON pg_am.oid = relam
        WHERE inhparent IN ('otel_spans_fact'::regclass, 'otel_logs_fact'::regclass) AND amname = 'brin'
    LOOP
        EXECUTE format('DROP INDEX %s', late_index);
    END LOOP;
END
$$;
