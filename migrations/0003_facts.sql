-- SPDX-License-Identifier: Apache-2.0
-- Facts, partitioned by time on the raw nanoseconds (a comparison with that column prunes; one with a
-- timestamptz made from it does not). There is no default partition: the daemon makes partitions ahead
-- and on demand. No foreign keys: dimensions are written first.
-- Column order: 8-byte, 4-byte, 16-byte, then variable width, so that no row pays for padding.
-- 32-bit unsigned OTLP fields are kept as the int4 bit pattern, 64-bit ones as the int8 bit pattern;
-- x::bigint & 4294967295 shows the former unsigned. NULL stands for proto3's default (0, empty).

CREATE TABLE otel_spans_fact (
    start_time_unix_nano bigint NOT NULL,
    end_time_unix_nano bigint NOT NULL,
    span_id bigint NOT NULL,
    parent_span_id bigint,
    resource_id integer NOT NULL,
    scope_id integer,
    operation_id integer,
    kind_id integer,
    flags integer,
    status_code_id integer,
    dropped_attributes_count integer,
    dropped_events_count integer,
    dropped_links_count integer,
    trace_id uuid NOT NULL,
    name text,
    trace_state text,
    status_message text,
    attributes jsonb,
    events jsonb,
    links jsonb
) PARTITION BY RANGE (start_time_unix_nano);
COMMENT ON TABLE otel_spans_fact IS 'One row per span';
COMMENT ON COLUMN otel_spans_fact.span_id IS 'The 8 bytes of the span id, big-endian, as a signed integer: lpad(to_hex(span_id), 16, ''0'') is its hex form';
COMMENT ON COLUMN otel_spans_fact.parent_span_id IS 'As span_id; NULL for a root span';
COMMENT ON COLUMN otel_spans_fact.trace_id IS 'The 16 bytes of the trace id; a hex literal without dashes is accepted';
COMMENT ON COLUMN otel_spans_fact.operation_id IS 'otel_operations_dim row holding name and kind; NULL where name and kind_id stand on this row';
COMMENT ON COLUMN otel_spans_fact.kind_id IS 'SpanKind where operation_id is NULL';
COMMENT ON COLUMN otel_spans_fact.name IS 'Span name where operation_id is NULL';
COMMENT ON COLUMN otel_spans_fact.status_code_id IS 'Status.code; NULL where the span carries no Status';
COMMENT ON COLUMN otel_spans_fact.attributes IS 'Attributes as one object; see docs/attributes.md for how each AnyValue is written';
COMMENT ON COLUMN otel_spans_fact.events IS 'Array of events: time_unix_nano, name, attributes, dropped_attributes_count';
COMMENT ON COLUMN otel_spans_fact.links IS 'Array of links: trace_id, span_id (hex), trace_state, attributes, dropped_attributes_count, flags';
CREATE INDEX otel_spans_fact_trace_idx ON otel_spans_fact (trace_id);
CREATE INDEX otel_spans_fact_resource_idx ON otel_spans_fact (resource_id, start_time_unix_nano);

CREATE SEQUENCE otel_log_id_block_seq;
COMMENT ON SEQUENCE otel_log_id_block_seq IS 'Each value reserves 1,000,000 values of otel_logs_fact.log_id for one daemon';

CREATE TABLE otel_logs_fact (
    time_unix_nano bigint NOT NULL,
    observed_time_unix_nano bigint,
    log_id bigint NOT NULL,
    span_id bigint,
    resource_id integer NOT NULL,
    scope_id integer,
    severity_number integer,
    flags integer,
    dropped_attributes_count integer,
    body_type_id smallint,
    time_is_substituted boolean,
    trace_id uuid,
    severity_text text,
    event_name text,
    body_text text,
    body jsonb,
    attributes jsonb
) PARTITION BY RANGE (time_unix_nano);
COMMENT ON TABLE otel_logs_fact IS 'One row per log record';
COMMENT ON COLUMN otel_logs_fact.time_is_substituted IS
    'True where the record said no time: time_unix_nano is then the observed time or, without that, the time of arrival';
