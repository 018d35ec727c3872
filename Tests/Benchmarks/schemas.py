# SPDX-License-Identifier: Apache-2.0
"""Two other schemas for the same telemetry, to compare sizes with. Both are loaded by COPY, a transaction each."""

import json
import struct
import time

from telemetry import resources

TYPES = {"string": "text", "int": "bigint", "double": "double precision", "bool": "boolean"}
TYPE_OF = {str: "string", int: "int", float: "double", bool: "bool"}
GIN_INDEXES = """
    SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    JOIN pg_am ON pg_am.oid = relam WHERE amname = 'gin' AND indrelid::regclass::text = ANY (%s)"""
SIGNALS = {"spans": "spans", "logs": "logs", "points": "metrics"}


def copy(db, table, columns, rows):
    with db.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as stream:
        for row in rows:
            stream.write_row(row)


def span_number(span_id):
    return struct.unpack(">q", span_id)[0] if span_id else None


class Schema:
    """`statements`: kind -> DDL. `load(db, kind, items)` fills what it makes; `names[kind]` counts."""

    def measure(self, db, kind, items, sizes):
        for statement in self.statements[kind]:
            db.execute(statement)
        prepared = self.rows(kind, items)
        started = time.monotonic()
        with db.transaction():
            for table, columns, rows in prepared:
                copy(db, table, columns, rows)
        seconds = time.monotonic() - started
        db.execute("VACUUM ANALYZE")
        found = {"live": sizes(db, self.names[kind], len(items)), "rows_per_second": len(items) / seconds}
        for index, in db.execute(GIN_INDEXES, [self.names[kind]]).fetchall():
            db.execute(f"REINDEX INDEX {index}")
        return found | {"closed": sizes(db, self.names[kind], len(items))}


class OneJSONB(Schema):
    """The fixed columns as compact as ours, and all attributes in one jsonb under a GIN index."""

    templates = {
        "spans": [
            "CREATE TABLE resources (resource_id integer PRIMARY KEY, attributes jsonb)",
            """CREATE TABLE spans (start_time_unix_nano bigint NOT NULL, end_time_unix_nano bigint NOT NULL,
                span_id bigint NOT NULL, parent_span_id bigint, resource_id integer NOT NULL, scope_id integer,
                kind_id integer, status_code_id integer, trace_id uuid NOT NULL, name text, attributes jsonb)""",
            "CREATE INDEX ON spans (trace_id)", "CREATE INDEX ON spans (resource_id, start_time_unix_nano)",
            "CREATE INDEX ON spans USING gin (attributes {operators})"],
        "logs": [
            """CREATE TABLE logs (time_unix_nano bigint NOT NULL, observed_time_unix_nano bigint, span_id bigint,
                resource_id integer NOT NULL, scope_id integer, severity_number integer, trace_id uuid,
                severity_text text, body text, attributes jsonb)""",
            "CREATE INDEX ON logs (trace_id) WHERE trace_id IS NOT NULL",
            "CREATE INDEX ON logs (resource_id, time_unix_nano)",
            "CREATE INDEX ON logs USING gin (attributes {operators})"],
        "points": [
            """CREATE TABLE points (time_unix_nano bigint NOT NULL, resource_id integer NOT NULL, scope_id integer,
                value_int bigint, value_double double precision, metric_name text, unit text, attributes jsonb)""",
            "CREATE INDEX ON points (metric_name, time_unix_nano)",
            "CREATE INDEX ON points USING gin (attributes {operators})"]}
    names = {kind: ["resources", kind] for kind in templates}

    def __init__(self, operators):
        """`operators`: jsonb_ops, which is the default, or jsonb_path_ops, which is smaller."""
        self.statements = {kind: [line.format(operators=operators) for line in lines]
                           for kind, lines in self.templates.items()}

    def rows(self, kind, items):
        if kind == "spans":
            return [
                ("resources", ("resource_id", "attributes"), list(enumerate(map(json.dumps, resources())))),
                ("spans", ("start_time_unix_nano", "end_time_unix_nano", "span_id", "parent_span_id", "resource_id",
                           "scope_id", "kind_id", "status_code_id", "trace_id", "name", "attributes"),
                 [(item["start"], item["end"], span_number(item["span_id"]), span_number(item["parent_span_id"]),
                   item["resource"], 1, item["kind"], item["status"], item["trace_id"].hex(), item["name"],
                   json.dumps(item["attributes"])) for item in items])]
        if kind == "logs":
            return [("logs", ("time_unix_nano", "observed_time_unix_nano", "span_id", "resource_id", "scope_id",
                              "severity_number", "trace_id", "severity_text", "body", "attributes"),
                     [(item["time"], item["time"], span_number(item["span_id"]), item["resource"], 1, item["severity"],
                       item["trace_id"].hex() or None, item["severity_text"], item["body"],
                       json.dumps(item["attributes"])) for item in items])]
        return [("points", ("time_unix_nano", "resource_id", "scope_id", "value_int", "metric_name", "unit", "attributes"),
                 [(item["time"], item["resource"], 1, item["value"], item["metric"], "{request}",
                   json.dumps(item["attributes"])) for item in items])]


