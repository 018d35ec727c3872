-- SPDX-License-Identifier: Apache-2.0
-- Which columns of the fact tables hold attributes. Base columns and an operator's own are added later,
-- without a migration; this table says which there are.

CREATE TABLE otel_attribute_columns (
    signal text NOT NULL CHECK (signal IN ('spans', 'logs')),
    key text NOT NULL,
    type text NOT NULL CHECK (type IN ('string', 'int', 'double', 'bool', 'bytes')),
    column_name text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (signal, key, type),
    UNIQUE (signal, column_name)
);
COMMENT ON TABLE otel_attribute_columns IS
    'Attributes that have a column of their own on the fact table. Daemons write only columns that are listed here';
COMMENT ON COLUMN otel_attribute_columns.type IS
    'OTLP kind of the values in the column; values of another kind stay in attributes';
COMMENT ON COLUMN otel_attribute_columns.since IS
    'Rows written before have the attribute in attributes, if at all';
