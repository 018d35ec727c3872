# SPDX-License-Identifier: Apache-2.0
"""The views: that they exist as promised, and that they show what the tables hold."""

import json
import random
import struct

from psycopg.rows import dict_row
import pytest

from support import full, otlp
from support.expected_schema import ATTRIBUTE_OWNERS, KINDS, PARTITION_COLUMNS, POINTS, TABLES, VIEWS
from support.otlp import attribute, attributes
from support.rebuild import Dimensions, rows, u32, u64
from support.values import any_value, key_values

COLUMNS = """
    SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum"""


@pytest.fixture
def stored(export, db):
    """A database that holds every field of every message."""
    for make in full.FULL.values():
        assert export(make()).SerializeToString() == b""
    return db


def many(connection, query, *parameters):
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


def hexadecimal(value):
    return None if value is None else struct.pack(">q", value).hex()


# What there is

@pytest.mark.parametrize("name", TABLES)
def test_table_exists(db, name):
    assert db.execute("SELECT relkind IN ('r', 'p') FROM pg_class WHERE oid = %s::regclass", [name]).fetchone()[0]


@pytest.mark.parametrize("name", VIEWS)
def test_view_has_its_columns(db, name):
    assert db.execute("SELECT relkind FROM pg_class WHERE oid = %s::regclass", [name]).fetchone() == ("v",)
    found = db.execute(COLUMNS, [name]).fetchall()
    assert found[:len(VIEWS[name])] == VIEWS[name]
    assert (PARTITION_COLUMNS[name], "bigint") in found
    if name.startswith("v_"):
        assert {("time", "timestamp with time zone"), ("attributes", "jsonb")} <= set(found) or name == "v_otel_traces"


def test_no_view_is_without_comment(db):
    bare = db.execute("SELECT relname FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace "
                      "AND coalesce(obj_description(oid, 'pg_class'), '') !~ '^\\w.* \\[definition \\w+\\]$'").fetchall()
    assert not bare


# Helper functions

def test_doubles_have_the_form_that_the_daemon_writes(export, db):
    """A double out of a column and one out of jsonb must be the same text."""
    maker = random.Random(20261121)
    doubles = full.DOUBLES + [struct.unpack("<d", maker.randbytes(8))[0] for _ in range(1500)]
    doubles += [maker.choice([-1, 1]) * maker.random() * 10 ** maker.randint(-9, 20) for _ in range(1500)]
    doubles += [float(maker.randint(-2**62, 2**62) >> maker.randint(0, 62)) for _ in range(900)]
    # Shortest digits half-way between two doubles, which float8out avoids and the daemon does not.
    doubles += [18485413352463232.0, -18485413352463232.0, 1e23, -1e23, 9e22, 2.0**53, 2.0**53 - 1]
    pairs = [attribute(f"{index:05}", value) for index, value in enumerate(doubles)]
    export(otlp.request("traces", [otlp.span(attributes=pairs)]))
    written = db.execute("SELECT value::text, otel_value_double(value), otel_value_kind(value) FROM otel_spans_fact, "
                         "jsonb_each(attributes) ORDER BY key").fetchall()
    made = db.execute("SELECT otel_double_json(value)::text FROM unnest(%s::float8[]) WITH ORDINALITY "
                      "AS doubles (value, position) ORDER BY position", [doubles]).fetchall()
    assert [text for text, _, _ in written] == [text for text, in made]
    assert [struct.pack("<d", value) for _, value, _ in written if value == value] == [
        struct.pack("<d", value) for value in doubles if value == value]
    assert {kind for _, _, kind in written} == {"double"}


def test_kinds_and_values(stored):
    """otel_value_* tell every form apart as the reader of the tests does, and give the value."""
    forms = many(stored, "SELECT value, otel_value_kind(value) AS kind, otel_value_string(value) AS string, "
                         "otel_value_int(value) AS int, otel_value_double(value) AS double, "
                         "otel_value_bool(value) AS bool, otel_value_bytes(value) AS bytes "
                         "FROM otel_spans_fact, jsonb_each(attributes)")
    assert len(forms) > 50
    for row in forms:
        sent = any_value(row["value"])
        field = sent.WhichOneof("value")
        assert row["kind"] == {None: "empty", "array_value": "array", "kvlist_value": "kvlist"}.get(
            field, (field or "").removesuffix("_value")), row
        for kind in KINDS:
            expected = getattr(sent, f"{kind}_value") if row["kind"] == kind else None
            assert row[kind] == expected or expected != expected, row