def attribute_tables(prefix, owner, owner_table):
    """DDL of the narrow tables of one owner, with the foreign keys and indexes that the design gives them."""
    for kind, sql_type in TYPES.items():
        yield (f"CREATE TABLE {prefix}_{kind} ({owner} bigint NOT NULL REFERENCES {owner_table} ({owner}), "
               f"key_id bigint NOT NULL REFERENCES attribute_keys (key_id), value {sql_type} NOT NULL, "
               f"PRIMARY KEY ({owner}, key_id))")
        yield f"CREATE INDEX ON {prefix}_{kind} (key_id, value)"
    yield (f"CREATE TABLE {prefix}_other ({owner} bigint PRIMARY KEY REFERENCES {owner_table} ({owner}), "
           "attributes jsonb NOT NULL)")
    yield f"CREATE INDEX ON {prefix}_other USING gin (attributes)"


def attribute_names(prefix):
    return [f"{prefix}_{kind}" for kind in (*TYPES, "other")]


class TypedTables(Schema):
    """One row per promoted attribute, the rest in a jsonb of its own table."""

    statements = {
        "spans": [
            "CREATE TABLE attribute_keys (key_id bigserial PRIMARY KEY, key varchar(255) NOT NULL UNIQUE)",
            "CREATE UNIQUE INDEX ON attribute_keys (key)",
            """CREATE TABLE otel_resources_dim (resource_id bigserial PRIMARY KEY, resource_hash varchar(64) UNIQUE,
                service_name varchar(255), service_namespace varchar(255), schema_url text,
                dropped_attributes_count integer NOT NULL DEFAULT 0)""",
            *attribute_tables("otel_resource_attrs", "resource_id", "otel_resources_dim"),
            "CREATE TABLE otel_scopes_dim (scope_id bigserial PRIMARY KEY, name varchar(255), version varchar(255))",
            "CREATE TABLE span_kinds (kind_id smallint PRIMARY KEY)",
            "INSERT INTO span_kinds SELECT generate_series(0, 5)",
            "CREATE TABLE status_codes (status_code_id smallint PRIMARY KEY)",
            "INSERT INTO status_codes SELECT generate_series(0, 2)",
            """CREATE TABLE otel_spans_fact (span_id bigserial PRIMARY KEY,
                resource_id bigint NOT NULL REFERENCES otel_resources_dim, scope_id bigint REFERENCES otel_scopes_dim,
                trace_id varchar(32) NOT NULL, span_id_hex varchar(16) NOT NULL, parent_span_id_hex varchar(16),
                trace_state text, name text NOT NULL, kind_id smallint REFERENCES span_kinds,
                start_time_unix_nano bigint NOT NULL, end_time_unix_nano bigint NOT NULL,
                status_code_id smallint REFERENCES status_codes, status_message text,
                dropped_attributes_count integer DEFAULT 0, dropped_events_count integer DEFAULT 0,
                dropped_links_count integer DEFAULT 0, flags integer DEFAULT 0)""",
            "CREATE UNIQUE INDEX ON otel_spans_fact (trace_id, span_id_hex)", "CREATE INDEX ON otel_spans_fact (trace_id)",
            "CREATE INDEX ON otel_spans_fact (resource_id)", "CREATE INDEX ON otel_spans_fact (start_time_unix_nano DESC)",
            "CREATE INDEX ON otel_spans_fact (parent_span_id_hex) WHERE parent_span_id_hex IS NOT NULL",
            *attribute_tables("otel_span_attrs", "span_id", "otel_spans_fact")],
        "logs": [
            "CREATE TABLE log_severity_numbers (severity_number smallint PRIMARY KEY)",
            "INSERT INTO log_severity_numbers SELECT generate_series(0, 24)",
            "CREATE TABLE log_body_types (body_type_id smallint PRIMARY KEY)",
            "INSERT INTO log_body_types SELECT generate_series(0, 7)",
            """CREATE TABLE otel_logs_fact (log_id bigserial PRIMARY KEY,
                resource_id bigint NOT NULL REFERENCES otel_resources_dim, scope_id bigint REFERENCES otel_scopes_dim,
                time_unix_nano bigint NOT NULL, observed_time_unix_nano bigint NOT NULL,
                severity_number smallint REFERENCES log_severity_numbers, severity_text text,
                body_type_id smallint REFERENCES log_body_types, body jsonb, trace_id varchar(32),
                span_id_hex varchar(16), trace_flags integer, dropped_attributes_count integer DEFAULT 0,
                flags integer DEFAULT 0)""",
            "CREATE INDEX ON otel_logs_fact (time_unix_nano DESC)", "CREATE INDEX ON otel_logs_fact (resource_id)",
            "CREATE INDEX ON otel_logs_fact (severity_number)", "CREATE INDEX ON otel_logs_fact (trace_id, span_id_hex)",
            *attribute_tables("otel_log_attrs", "log_id", "otel_logs_fact"),
            "CREATE INDEX ON otel_log_attrs_string (log_id, key_id, value)"],
        "points": [
            "CREATE TABLE otel_metrics_dim (metric_id bigserial PRIMARY KEY, name varchar(1024), unit varchar(64))",
            """CREATE TABLE otel_metrics_data_points_number (data_point_id bigserial PRIMARY KEY,
                metric_id bigint NOT NULL REFERENCES otel_metrics_dim,
                resource_id bigint NOT NULL REFERENCES otel_resources_dim, scope_id bigint REFERENCES otel_scopes_dim,
                start_time_unix_nano bigint, time_unix_nano bigint NOT NULL, value_int bigint,
                value_double double precision, flags integer DEFAULT 0, exemplars jsonb,
                CHECK ((value_int IS NOT NULL) <> (value_double IS NOT NULL)))""",
            *attribute_tables("otel_metric_number_attrs", "data_point_id", "otel_metrics_data_points_number")]}
    names = {
        "spans": ["attribute_keys", "otel_resources_dim", *attribute_names("otel_resource_attrs"), "otel_scopes_dim",
                  "otel_spans_fact", *attribute_names("otel_span_attrs")],
        "logs": ["otel_logs_fact", *attribute_names("otel_log_attrs")],
        "points": ["otel_metrics_dim", "otel_metrics_data_points_number", *attribute_names("otel_metric_number_attrs")]}

    def __init__(self, promoted):
        """`promoted`: (signal, key, type) that go into typed tables."""
        self.promoted = promoted
        self.keys = {}

    def rows(self, kind, items):
        new_keys = []
        if kind == "spans":
            owners = list(enumerate(resources()))
            tables = [
                ("otel_resources_dim", ("resource_id", "resource_hash", "service_name", "service_namespace"),
                 [(number, f"{number:064x}", attributes["service.name"], attributes["service.namespace"])
                  for number, attributes in owners]),
                *self.attributes("otel_resource_attrs", "resource_id", None, owners, new_keys),
                ("otel_scopes_dim", ("scope_id", "name", "version"), [(1, "agent", "2.1")]),
                ("otel_spans_fact", (
                    "span_id", "resource_id", "scope_id", "trace_id", "span_id_hex", "parent_span_id_hex", "name",
                    "kind_id", "start_time_unix_nano", "end_time_unix_nano", "status_code_id"),
                 [(number, item["resource"], 1, item["trace_id"].hex(), item["span_id"].hex(),
                   item["parent_span_id"].hex() or None, item["name"], item["kind"], item["start"], item["end"],
                   item["status"]) for number, item in enumerate(items)])]
            prefix, owner = "otel_span_attrs", "span_id"
        elif kind == "logs":
            tables = [("otel_logs_fact", (
                "log_id", "resource_id", "scope_id", "time_unix_nano", "observed_time_unix_nano", "severity_number",
                "severity_text", "body_type_id", "body", "trace_id", "span_id_hex"),
                [(number, item["resource"], 1, item["time"], item["time"], item["severity"], item["severity_text"], 1,
                  json.dumps(item["body"]), item["trace_id"].hex() or None, item["span_id"].hex() or None)
                 for number, item in enumerate(items)])]
            prefix, owner = "otel_log_attrs", "log_id"
        else:
            metrics = {name: number for number, name in enumerate(sorted({item["metric"] for item in items}))}
            tables = [
                ("otel_metrics_dim", ("metric_id", "name", "unit"), [(n, name, "{request}") for name, n in metrics.items()]),
                ("otel_metrics_data_points_number", (
                    "data_point_id", "metric_id", "resource_id", "scope_id", "time_unix_nano", "value_int"),
                 [(number, metrics[item["metric"]], item["resource"], 1, item["time"], item["value"])
                  for number, item in enumerate(items)])]
            prefix, owner = "otel_metric_number_attrs", "data_point_id"
        tables += self.attributes(prefix, owner, SIGNALS[kind],
                                  [(number, item["attributes"]) for number, item in enumerate(items)], new_keys)
        return [("attribute_keys", ("key_id", "key"), new_keys), *tables]

    def attributes(self, prefix, owner, signal, owners, new_keys):
        """The rows of the narrow tables. Resources and points have everything in typed tables."""
        found = {kind: [] for kind in TYPES}
        others = []
        for number, attributes in owners:
            rest = {}
            for key, value in attributes.items():
                kind = TYPE_OF[type(value)]
                if signal in ("spans", "logs") and (signal, key, kind) not in self.promoted:
                    rest[key] = value
                    continue
                if key not in self.keys:
                    self.keys[key] = len(self.keys) + 1
                    new_keys.append((self.keys[key], key))
                found[kind].append((number, self.keys[key], value))
            if rest:
                others.append((number, json.dumps(rest)))
        return [*((f"{prefix}_{kind}", (owner, "key_id", "value"), rows) for kind, rows in found.items()),
                (f"{prefix}_other", (owner, "attributes"), others)]
