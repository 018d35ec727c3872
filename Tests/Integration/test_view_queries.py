# SPDX-License-Identifier: Apache-2.0
"""Queries that people write over the views: what they answer, and what they read for it."""

import json
import time

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
import pytest

from conftest import FACT_TABLES
from support import otlp
from support.daemon import run
from support.expected_schema import KINDS, PARTITION_COLUMNS, VIEWS
from support.otlp import BASE_NS, attribute, attributes
from support.promotion import move_into_columns, promote

DAY_NS = 86_400_000_000_000
PROMOTED = [("logs", "http.status_code", "int", "http_status_code"), ("spans", "http.method", "string", "http_method"),
            ("spans", "http.status_code", "int", "http_status_code"),
            ("spans", "gen_ai.system", "string", "gen_ai_system")]


@pytest.fixture
def shop(export, db, database, binary):
    """Two traces of a shop and its log, half of it written before its attributes were promoted."""
    for promotion in PROMOTED:
        promote(db, *promotion)
    assert run(binary, "migrate", environment=database.environment).returncode == 0
    resource = Resource(attributes=attributes(service__name="shop", service__namespace="test"))
    pairs = [attribute("http.method", "GET"), attribute("http.status_code", 500)]
    root = otlp.span(trace_id=otlp.trace_id(1), span_id=otlp.span_id(10), name="GET /", attributes=pairs, kind=2,
                     start_time_unix_nano=BASE_NS, end_time_unix_nano=BASE_NS + 900)
    root.status.code = 2
    child = otlp.span(trace_id=otlp.trace_id(1), span_id=otlp.span_id(11), parent_span_id=otlp.span_id(10),
                      attributes=[attribute("gen_ai.system", "openai"), attribute("http.status_code", "500")],
                      start_time_unix_nano=BASE_NS + 1, end_time_unix_nano=BASE_NS + 90)
    child.events.add(name="exception", time_unix_nano=BASE_NS + 2, attributes=[attribute("gen_ai.system", "vertex")])
    quick = otlp.span(trace_id=otlp.trace_id(2), span_id=otlp.span_id(20), name="GET /quick",
                      attributes=[attribute("http.status_code", 200)],
                      start_time_unix_nano=BASE_NS + 5, end_time_unix_nano=BASE_NS + 6)
    export(otlp.request("traces", [root, child, quick], resource))
    export(otlp.request("logs", [
        otlp.log_record(body=AnyValue(string_value="one"), severity_number=17, trace_id=otlp.trace_id(1),
                        span_id=otlp.span_id(10), attributes=[attribute("http.status_code", 500)]),
        otlp.log_record(body=AnyValue(string_value="two"), severity_number=9,
                        attributes=[attribute("http.status_code", 500), attribute("custom.field", "value")]),
        otlp.log_record(body=AnyValue(string_value="three"), attributes=[attribute("http.status_code", "500")]),
        otlp.log_record(body=AnyValue(string_value="four"), attributes=[attribute("http.status_code", 404)])], resource))
    metric = otlp.gauge("queue.length")
    metric.gauge.data_points[0].attributes.append(attribute("endpoint", "/cart"))
    export(otlp.request("metrics", [metric], resource))
    for signal, key, kind, column in PROMOTED:
        move_into_columns(db, signal, key, kind, column,
                          condition="body_text <> 'two'" if signal == "logs" else "span_id <> 20")
    return db


def column(connection, query, *parameters):
    return sorted(row[0] for row in connection.execute(query, parameters).fetchall())


# What they answer

def test_records_by_a_promoted_attribute(shop):
    """The example compared with a string; the attribute is promoted as an integer."""
    by_key = """
        SELECT l.body_text FROM otel_logs_fact l
        JOIN otel_log_attrs_{} a ON l.log_id = a.log_id
        JOIN attribute_keys ak ON a.key_id = ak.key_id
        WHERE ak.key = 'http.status_code' AND a.value = {}"""
    assert column(shop, by_key.format("int", "500")) == ["one", "two"]
    assert column(shop, by_key.format("int", "404")) == ["four"]
    assert column(shop, by_key.format("string", "'500'")) == []
    assert column(shop, "SELECT l.body_text FROM otel_logs_fact l JOIN otel_log_attrs_other o ON l.log_id = o.log_id "
                        "WHERE o.attributes @> '{\"http.status_code\": \"500\"}'") == ["three"]
    assert column(shop, "SELECT body_text FROM v_otel_logs_enriched WHERE attributes @> '{\"http.status_code\": 500}'"
                  ) == ["one", "two"]