@pytest.mark.parametrize("call, expected", [
    ("otel_uint32(-1)", 2**32 - 1), ("otel_uint32(0)", 0), ("otel_uint32(NULL)", None), ("otel_uint64(-1)", 2**64 - 1),
    ("otel_uint64(9223372036854775807)", 2**63 - 1), ("otel_uint64_array('{1,-1,0}')", [1, 2**64 - 1, 0]),
    ("otel_uint64_array('{2,1}')", [2, 1]), ("otel_uint64_array('{}')", []),
    ("otel_span_id_hex(-1)", "f" * 16), ("otel_span_id_hex(1)", "0" * 15 + "1"), ("otel_span_id_hex(NULL)", None),
    ("otel_span_id('ffffffffffffffff')", -1), ("otel_span_id('00f067aa0ba902b7')", 0x00f067aa0ba902b7),
    ("otel_trace_id_hex('4bf92f3577b34da6a3ce929d0e0e4736')", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ("otel_data_point_id(3, 9223372036854775807)", 3 * 2**64 + 2**63 - 1),
    ("otel_unix_nano(otel_time(1795227347739564999))", 1795227347739564000),
    ("otel_unix_nano('1970-01-01 00:00:00.000001Z')", 1000), ("otel_time(NULL)", None),
    ("otel_bytes_json('')", {"$bytes": ""}), ("otel_bytes_json(NULL)", None), ("otel_double_json(NULL)", None)])
def test_function(db, call, expected):
    assert db.execute(f"SELECT {call}").fetchone()[0] == expected


def test_time_is_cut_to_the_microsecond_exactly(db):
    maker = random.Random(7)
    times = [maker.randint(0, 4_000_000_000) * 10**9 + maker.randint(0, 999_999_999) for _ in range(5000)]
    wrong = db.execute("SELECT ns FROM unnest(%s::bigint[]) AS times (ns) "
                       "WHERE otel_unix_nano(otel_time(ns)) <> ns / 1000 * 1000", [times]).fetchall()
    assert not wrong


# Spans

def test_spans(stored):
    facts = {row["span_id"]: row for row in rows(
        stored, "SELECT s.*, o.name AS operation_name, o.kind_id AS operation_kind FROM otel_spans_fact s "
                "LEFT JOIN otel_operations_dim o USING (operation_id)")}
    dimensions = Dimensions(stored)
    shown = many(stored, "SELECT * FROM v_otel_spans_enriched")
    assert len(shown) == len(facts) == 5
    names = {0: "UNSPECIFIED", 5: "CONSUMER"}
    for row in shown:
        fact = facts[row["span_id"]]
        assert row["trace_id"] == fact["trace_id"].hex and row["trace_uuid"] == fact["trace_id"]
        assert row["span_id_hex"] == hexadecimal(fact["span_id"])
        assert row["parent_span_id_hex"] == hexadecimal(fact["parent_span_id"])
        assert row["name"] == (fact["operation_name"] if fact["operation_id"] else fact["name"])
        assert row["kind_id"] == (fact["operation_kind"] if fact["operation_id"] else fact["kind_id"] or 0)
        assert row["kind_name"] == names.get(row["kind_id"])
        assert row["duration_nanos"] == fact["end_time_unix_nano"] - fact["start_time_unix_nano"]
        assert row["status_name"] == {None: "UNSET", 0: "UNSET", 2: "ERROR"}.get(fact["status_code_id"])
        for name in ("start_time_unix_nano", "end_time_unix_nano", "status_code_id", "status_message", "trace_state",
                     "resource_id", "scope_id", "parent_span_id"):
            assert row[name] == fact[name]
        for name in ("flags", "dropped_attributes_count", "dropped_events_count", "dropped_links_count"):
            assert row[name] == u32(fact[name])
        assert row["attributes"] == (fact["attributes"] or {}) or "NaN" in str(row["attributes"])
        assert row["events"] == (fact["events"] or []) and row["links"] == (fact["links"] or [])
        assert_origin(row, dimensions)


def assert_origin(row, dimensions):
    """service, scope and their attributes, against the tables of the dimensions."""
    resource, _ = dimensions.resources[row["resource_id"]]
    scope, _ = dimensions.scopes[row["scope_id"]]
    assert row["service_name"] == "full" and row["service_namespace"] is None
    assert row["scope_name"] == scope.name and row["scope_version"] == scope.version
    assert same(row["resource_attributes"], resource.attributes)
    assert same(row["scope_attributes"], scope.attributes)


def same(form, pairs):
    """Whether an attributes object and a list of KeyValue say the same, NaN and −0 included."""
    return sorted(map(wire, key_values(form))) == sorted(map(wire, pairs))


def wire(pair):
    return pair.SerializeToString(deterministic=True)


def test_traces(export, db):
    """Sum, errors, root and service, for traces with one root, none, two, and one that was stored twice."""
    base = otlp.BASE_NS

    def one(trace, number, start, end, parent=None, status=None, name=None):
        span = otlp.span(trace_id=otlp.trace_id(trace), span_id=otlp.span_id(number), name=name or f"n{number}",
                         start_time_unix_nano=base + start, end_time_unix_nano=base + end,
                         parent_span_id=otlp.span_id(parent) if parent else b"")
        if status is not None:
            span.status.code = status
        return span

    export(otlp.request("traces", [
        one(1, 11, 5, 30, parent=10, status=2), one(1, 10, 2, 20, status=1), one(1, 12, 6, 40, parent=99, status=2),
        one(2, 20, 7, 9, parent=98), one(2, 21, 7, 8, parent=20),
        one(3, 31, 9, 10, name="later root"), one(3, 30, 8, 9, name="first root"),
        one(4, 40, 1, 2, name="x" * 10_000)],
        resource=full.Resource(attributes=attributes(service__name="one", service__namespace="ns"))))
    twice = otlp.request("traces", [one(5, 50, 100, 200), one(5, 51, 100, 150, parent=50)])
    export(twice)
    db.execute("INSERT INTO otel_spans_fact SELECT * FROM otel_spans_fact WHERE trace_id = %s",
               [otlp.trace_id(5).hex()])
    found = {row["trace_id"]: row for row in many(db, "SELECT * FROM v_otel_traces")}
    assert len(found) == 5
    expected = {1: (2, 40, 3, 2, "n10", "one", "ns"), 2: (7, 9, 2, 0, None, None, None),
                3: (8, 10, 2, 0, "first root", "one", "ns"), 4: (1, 2, 1, 0, "x" * 10_000, "one", "ns"),
                5: (100, 200, 4, 0, "n50", "integration", None)}
    for number, (start, end, *rest) in expected.items():
        row = found[otlp.trace_id(number).hex()]
        assert [row[name] for name in ("start_time_unix_nano", "end_time_unix_nano", "duration_nanos")] == [
            base + start, base + end, end - start]
        assert [row[name] for name in ("span_count", "error_count", "root_span_name", "service_name",
                                       "service_namespace")] == rest
    assert found[otlp.trace_id(1).hex()]["root_span_id_hex"] == otlp.span_id(10).hex()
    one_trace = many(db, "SELECT * FROM v_otel_traces WHERE trace_uuid = %s", otlp.trace_id(3).hex())
    assert one_trace == [found[otlp.trace_id(3).hex()]]
    late = many(db, "SELECT trace_id FROM v_otel_traces WHERE start_time_unix_nano > %s", base + 7)
    assert sorted(row["trace_id"] for row in late) == [otlp.trace_id(3).hex(), otlp.trace_id(5).hex()]


def test_events_and_links(stored):
    fact, = many(stored, "SELECT * FROM otel_spans_fact WHERE events IS NOT NULL")
    events = many(stored, "SELECT * FROM otel_span_events ORDER BY event_id")
    assert [row["event_id"] for row in events] == [1, 2]
    for row, form in zip(events, fact["events"], strict=True):
        time = form.get("time_unix_nano", 0)
        assert row["time_unix_nano"] == (time if time < 2**63 else None)
        assert row["name"] == form.get("name", "") and json_equal(row["attributes"], form.get("attributes", {}))
        assert row["dropped_attributes_count"] == form.get("dropped_attributes_count", 0)
    links = many(stored, "SELECT * FROM otel_span_links ORDER BY link_id")
    assert [row["link_id"] for row in links] == [1, 2, 3]
    for row, form in zip(links, fact["links"], strict=True):
        assert row["linked_trace_id"] == form.get("trace_id", "")
        assert row["linked_span_id_hex"] == form.get("span_id", "") and row["trace_state"] == form.get("trace_state")
        assert row["dropped_attributes_count"] == form.get("dropped_attributes_count", 0)
        assert row["flags"] == form.get("flags", 0) and json_equal(row["attributes"], form.get("attributes", {}))
    for row in events + links:
        assert all(row[name] == fact[name] for name in ("span_id", "trace_id", "start_time_unix_nano"))


def json_equal(left, right):
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


# Logs

def test_logs(stored):
    facts = {row["log_id"]: row for row in rows(stored, "SELECT * FROM otel_logs_fact")}
    dimensions = Dimensions(stored)
    kinds = dict(stored.execute("SELECT body_type_id, name FROM log_body_types").fetchall())
    shown = many(stored, "SELECT *, body IS NULL AS is_bodyless FROM v_otel_logs_enriched")
    assert len(shown) == len(facts) > 40
    for row in shown:
        fact = facts[row["log_id"]]
        kind = fact["body_type_id"]
        assert row["is_bodyless"] == (kind is None) and row["body_type"] == kinds.get(kind)
        assert json_equal(row["body"], (fact["body_text"] or "") if kind == 1 else fact["body"])
        assert row["trace_id"] == (fact["trace_id"].hex if fact["trace_id"] else None)
        assert row["span_id_hex"] == hexadecimal(fact["span_id"])
        assert row["severity_name"] == {24: "FATAL4", None: "UNSPECIFIED"}.get(fact["severity_number"])
        assert row["flags"] == u32(fact["flags"]) and row["trace_flags"] == u32(fact["flags"]) & 255
        assert row["dropped_attributes_count"] == u32(fact["dropped_attributes_count"])
        assert row["time_is_substituted"] == bool(fact["time_is_substituted"])
        for name in ("time_unix_nano", "observed_time_unix_nano", "severity_number", "severity_text", "event_name",
                     "body_text", "span_id", "resource_id", "scope_id"):
            assert row[name] == fact[name]
        assert json_equal(row["attributes"], fact["attributes"] or {})
        assert_origin(row, dimensions)


# Metrics

EXPECTED_POINTS = {
    "number": lambda fact, bounds: {
        "value_int": fact["value_int"], "value_double": fact["value_double"],
        "value": float(fact["value_int"]) if fact["value_int"] is not None else fact["value_double"]},
    "histogram": lambda fact, bounds: {
        "count": u64(fact["count"]), "explicit_bounds": bounds.get(fact["bounds_id"], []),
        "bucket_counts": [u64(count) for count in fact["bucket_counts"] or []],
        **{name: fact[name] for name in ("sum", "min", "max")}},
    "exp_histogram": lambda fact, bounds: {
        "count": u64(fact["count"]), "zero_count": u64(fact["zero_count"]),
        **{name: fact[name] for name in ("sum", "min", "max", "scale", "zero_threshold", "positive_offset",
                                         "negative_offset")},
        **{f"{side}_bucket_counts": None if fact[f"{side}_offset"] is None else
           [u64(count) for count in fact[f"{side}_bucket_counts"] or []] for side in ("positive", "negative")}},
    "summary": lambda fact, bounds: {"count": u64(fact["count"]), "sum": fact["sum"]},
}


@pytest.mark.parametrize("view", ["own", "enriched"])
@pytest.mark.parametrize("point", POINTS)
def test_points(stored, point, view):
    """Each kind of point in its own view, and in the one of all kinds."""
    bounds = {row["bounds_id"]: row["explicit_bounds"] for row in rows(
        stored, "SELECT * FROM otel_histogram_bounds_dim")}
    series = {row["series_id"]: row for row in rows(
        stored, "SELECT * FROM otel_metric_series_dim JOIN otel_metrics_dim USING (metric_id)")}
    types = dict(stored.execute("SELECT metric_type_id, name FROM metric_types").fetchall())
    dimensions = Dimensions(stored)
    facts = {(row["series_id"], row["time_unix_nano"]): row for row in rows(
        stored, f"SELECT * FROM otel_metrics_data_points_{point}")}
    name = f"v_otel_metrics_{point if view == 'own' else 'enriched'}"
    shown = [row for row in many(stored, f"SELECT * FROM {name}") if (row["series_id"], row["time_unix_nano"]) in facts]
    assert len(shown) == len(facts)
    for row in shown:
        fact = facts[row["series_id"], row["time_unix_nano"]]
        owner = series[row["series_id"]]
        assert row["data_point_id"] == row["series_id"] * 2**64 + row["time_unix_nano"]
        for mine, theirs in (("metric_name", "name"), ("unit", "unit"), ("metric_id", "metric_id"),
                             ("description", "description"), ("is_monotonic", "is_monotonic"),
                             ("aggregation_temporality_id", "aggregation_temporality_id")):
            assert row[mine] == owner[theirs]
        assert row["metric_type"] == types[owner["metric_type_id"]]
        assert row["aggregation_temporality"] == {0: "UNSPECIFIED", 1: "DELTA", 2: "CUMULATIVE"}.get(
            owner["aggregation_temporality_id"])
        assert row["start_time_unix_nano"] == fact["start_time_unix_nano"]
        assert row["flags"] == u32(fact["flags"]) and row["no_recorded_value"] == bool(u32(fact["flags"]) & 1)
        for column, expected in EXPECTED_POINTS[point](fact, bounds).items():
            assert repr(normal(row[column])) == repr(normal(expected)), column
        if point == "summary":
            assert_quantiles(row["quantile_values"], fact)
        else:
            assert json_equal(row["exemplars"], fact["exemplars"] or [])
        assert_origin(row, dimensions)


def normal(value):
    """Decimals as integers, so that repr compares; NaN and −0 keep theirs."""
    if isinstance(value, list):
        return [normal(element) for element in value]
    return int(value) if type(value).__name__ == "Decimal" else value


def assert_quantiles(form, fact):
    pairs = list(zip(fact["quantiles"] or [], fact["quantile_values"] or [], strict=True))
    assert [(any_value(pair["quantile"]).double_value, any_value(pair["value"]).double_value)
            for pair in form] == pairs or "nan" in str(pairs)
    assert len(form) == len(pairs)


def test_points_of_an_unknown_series_are_shown(db):
    """Facts have no foreign keys: a view must not lose what a dimension lacks."""
    db.execute("INSERT INTO otel_metrics_data_points_number (time_unix_nano, series_id, value_int) "
               "SELECT %s, 9999999, 1 WHERE EXISTS (SELECT FROM pg_inherits WHERE inhparent = "
               "'otel_metrics_data_points_number'::regclass)", [otlp.BASE_NS])
    assert db.execute("SELECT value_int, metric_name, attributes FROM v_otel_metrics_number").fetchall() == [
        (1, None, {})]


@pytest.mark.parametrize("point", POINTS)
def test_attributes_of_points(stored, point):
    """Every typed and untyped attribute of a series, once per point."""
    for kind in KINDS:
        shown = stored.execute(
            f"SELECT series_id, time_unix_nano, key_id, data_point_id FROM otel_metric_{point}_attrs_{kind}").fetchall()
        expected = stored.execute(
            f"SELECT series_id, time_unix_nano, key_id, otel_data_point_id(series_id, time_unix_nano) "
            f"FROM otel_metrics_data_points_{point} JOIN otel_metric_series_attrs_{kind} USING (series_id)").fetchall()
        assert sorted(shown) == sorted(expected) and shown
    merged = many(stored, f"SELECT data_point_id, attributes FROM v_otel_metrics_{point} WHERE attributes <> '{{}}'")
    assert merged
    for row in merged:
        parts = {}
        for kind in KINDS:
            parts |= dict(stored.execute(f"SELECT key, value FROM otel_metric_{point}_attrs_{kind} "
                                         "WHERE data_point_id = %s", [row["data_point_id"]]).fetchall())
        for other, in stored.execute(f"SELECT attributes FROM otel_metric_{point}_attrs_other WHERE data_point_id = %s",
                                     [row["data_point_id"]]):
            assert not parts.keys() & other.keys()
            parts |= other
        assert parts.keys() == row["attributes"].keys()


# Attributes that no column holds

@pytest.mark.parametrize("prefix, table, column", [
    ("otel_span_attrs", "otel_spans_fact", "attributes"), ("otel_log_attrs", "otel_logs_fact", "attributes")])
def test_attributes_that_are_not_promoted(stored, prefix, table, column):
    owner, _ = ATTRIBUTE_OWNERS[prefix]
    shown = stored.execute(f"SELECT {owner}, attributes::text FROM {prefix}_other ORDER BY 1").fetchall()
    assert shown == stored.execute(f"SELECT {owner}, {column}::text FROM {table} WHERE {column} IS NOT NULL "
                                   "ORDER BY 1").fetchall()
