# SPDX-License-Identifier: Apache-2.0
"""Every index of the star schema has a query that it serves. One without such a query is not worth its price."""

import pytest

from conftest import FACT_TABLES, ROOT, Export
from support import full, otlp
from support.otlp import BASE_NS, SIGNALS

TRACE = "'4bf92f3577b34da6a3ce929d0e0e4736'"
HASH = "sha256('x')"
SINCE = f">= {BASE_NS}"

# Index -> what people and daemons ask that it answers.
QUERIES = {
    "otel_spans_fact_trace_idx": f"SELECT * FROM v_otel_spans_enriched WHERE trace_uuid = {TRACE}",
    "otel_spans_fact_resource_idx": "SELECT * FROM otel_spans_fact WHERE resource_id = 1 AND start_time_unix_nano "
                                    f"{SINCE} ORDER BY start_time_unix_nano DESC LIMIT 20",
    "otel_spans_fact_time_idx": "SELECT * FROM otel_spans_fact ORDER BY start_time_unix_nano DESC LIMIT 20",
    "otel_logs_fact_time_idx": "SELECT * FROM otel_logs_fact ORDER BY time_unix_nano DESC LIMIT 20",
    "otel_logs_fact_trace_idx": f"SELECT * FROM v_otel_logs_enriched WHERE trace_uuid = {TRACE}",
    "otel_logs_fact_resource_idx": f"SELECT * FROM otel_logs_fact WHERE resource_id = 1 AND time_unix_nano {SINCE} "
                                   "ORDER BY time_unix_nano DESC LIMIT 20",
    **{f"otel_metrics_data_points_{point}_series_idx":
       f"SELECT * FROM v_otel_metrics_{point} WHERE series_id = 1 AND time_unix_nano {SINCE}"
       for point in ("number", "histogram", "exp_histogram", "summary")},
    # What a view joins, and how a daemon finds what is there already.
    **{f"otel_{name}_dim_pkey": f"SELECT * FROM otel_{name}_dim WHERE {key} = 1" for name, key in (
        ("resources", "resource_id"), ("scopes", "scope_id"), ("operations", "operation_id"),
        ("metrics", "metric_id"), ("metric_series", "series_id"), ("histogram_bounds", "bounds_id"))},
    **{f"otel_{name}_dim_{key}_key": f"SELECT * FROM otel_{name}_dim WHERE {key} = {HASH}" for name, key in (
        ("resources", "resource_hash"), ("scopes", "scope_hash"), ("operations", "operation_hash"),
        ("metrics", "metric_hash"), ("metric_series", "series_hash"), ("histogram_bounds", "bounds_hash"))},
    "otel_resources_dim_service_idx": "SELECT * FROM otel_resources_dim WHERE left(service_name, 200) = 'shop'",
    "otel_scopes_dim_name_idx": "SELECT * FROM otel_scopes_dim WHERE left(name, 200) = 'http'",
    "otel_operations_dim_service_idx": "SELECT * FROM otel_operations_dim WHERE left(service_name, 200) = 'shop' "
                                       "AND left(name, 200) = 'GET /'",
    "otel_metrics_dim_name_idx": "SELECT * FROM otel_metrics_dim WHERE left(name, 200) = 'queue.length'",
    "otel_metrics_dim_identity_idx": f"SELECT * FROM otel_metrics_dim WHERE metric_identity_hash = {HASH}",
    "otel_service_edges_dim_pkey": "SELECT * FROM otel_service_edges_dim WHERE edge_id = 1",
    "otel_service_edges_dim_edge_key_key": f"SELECT * FROM otel_service_edges_dim WHERE edge_key = {TRACE}",
    "otel_metric_series_dim_metric_idx": "SELECT * FROM otel_metric_series_dim WHERE metric_id = 1",
    "otel_metric_series_dim_resource_idx": "SELECT * FROM otel_metric_series_dim WHERE resource_id = 1",
    "attribute_keys_pkey": "SELECT * FROM attribute_keys WHERE key_id = 1",
    "attribute_keys_key_key": "SELECT * FROM attribute_keys WHERE key = 'http.route'",
    # Names of numbers, found by number in joins; a name occurs once.
    **{f"{table}_pkey": f"SELECT * FROM {table} WHERE {key} = 1" for table, key in (
        ("log_severity_numbers", "severity_number"), ("log_body_types", "body_type_id"), ("span_kinds", "kind_id"),
        ("status_codes", "status_code_id"), ("metric_types", "metric_type_id"),
        ("aggregation_temporalities", "temporality_id"))},
    **{f"{table}_name_key": f"SELECT * FROM {table} WHERE name = 'x'" for table in (
        "log_body_types", "span_kinds", "status_codes", "metric_types", "aggregation_temporalities")},
}
VALUES = {"string": "left(value, 200) = 'x'", "int": "value >= 3", "double": "value >= 0.5", "bool": "", "bytes": ""}
for owner, key in (("resource", "resource_id"), ("scope", "scope_id"), ("metric_series", "series_id")):
    for kind, condition in VALUES.items():
        table = f"otel_{owner}_attrs_{kind}"
        QUERIES[f"{table}_pkey"] = f"SELECT * FROM {table} WHERE {key} = 1"
        if condition:
            QUERIES[f"{table}_value_idx"] = f"SELECT * FROM {table} WHERE key_id = 1 AND {condition}"
    QUERIES[f"otel_{owner}_attrs_other_pkey"] = f"SELECT * FROM otel_{owner}_attrs_other WHERE {key} = 1"