def test_records_by_an_attribute_that_is_not_promoted(shop):
    query = """
        SELECT l.body_text FROM otel_logs_fact l
        JOIN otel_log_attrs_other o ON l.log_id = o.log_id
        WHERE o.attributes @> '{"custom.field": "value"}'"""
    assert column(shop, query) == ["two"]


def test_traces_that_failed_and_took_long(shop):
    query = """
        SELECT trace_id, root_span_name, span_count, error_count, duration_nanos, service_name, service_namespace
        FROM v_otel_traces
        WHERE start_time_unix_nano >= %s AND start_time_unix_nano < %s AND service_name = 'shop'
            AND duration_nanos >= 100 AND error_count > 0
        ORDER BY start_time_unix_nano DESC LIMIT 20"""
    assert shop.execute(query, [BASE_NS, BASE_NS + 1000]).fetchall() == [
        (otlp.trace_id(1).hex(), "GET /", 2, 1, 900, "shop", "test")]


def test_spans_of_a_trace(shop):
    query = """
        SELECT span_id_hex, parent_span_id_hex, name, kind_name, status_name, attributes
        FROM v_otel_spans_enriched WHERE trace_uuid = %s ORDER BY start_time_unix_nano"""
    root, child = shop.execute(query, [otlp.trace_id(1).hex()]).fetchall()
    assert root == (otlp.span_id(10).hex(), None, "GET /", "SERVER", "ERROR",
                    {"http.method": "GET", "http.status_code": 500})
    assert child[1] == root[0] and child[5] == {"gen_ai.system": "openai", "http.status_code": "500"}
    agents = "SELECT span_id_hex FROM v_otel_spans_enriched WHERE attributes ? 'gen_ai.system' AND trace_id = %s"
    assert column(shop, agents, otlp.trace_id(1).hex()) == [otlp.span_id(11).hex()]


def test_attributes_of_spans_and_events(shop):
    """Joined by span and trace. Events follow the promotions of spans."""
    query = """
        SELECT otel_span_id_hex(s.span_id) FROM otel_spans_fact s
        JOIN otel_span_attrs_{} a ON a.trace_id = s.trace_id AND a.span_id = s.span_id
        JOIN attribute_keys ak ON a.key_id = ak.key_id WHERE ak.key = %s"""
    assert column(shop, query.format("int"), "http.status_code") == [otlp.span_id(10).hex(), otlp.span_id(20).hex()]
    assert column(shop, query.format("string"), "http.method") == [otlp.span_id(10).hex()]
    assert shop.execute("SELECT e.name, a.value FROM otel_span_events e JOIN otel_span_event_attrs_string a "
                        "USING (trace_id, span_id, event_id) JOIN attribute_keys ak USING (key_id) "
                        "WHERE ak.key = 'gen_ai.system'").fetchall() == [("exception", "vertex")]


def test_logs_of_a_span(shop):
    query = """
        SELECT l.body #>> '{}' FROM v_otel_logs_enriched l JOIN v_otel_spans_enriched s USING (trace_uuid, span_id)
        WHERE s.name = 'GET /' AND l.severity_number >= 17"""
    assert column(shop, query) == ["one"]


def test_points_by_label(shop):
    query = """
        SELECT v.metric_name, v.value_int > 0, v.attributes ->> 'endpoint' FROM v_otel_metrics_number v
        JOIN otel_metric_number_attrs_string a USING (data_point_id) JOIN attribute_keys ak USING (key_id)
        WHERE ak.key = 'endpoint' AND a.value = '/cart' AND v.service_name = 'shop'"""
    assert shop.execute(query).fetchall() == [("queue.length", True, "/cart")]


def test_time_as_people_write_it(shop):
    query = "SELECT count(*) FROM v_otel_spans_enriched WHERE time BETWEEN now() - interval '2 hours' AND now()"
    assert shop.execute(query).fetchone() == (3,)


# What they read