COMMENT ON COLUMN otel_logs_fact.log_id IS 'Unique number given on arrival; ties in time are ordered by it';
COMMENT ON COLUMN otel_logs_fact.body_type_id IS 'log_body_types; NULL where the record has no body';
COMMENT ON COLUMN otel_logs_fact.body_text IS 'The body where it is a string';
COMMENT ON COLUMN otel_logs_fact.body IS 'The body where it is anything else, written as an attribute value is';
COMMENT ON COLUMN otel_logs_fact.trace_id IS 'NULL where the record has no trace id, or one that is not 16 bytes or all zero';
CREATE INDEX otel_logs_fact_resource_idx ON otel_logs_fact (resource_id, time_unix_nano);
CREATE INDEX otel_logs_fact_trace_idx ON otel_logs_fact (trace_id) WHERE trace_id IS NOT NULL;

CREATE TABLE otel_metrics_data_points_number (
    time_unix_nano bigint NOT NULL,
    start_time_unix_nano bigint,
    series_id bigint NOT NULL,
    value_int bigint,
    value_double double precision,
    flags integer,
    exemplars jsonb
) PARTITION BY RANGE (time_unix_nano);
COMMENT ON TABLE otel_metrics_data_points_number IS
    'One row per NumberDataPoint (gauges and sums). Both values NULL: the point carried none (flag NO_RECORDED_VALUE)';

CREATE TABLE otel_metrics_data_points_histogram (
    time_unix_nano bigint NOT NULL,
    start_time_unix_nano bigint,
    series_id bigint NOT NULL,
    count bigint NOT NULL,
    sum double precision,
    min double precision,
    max double precision,
    bounds_id integer,
    flags integer,
    bucket_counts bigint[],
    exemplars jsonb
) PARTITION BY RANGE (time_unix_nano);
COMMENT ON TABLE otel_metrics_data_points_histogram IS 'One row per HistogramDataPoint; bounds are in otel_histogram_bounds_dim';
COMMENT ON COLUMN otel_metrics_data_points_histogram.bounds_id IS 'NULL where the point has no explicit bounds';
COMMENT ON COLUMN otel_metrics_data_points_histogram.bucket_counts IS 'NULL where the point has no buckets; uint64 as int8 bit patterns';

CREATE TABLE otel_metrics_data_points_exp_histogram (
    time_unix_nano bigint NOT NULL,
    start_time_unix_nano bigint,
    series_id bigint NOT NULL,
    count bigint NOT NULL,
    sum double precision,
    min double precision,
    max double precision,
    zero_count bigint NOT NULL,
    zero_threshold double precision NOT NULL,
    scale integer NOT NULL,
    positive_offset integer,
    negative_offset integer,
    flags integer,
    positive_bucket_counts bigint[],
    negative_bucket_counts bigint[],
    exemplars jsonb
) PARTITION BY RANGE (time_unix_nano);
COMMENT ON TABLE otel_metrics_data_points_exp_histogram IS 'One row per ExponentialHistogramDataPoint';
COMMENT ON COLUMN otel_metrics_data_points_exp_histogram.positive_offset IS 'NULL where the point has no positive Buckets message; likewise negative';

CREATE TABLE otel_metrics_data_points_summary (
    time_unix_nano bigint NOT NULL,
    start_time_unix_nano bigint,
    series_id bigint NOT NULL,
    count bigint NOT NULL,
    sum double precision NOT NULL,
    flags integer,
    quantiles double precision[],
    quantile_values double precision[]
) PARTITION BY RANGE (time_unix_nano);
COMMENT ON TABLE otel_metrics_data_points_summary IS
    'One row per SummaryDataPoint; quantiles[i] has value quantile_values[i]; both NULL where there are none';

CREATE INDEX otel_metrics_data_points_number_series_idx ON otel_metrics_data_points_number (series_id, time_unix_nano);
CREATE INDEX otel_metrics_data_points_histogram_series_idx ON otel_metrics_data_points_histogram (series_id, time_unix_nano);
CREATE INDEX otel_metrics_data_points_exp_histogram_series_idx ON otel_metrics_data_points_exp_histogram (series_id, time_unix_nano);
CREATE INDEX otel_metrics_data_points_summary_series_idx ON otel_metrics_data_points_summary (series_id, time_unix_nano);

DO $$
DECLARE
    fact text;
BEGIN
    FOREACH fact IN ARRAY ARRAY['number', 'histogram', 'exp_histogram', 'summary'] LOOP
        EXECUTE format('COMMENT ON COLUMN %I.series_id IS %L', 'otel_metrics_data_points_' || fact,
            'otel_metric_series_dim: metric, resource, scope and attributes of the point');
        EXECUTE format('COMMENT ON COLUMN %I.start_time_unix_nano IS %L', 'otel_metrics_data_points_' || fact,
            'NULL where the point gives none (0)');
    END LOOP;