# The index that a partition gets when it is closed: table, definition, query.
LATE = [
    *((f"otel_metrics_data_points_{point}", "brin (time_unix_nano)",
       f"SELECT count(*) FROM otel_metrics_data_points_{point} WHERE time_unix_nano BETWEEN {BASE_NS} "
       f"AND {BASE_NS + 1000}") for point in ("number", "histogram", "exp_histogram", "summary")),
    ("otel_spans_fact", "gin (attributes jsonb_path_ops)",
     "SELECT * FROM otel_spans_fact WHERE attributes @> '{\"app.tenant\": \"a\"}'"),
    ("otel_logs_fact", "gin (attributes jsonb_path_ops)",
     "SELECT * FROM otel_logs_fact WHERE attributes @> '{\"app.tenant\": \"a\"}'")]
STAR = """
    SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
    WHERE relnamespace = 'public'::regnamespace AND NOT relispartition AND (relname ~ '_(dim|fact)$|_attrs_' OR
        relname IN ('attribute_keys', 'log_severity_numbers', 'log_body_types', 'span_kinds', 'status_codes',
            'metric_types', 'aggregation_temporalities') OR relname = ANY (%s))"""


@pytest.fixture(scope="module")
def filled(starling, database):
    """A row of everything, so that there are partitions, and a planner that takes an index where there is one."""
    with starling.channel() as channel:
        for signal in SIGNALS:
            Export(channel)(full.FULL[signal]())
    with database.connect() as connection:
        connection.execute("SET enable_seqscan = off")  # the best plan for a table of a few rows
        yield connection


def used_indexes(connection, query):
    """Names of the indexes in the plan; those of partitions as their parent's, where there is one."""
    (plan,), = connection.execute(f"EXPLAIN (FORMAT JSON) {query}").fetchall()
    names, waiting = set(), [plan[0]["Plan"]]
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", [])
        if "Index Name" in node:
            names.add(node["Index Name"])
    parents = dict(connection.execute("SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits "
                                      "JOIN pg_class ON pg_class.oid = inhrelid WHERE relkind = 'i'").fetchall())
    return {parents.get(name, name) for name in names}


def test_every_index_has_a_query(filled):
    assert {name for name, in filled.execute(STAR, [list(FACT_TABLES)])} == set(QUERIES)


@pytest.mark.parametrize("index", QUERIES)
def test_index_is_used(filled, index):
    assert index in used_indexes(filled, QUERIES[index])


@pytest.mark.parametrize("table, definition, query", LATE, ids=lambda value: value[:40])
def test_late_index_is_used(filled, table, definition, query):
    with filled.transaction(force_rollback=True):
        filled.execute("SET LOCAL enable_indexscan = off")  # leaves bitmaps, the only way to use these
        leaves = [leaf for leaf, in filled.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table])]
        assert leaves
        for index in QUERIES:  # in tables of a page, reading one of these in full is cheapest
            if index.startswith(f"{table}_"):
                filled.execute(f"DROP INDEX {index}")
        for number, leaf in enumerate(leaves):
            filled.execute(f"CREATE INDEX late_{number} ON {leaf} USING {definition}")
        assert any(name.startswith("late_") for name in used_indexes(filled, query))


def test_definitions_are_those_of_the_daemon():
    """What the janitor builds is read out of its source, so that the two lists cannot part."""
    source = (ROOT / "Sources/Postgres/Maintenance/LateIndex.swift").read_text(encoding="utf-8")
    assert 'method: "brin"' in source and 'method: "gin", rest: " jsonb_path_ops)' in source
    assert source.count("method: \"") == len({definition.split()[0] for _, definition, _ in LATE})