@pytest.fixture
def two_days(export, db, database, binary):
    """Rows today and yesterday in every table, and a promoted attribute of every type: a view that can have no
    row reads nothing at all."""
    for signal in ("spans", "logs"):
        for kind in KINDS:
            promote(db, signal, f"any.{kind}", kind, f"any_{kind}")
    assert run(binary, "migrate", environment=database.environment).returncode == 0
    for age_ns in (0, DAY_NS):
        for signal in otlp.SIGNALS:
            item = otlp.ITEMS[signal]()
            if signal == "metrics":
                item.gauge.data_points[0].time_unix_nano -= age_ns
            elif signal == "logs":
                item.time_unix_nano -= age_ns
            else:
                item.start_time_unix_nano -= age_ns
            export(otlp.request(signal, [item]))
    return db


def plan_of(connection, query, *parameters, options="COSTS off"):
    (plan,), = connection.execute(f"EXPLAIN (FORMAT JSON, {options}) {query}", parameters).fetchall()
    return plan[0]["Plan"]


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def partitions_read(plan):
    """Fact table -> its partitions that the plan scans for the rows of the view."""
    read = {}
    for node in nodes(plan):
        name = node.get("Relation Name", "")
        table = max((table for table in FACT_TABLES if name.startswith(table)), key=len, default=None)
        if table and node["Alias"].startswith("fact"):
            read.setdefault(table, set()).add(name)
    return read


@pytest.mark.parametrize("view", VIEWS)
def test_partitions_of_other_times_are_not_read(two_days, view):
    moment = PARTITION_COLUMNS[view]
    now_ns = time.time_ns()  # of today all tables have a partition, rows or not
    everything = partitions_read(plan_of(two_days, f"SELECT * FROM {view}"))
    assert everything and all(len(read) > 1 for read in everything.values()), everything
    pruned = partitions_read(plan_of(
        two_days, f"SELECT * FROM {view} WHERE {moment} >= {now_ns} AND {moment} < {now_ns + 1000}"))
    assert pruned.keys() == everything.keys() and all(len(read) <= 2 for read in pruned.values()), pruned
    one_day = now_ns // DAY_NS * DAY_NS
    pruned = partitions_read(plan_of(
        two_days, f"SELECT * FROM {view} WHERE {moment} >= {one_day} AND {moment} < {one_day + DAY_NS}"))
    assert all(len(read) == 1 for read in pruned.values()), pruned


@pytest.mark.parametrize("view", ["v_otel_spans_enriched", "v_otel_logs_enriched", "v_otel_traces"])
def test_partitions_are_skipped_by_a_time_of_now(two_days, view):
    moment = PARTITION_COLUMNS[view]
    plan = plan_of(two_days, f"SELECT * FROM {view} WHERE {moment} >= otel_unix_nano(now() - interval '10 minutes') "
                               f"AND {moment} < otel_unix_nano(now())")
    assert any(node.get("Subplans Removed", 0) > 0 for node in nodes(plan)), json.dumps(plan)


def test_values_that_are_not_asked_for_are_not_made(two_days):
    """Nor are the dimensions that only they would need."""
    plan = plan_of(two_days, "SELECT trace_uuid FROM v_otel_spans_enriched", options="VERBOSE, COSTS off")
    relations = {node["Relation Name"] for node in nodes(plan) if "Relation Name" in node}
    assert all(name.startswith("otel_spans_fact_") for name in relations), relations


@pytest.mark.parametrize("query", [
    "SELECT * FROM v_otel_spans_enriched WHERE trace_uuid = %s",
    "SELECT * FROM v_otel_logs_enriched WHERE trace_uuid = %s",
    "SELECT * FROM v_otel_traces WHERE trace_uuid = %s",
    "SELECT * FROM otel_span_events WHERE trace_id = %s",
    "SELECT * FROM otel_span_attrs_string WHERE trace_id = %s",
    "SELECT * FROM otel_span_link_attrs_other WHERE trace_id = %s"])
def test_a_trace_is_found_by_index(two_days, query):
    with two_days.transaction():
        two_days.execute("SET LOCAL enable_seqscan = off")  # which is best for tables of three rows
        plan = plan_of(two_days, query, otlp.trace_id(1).hex())
    scans = [node for node in nodes(plan) if node.get("Alias", "").startswith("fact")]
    assert scans and all("trace_id" in node.get("Index Cond", node.get("Recheck Cond", "")) for node in scans), scans
