-- SPDX-License-Identifier: Apache-2.0
-- Dimensions: what many facts have in common, stored once and named by a small integer.
-- Every dimension is found by a SHA-256 over a canonical form of its content, so that any number of
-- daemons agree on identity without talking to each other. Rows are written before the facts that
-- name them, in a short transaction of their own; nothing here is ever updated but last_seen.

CREATE TABLE attribute_keys (
    key_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE CHECK (octet_length(key) <= 512)
);
COMMENT ON TABLE attribute_keys IS
    'Registry of attribute names used by the typed attribute tables. Longer names stay in the _other tables';

CREATE TABLE otel_resources_dim (
    resource_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resource_hash bytea NOT NULL UNIQUE CHECK (octet_length(resource_hash) = 32),
    service_name text,
    service_namespace text,
    schema_url text,
    dropped_attributes_count integer,
    entity_refs jsonb,
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE otel_resources_dim IS 'One row per distinct OTLP Resource (all attributes, schema URL, entity references)';
COMMENT ON COLUMN otel_resources_dim.resource_hash IS 'SHA-256 of the canonical form: attributes sorted by key';
COMMENT ON COLUMN otel_resources_dim.service_name IS 'Attribute service.name where it is a string; NULL otherwise';
COMMENT ON COLUMN otel_resources_dim.dropped_attributes_count IS 'uint32 as its int4 bit pattern; NULL means 0';
COMMENT ON COLUMN otel_resources_dim.entity_refs IS 'Resource.entity_refs as an array of objects; NULL where there are none';
-- left(): a B-tree entry may not exceed 2,704 bytes, and names come from anyone.
CREATE INDEX otel_resources_dim_service_idx
    ON otel_resources_dim (left(service_name, 200), left(service_namespace, 200));

CREATE TABLE otel_scopes_dim (
    scope_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope_hash bytea NOT NULL UNIQUE CHECK (octet_length(scope_hash) = 32),
    name text NOT NULL,
    version text,
    schema_url text,
    dropped_attributes_count integer,
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE otel_scopes_dim IS
    'One row per distinct InstrumentationScope (name, version, attributes, schema URL of its envelope)';
COMMENT ON COLUMN otel_scopes_dim.dropped_attributes_count IS 'uint32 as its int4 bit pattern; NULL means 0';
CREATE INDEX otel_scopes_dim_name_idx ON otel_scopes_dim (left(name, 200));

CREATE TABLE otel_operations_dim (
    operation_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    operation_hash bytea NOT NULL UNIQUE CHECK (octet_length(operation_hash) = 32),
    service_name text,
    name text NOT NULL,
    kind_id integer NOT NULL
);
COMMENT ON TABLE otel_operations_dim IS
    'Span name and kind per service. A name that is too long, or one too many, stands inline on the span row instead';
CREATE INDEX otel_operations_dim_service_idx ON otel_operations_dim (left(service_name, 200), left(name, 200));

CREATE TABLE otel_metrics_dim (
    metric_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    metric_hash bytea NOT NULL UNIQUE CHECK (octet_length(metric_hash) = 32),
    metric_identity_hash bytea NOT NULL CHECK (octet_length(metric_identity_hash) = 32),
    name text NOT NULL,
    metric_type_id smallint NOT NULL,
    unit text,
    aggregation_temporality_id integer,
    is_monotonic boolean,
    description text,
    schema_url text,
    metadata jsonb,
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE otel_metrics_dim IS 'One row per distinct metric definition; points hang on it through their series';
COMMENT ON COLUMN otel_metrics_dim.metric_hash IS
    'SHA-256 of name, type, unit, temporality, monotonicity, schema URL, description and metadata';
COMMENT ON COLUMN otel_metrics_dim.metric_identity_hash IS
    'The same without description and metadata: groups variants that differ in wording only';
CREATE INDEX otel_metrics_dim_identity_idx ON otel_metrics_dim (metric_identity_hash);
CREATE INDEX otel_metrics_dim_name_idx ON otel_metrics_dim (left(name, 200));

CREATE TABLE otel_metric_series_dim (
    series_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_hash bytea NOT NULL UNIQUE CHECK (octet_length(series_hash) = 32),
    metric_id integer NOT NULL REFERENCES otel_metrics_dim (metric_id),
    resource_id integer NOT NULL REFERENCES otel_resources_dim (resource_id),
    scope_id integer REFERENCES otel_scopes_dim (scope_id),
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE otel_metric_series_dim IS
    'One row per time series: metric, resource, scope and point attributes. A point row is series, times and value';
CREATE INDEX otel_metric_series_dim_metric_idx ON otel_metric_series_dim (metric_id);
CREATE INDEX otel_metric_series_dim_resource_idx ON otel_metric_series_dim (resource_id);

CREATE TABLE otel_histogram_bounds_dim (
    bounds_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bounds_hash bytea NOT NULL UNIQUE CHECK (octet_length(bounds_hash) = 32),
    explicit_bounds double precision[] NOT NULL
);
COMMENT ON TABLE otel_histogram_bounds_dim IS 'Explicit bucket bounds of histograms, once per distinct list';

-- Typed attribute tables of the three owners. One DO block, because the eighteen differ in two words only.
DO $$
DECLARE
    owner record;
    type record;
BEGIN
    FOR owner IN
        SELECT * FROM (VALUES
            ('otel_resource_attrs', 'resource_id', 'integer', 'otel_resources_dim'),
            ('otel_scope_attrs', 'scope_id', 'integer', 'otel_scopes_dim'),
            ('otel_metric_series_attrs', 'series_id', 'bigint', 'otel_metric_series_dim')
        ) AS owners (prefix, id_column, id_type, dim)
    LOOP
        FOR type IN
            SELECT * FROM (VALUES
                ('string', 'text', 'left(value, 200)'),
                ('int', 'bigint', 'value'),
                ('double', 'double precision', 'value'),
                ('bool', 'boolean', NULL),
                ('bytes', 'bytea', NULL)
            ) AS types (suffix, value_type, indexed)
        LOOP
            EXECUTE format(
                'CREATE TABLE %I (%I %s NOT NULL REFERENCES %I ON DELETE CASCADE, '
                'key_id integer NOT NULL REFERENCES attribute_keys, value %s NOT NULL, PRIMARY KEY (%I, key_id))',
                owner.prefix || '_' || type.suffix, owner.id_column, owner.id_type, owner.dim,
                type.value_type, owner.id_column);
            IF type.indexed IS NOT NULL THEN
                EXECUTE format('CREATE INDEX %I ON %I (key_id, (%s))',
                    owner.prefix || '_' || type.suffix || '_value_idx', owner.prefix || '_' || type.suffix, type.indexed);
            END IF;
            EXECUTE format('COMMENT ON TABLE %I IS %L', owner.prefix || '_' || type.suffix,
                format('Attributes of %s whose value is of OTLP kind %s', owner.dim, type.suffix));
        END LOOP;
        EXECUTE format(
            'CREATE TABLE %I (%I %s PRIMARY KEY REFERENCES %I ON DELETE CASCADE, attributes jsonb NOT NULL)',
            owner.prefix || '_other', owner.id_column, owner.id_type, owner.dim);
        EXECUTE format('COMMENT ON TABLE %I IS %L', owner.prefix || '_other',
            format('Attributes of %s that fit no typed table: arrays, lists of pairs, empty values, very long names', owner.dim));
    END LOOP;
END
$$;
