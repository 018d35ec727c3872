-- SPDX-License-Identifier: Apache-2.0
-- Calls, errors and durations of services, by minute and by hour: what is asked about a day reads these instead of
-- its spans. Minutes are filled together with those of the service map, hours out of their sixty minutes.
-- What was stored before this migration is filled in by the janitor, newest minutes first.

CREATE TABLE otel_service_figures (
    minute timestamptz NOT NULL,
    ordinal integer NOT NULL,
    tenant text NOT NULL,
    service_namespace text NOT NULL,
    service_name text NOT NULL,
    kind_id smallint NOT NULL,
    call_count bigint NOT NULL,
    error_count bigint NOT NULL,
    latency_sum_nanos double precision NOT NULL,
    latency_buckets bytea NOT NULL,
    PRIMARY KEY (minute, ordinal)
);
COMMENT ON TABLE otel_service_figures IS
    'Calls of services by minute: SERVER and CONSUMER spans, and spans without a parent. The janitor replaces whole minutes; see otel_service_figure_minutes';
COMMENT ON COLUMN otel_service_figures.minute IS 'In which the spans began';
COMMENT ON COLUMN otel_service_figures.ordinal IS 'Number within the minute; most calls first';
COMMENT ON COLUMN otel_service_figures.tenant IS
    'Value of the resource attribute that retention.tenant_attribute names; empty without one';
COMMENT ON COLUMN otel_service_figures.service_namespace IS 'service.namespace, cut at 200 characters; empty without one';
COMMENT ON COLUMN otel_service_figures.service_name IS 'service.name, cut at 200 characters; empty without one';
COMMENT ON COLUMN otel_service_figures.kind_id IS
    'SpanKind, as in span_kinds; 0 for one that is not there. Of kinds other than SERVER and CONSUMER only spans without a parent are counted';
COMMENT ON COLUMN otel_service_figures.error_count IS 'Counted spans whose status is ERROR';
COMMENT ON COLUMN otel_service_figures.latency_sum_nanos IS 'Sum of the durations of the counted spans';
COMMENT ON COLUMN otel_service_figures.latency_buckets IS
    'Durations: six bytes for each bucket that has any, ascending: its number (int2) and how many (int4), big-endian. The buckets are those of otel_service_edges. Longer ones may be added up by putting them one behind the other';

CREATE TABLE otel_service_figure_minutes (
    minute timestamptz PRIMARY KEY,
    computed_at timestamptz NOT NULL,
    snapshot_xmin xid8 NOT NULL,
    span_count bigint NOT NULL,
    row_count integer NOT NULL,
    omitted_row_count integer NOT NULL,
    latency_bucket_count integer NOT NULL
);
COMMENT ON TABLE otel_service_figure_minutes IS
    'The minutes that are in otel_service_figures, those without a call too. A minute that is missing here is answered out of its spans';
COMMENT ON COLUMN otel_service_figure_minutes.snapshot_xmin IS 'Transactions from this one on may have stored spans that are not counted';
COMMENT ON COLUMN otel_service_figure_minutes.span_count IS 'Spans that began in the minute, whether they are calls or not';
COMMENT ON COLUMN otel_service_figure_minutes.row_count IS 'Rows of otel_service_figures';
COMMENT ON COLUMN otel_service_figure_minutes.omitted_row_count IS 'Those with the fewest calls that were left out, because there were more than 5,000';
COMMENT ON COLUMN otel_service_figure_minutes.latency_bucket_count IS 'Buckets in all rows: a sixth of the bytes of latency_buckets';

CREATE TABLE otel_service_hour_figures (
    hour timestamptz NOT NULL,
    ordinal integer NOT NULL,
    tenant text NOT NULL,
    service_namespace text NOT NULL,
    service_name text NOT NULL,
    kind_id smallint NOT NULL,
    call_count bigint NOT NULL,
    error_count bigint NOT NULL,
    latency_sum_nanos double precision NOT NULL,
    latency_buckets bytea NOT NULL,
    PRIMARY KEY (hour, ordinal)
);
COMMENT ON TABLE otel_service_hour_figures IS
    'otel_service_figures, added up by hour. Only hours that are in otel_service_figure_hours count';

CREATE TABLE otel_service_figure_hours (
    hour timestamptz PRIMARY KEY,
    row_count integer NOT NULL,
    omitted_row_count integer NOT NULL,
    latency_bucket_count integer NOT NULL
);
COMMENT ON TABLE otel_service_figure_hours IS
    'The hours that are in otel_service_hour_figures and have all of their sixty minutes in it as they are';
COMMENT ON COLUMN otel_service_figure_hours.omitted_row_count IS 'Those that were left out of the hour or of its minutes';