END
$$;

-- Columns that mean the same in several tables, and what else their names do not say.
DO $$
DECLARE
    about record;
BEGIN
    FOR about IN
        SELECT relname, attname, meaning FROM (VALUES
            ('%_fact', 'start_time_unix_nano', 'Nanoseconds since 1970; the column by which spans are partitioned'),
            ('otel_logs_fact', 'time_unix_nano', 'Nanoseconds since 1970; the column by which records are partitioned'),
            ('otel_logs_fact', 'observed_time_unix_nano', 'When the collecting side saw the record; NULL where it does not say'),
            ('otel_logs_fact', 'severity_number', 'log_severity_numbers; NULL means 0'),
            ('otel_logs_fact', 'span_id', 'As otel_spans_fact.span_id; NULL where the record has none, or one that is not 8 bytes or all zero'),
            ('otel_logs_fact', 'severity_text', 'As the sender wrote it; log_severity_numbers has the names of OTLP'),
            ('otel_logs_fact', 'attributes', 'Attributes that have no column, as one object; see docs/attributes.md'),
            ('otel_metrics_data_points_%', 'time_unix_nano', 'Nanoseconds since 1970; the column by which points are partitioned'),
            ('otel_metrics_data_points_%', 'exemplars', 'Array of exemplars: time_unix_nano, value_int or value_double, trace_id, span_id (hex), attributes'),
            ('otel_metrics_data_points_%', 'count', 'uint64 as its int8 bit pattern: otel_uint64 shows it'),
            ('otel_metrics_data_points_%', 'zero_count', 'uint64 as its int8 bit pattern: otel_uint64 shows it'),
            ('otel_metrics_data_points_%', 'positive_bucket_counts', 'uint64 as int8 bit patterns; NULL where there are none'),
            ('otel_metrics_data_points_%', 'negative_bucket_counts', 'uint64 as int8 bit patterns; NULL where there are none'),
            ('otel_metrics_data_points_%', 'quantile_values', 'Element i is the value at quantiles[i]'),
            ('%', 'flags', 'uint32 as its int4 bit pattern; NULL means 0'),
            ('%_fact', 'dropped_%_count', 'uint32 as its int4 bit pattern; NULL means 0'),
            ('otel_scopes_dim', 'scope_hash', 'SHA-256 of the canonical form: attributes sorted by key'),
            ('otel_scopes_dim', 'schema_url', 'Of the envelope that the scope came in'),
            ('otel_resources_dim', 'schema_url', 'Of the envelope that the resource came in'),
            ('otel_operations_dim', 'operation_hash', 'SHA-256 of service, name and kind'),
            ('otel_metric_series_dim', 'series_hash', 'SHA-256 of metric, resource, scope and attributes sorted by key'),
            ('otel_histogram_bounds_dim', 'bounds_hash', 'SHA-256 of the list'),
            ('otel_metrics_dim', 'aggregation_temporality_id', 'aggregation_temporalities; NULL for kinds of metric that have none'),
            ('otel_metrics_dim', 'is_monotonic', 'NULL for kinds of metric other than sums'),
            ('otel_metrics_dim', 'schema_url', 'Of the scope''s envelope'),
            ('otel_metrics_dim', 'metadata', 'Metric.metadata as one object; NULL where there is none'),
            ('otel_%_dim', 'first_seen', 'When this database first had it'),
            ('otel_resources_dim', 'last_seen', 'When it was last used, noted at most once in a while'),
            ('otel_scopes_dim', 'last_seen', 'When it was last used, noted at most once in a while'),
            ('otel_metrics_dim', 'last_seen', 'When it was last used, noted at most once in a while'),
            ('otel_metric_series_dim', 'last_seen', 'As first_seen: series are too many to note it, their points say it')
        ) AS meanings (tables, columns, meaning)
        JOIN pg_class ON relname LIKE tables AND relkind IN ('r', 'p') AND NOT relispartition
            AND relnamespace = current_schema()::regnamespace
        JOIN pg_attribute ON attrelid = pg_class.oid AND attname LIKE columns AND attnum > 0 AND NOT attisdropped
        WHERE col_description(pg_class.oid, attnum) IS NULL
    LOOP
        EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', about.relname, about.attname, about.meaning);
    END LOOP;
END
$$;
