-- SPDX-License-Identifier: Apache-2.0
-- Reference tables: the numbers OTLP uses, with their names, so that SQL can say what a number means.
-- Facts keep the number as it came (an unknown enum number is legal and kept), hence no foreign keys.

CREATE TABLE log_severity_numbers (
    severity_number smallint PRIMARY KEY,
    severity_text text NOT NULL
);
COMMENT ON TABLE log_severity_numbers IS
    'OTLP SeverityNumber: 0 is unspecified, 1 to 24 are six ranges of four (TRACE, DEBUG, INFO, WARN, ERROR, FATAL)';
INSERT INTO log_severity_numbers (severity_number, severity_text)
SELECT 0, 'UNSPECIFIED'
UNION ALL
SELECT base + step, CASE step WHEN 1 THEN range ELSE range || step END
FROM (VALUES (0, 'TRACE'), (4, 'DEBUG'), (8, 'INFO'), (12, 'WARN'), (16, 'ERROR'), (20, 'FATAL'))
    AS ranges (base, range)
CROSS JOIN generate_series(1, 4) AS step;

CREATE TABLE log_body_types (
    body_type_id smallint PRIMARY KEY,
    name text NOT NULL UNIQUE
);
COMMENT ON TABLE log_body_types IS
    'The kind of AnyValue in a log body, numbered as the field of the AnyValue oneof; 0 is a body that is present and empty';
INSERT INTO log_body_types (body_type_id, name) VALUES
    (0, 'empty'), (1, 'string'), (2, 'bool'), (3, 'int'), (4, 'double'), (5, 'array'), (6, 'kvlist'), (7, 'bytes');

CREATE TABLE span_kinds (
    kind_id smallint PRIMARY KEY,
    name text NOT NULL UNIQUE
);
COMMENT ON TABLE span_kinds IS 'OTLP SpanKind';
INSERT INTO span_kinds (kind_id, name) VALUES
    (0, 'UNSPECIFIED'), (1, 'INTERNAL'), (2, 'SERVER'), (3, 'CLIENT'), (4, 'PRODUCER'), (5, 'CONSUMER');

CREATE TABLE status_codes (
    status_code_id smallint PRIMARY KEY,
    name text NOT NULL UNIQUE
);
COMMENT ON TABLE status_codes IS 'OTLP Status.StatusCode';
INSERT INTO status_codes (status_code_id, name) VALUES (0, 'UNSET'), (1, 'OK'), (2, 'ERROR');

CREATE TABLE metric_types (
    metric_type_id smallint PRIMARY KEY,
    name text NOT NULL UNIQUE
);
COMMENT ON TABLE metric_types IS 'The kind of a metric, numbered as the field of the Metric.data oneof';
INSERT INTO metric_types (metric_type_id, name) VALUES
    (5, 'gauge'), (7, 'sum'), (9, 'histogram'), (10, 'exponential_histogram'), (11, 'summary');

CREATE TABLE aggregation_temporalities (
    temporality_id smallint PRIMARY KEY,
    name text NOT NULL UNIQUE
);
COMMENT ON TABLE aggregation_temporalities IS 'OTLP AggregationTemporality';
INSERT INTO aggregation_temporalities (temporality_id, name) VALUES
    (0, 'UNSPECIFIED'), (1, 'DELTA'), (2, 'CUMULATIVE');
