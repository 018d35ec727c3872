# SPDX-License-Identifier: Apache-2.0
"""Hand-made requests over grpcio: every field of every message arrives in the database."""

import json
import math

import grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
import pytest

from support import full, otlp, rebuild, rebuild_metrics
from support.grpcwire import PATHS
from support.normal import LEVELS, assert_same, merge, normal
from support.otlp import SIGNALS, attribute, attributes

REBUILD = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}
TYPED_TABLES = ("string", "int", "double", "bool", "bytes")


def assert_accepted(response):
    assert response.SerializeToString() == b"", response


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip],
                         ids=["plain", "gzip"])
@pytest.mark.parametrize("signal", SIGNALS)
def test_every_field(export, db, signal, compression):
    request = full.FULL[signal]()
    assert_accepted(export(request, compression=compression))
    assert_same(request, REBUILD[signal](db))


@pytest.mark.parametrize("signal", SIGNALS)
def test_many_envelopes_in_one_request(export, db, signal):
    """Resources and scopes that differ in one thing only must not be taken for each other."""
    resources = [Resource(), Resource(attributes=attributes(a=1)), Resource(attributes=attributes(a="1")),
                 Resource(attributes=attributes(a=1.0)), Resource(attributes=attributes(a=True)),
                 Resource(attributes=attributes(a=b"1")), Resource(attributes=attributes(ab="c")),
                 Resource(attributes=attributes(a="bc")), Resource(attributes=attributes(a="b", c="d")),
                 Resource(attributes=attributes(a="bcd")), Resource(dropped_attributes_count=1),
                 Resource(attributes=[KeyValue(key="a")]), Resource(attributes=attributes(a=0.0)),
                 Resource(attributes=attributes(a=-0.0)), Resource(entity_refs=[{}]),
                 Resource(entity_refs=[{"type": "x"}]), Resource(attributes=[attribute("a", full.array())]),
                 Resource(attributes=[attribute("a", full.kvlist())])]
    scopes = [InstrumentationScope(), InstrumentationScope(name="a"), InstrumentationScope(version="a"),
              InstrumentationScope(name="a", version="b"), InstrumentationScope(name="ab"),
              InstrumentationScope(name="a", attributes=attributes(b=1)),
              InstrumentationScope(dropped_attributes_count=1)]
    requests = [otlp.request(signal, resource=resource, scope=scope) for resource in resources for scope in scopes]
    outer, inner, _ = LEVELS[otlp.REQUESTS[signal]]
    for schema in ("x", "y"):
        requests += [otlp.request(signal), otlp.request(signal)]
        getattr(requests[-1], outer)[0].schema_url = schema
        getattr(getattr(requests[-2], outer)[0], inner)[0].schema_url = schema
    request = merge(requests)
    assert_accepted(export(request))
    assert_same(request, REBUILD[signal](db))


@pytest.mark.parametrize("signal", SIGNALS)
def test_absent_resource_and_scope(export, db, signal):
    request = otlp.request(signal)
    outer, inner, _ = LEVELS[otlp.REQUESTS[signal]]
    envelope = getattr(request, outer)[0]
    envelope.ClearField("resource")
    getattr(envelope, inner)[0].ClearField("scope")
    assert_accepted(export(request))
    assert_same(request, REBUILD[signal](db))


@pytest.mark.parametrize("signal", SIGNALS)
def test_attribute_order_does_not_make_another_dimension(export, db, signal):
    pairs = attributes(x=1, y="two", z=3.5)
    requests = [otlp.request(signal, resource=Resource(attributes=order), scope=InstrumentationScope(attributes=order))
                for order in (pairs, pairs[::-1])]
    for request in requests:
        assert_accepted(export(request))
    assert_same(merge(requests), REBUILD[signal](db))
    owner = ("otel_metrics_data_points_number JOIN otel_metric_series_dim USING (series_id)"
             if signal == "metrics" else {"traces": "otel_spans_fact", "logs": "otel_logs_fact"}[signal])
    assert db.execute(f"SELECT count(DISTINCT resource_id), count(DISTINCT scope_id) FROM {owner}").fetchone() == (1, 1)


@pytest.mark.parametrize("signal", SIGNALS)
def test_empty_requests_and_envelopes(export, db, signal):
    empty = otlp.REQUESTS[signal]()
    outer, inner, _ = LEVELS[type(empty)]
    assert_accepted(export(empty))
    getattr(empty, outer).add()
    assert_accepted(export(empty))
    getattr(getattr(empty, outer)[0], inner).add()
    assert_accepted(export(empty))
    empty.MergeFrom(otlp.request(signal, items=[]))
    assert_accepted(export(empty))
    assert_same(normal(empty), REBUILD[signal](db))


def test_metrics_without_points(export, db):
    request = otlp.request("metrics", items=[])
    items = request.resource_metrics[0].scope_metrics[0].metrics
    items.add(name="no data")
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
        getattr(items.add(name=kind), kind).SetInParent()
    assert_accepted(export(request))
    assert not REBUILD["metrics"](db).resource_metrics


def test_one_metric_name_with_several_meanings(export, db):
    """Type, unit, temporality, monotonicity, description and metadata are all part of a metric."""
    items = [otlp.gauge("same"), otlp.gauge("same", unit="s"), otlp.gauge("same", description="other"),
             otlp.gauge("same", metadata=attributes(a=1))]
    for temporality, is_monotonic in ((0, False), (1, False), (1, True), (2, True)):
        item = otlp.gauge("same")
        points = list(item.gauge.data_points)
        item.sum.aggregation_temporality, item.sum.is_monotonic = temporality, is_monotonic
        item.sum.data_points.extend(points)
        items.append(item)
    request = otlp.request("metrics", items)
    assert_accepted(export(request))
    assert_same(request, REBUILD["metrics"](db))
    assert db.execute("SELECT count(*), count(DISTINCT metric_identity_hash) FROM otel_metrics_dim "
                      "WHERE name = 'same'").fetchone() == (8, 6)


def test_typed_tables_hold_resource_attributes(export, db):
    resource = Resource(attributes=[
        attribute("t.string", "s"), attribute("t.int", 1), attribute("t.double", 0.5), attribute("t.bool", True),
        attribute("t.bytes", b"\x01"), attribute("t.array", full.array(AnyValue(int_value=1))), KeyValue(key="t.none")])
    assert_accepted(export(otlp.request("traces", resource=resource)))
    for kind in TYPED_TABLES:
        assert db.execute(f"SELECT count(*) FROM otel_resource_attrs_{kind} JOIN attribute_keys USING (key_id) "
                          "WHERE key = %s", [f"t.{kind}"]).fetchone() == (1,), kind
    assert db.execute("SELECT attributes FROM otel_resource_attrs_other "
                      "WHERE attributes ? 't.array'").fetchone() == ({"t.array": [1], "t.none": None},)


JSON_FORMS = [
    ("text", '"text"'), (True, "true"), (7, "7"), (2**63 - 1, "9223372036854775807"), (5.0, "5.0"), (0.25, "0.25"),
    (0.0, "0.0"), (-1.5, "-1.5"), (1e-6, "0.000001"), (1e16, "10000000000000000.0"),
    (math.inf, '{"$double": "Infinity"}'), (-math.inf, '{"$double": "-Infinity"}'), (math.nan, '{"$double": "NaN"}'),
    (-0.0, '{"$double": "-0.0"}'), (b"\x00\xff", '{"$bytes": "AP8="}'), (b"", '{"$bytes": ""}'),
]


def test_json_forms_of_attributes(export, db):
    """The exact text in jsonb: readers of the table depend on it, not only the inverse."""
    pairs = [attribute(f"a{index}", value) for index, (value, _) in enumerate(JSON_FORMS)]
    assert_accepted(export(otlp.request("traces", [otlp.span(attributes=pairs)])))
    stored = dict(db.execute("SELECT key, value::text FROM otel_spans_fact, jsonb_each(attributes)").fetchall())
    assert stored == {f"a{index}": form for index, (_, form) in enumerate(JSON_FORMS)}


@pytest.mark.parametrize("value", [1e17, -1e17, 9.99e-7, 1e300, 5e-324])
def test_doubles_outside_of_positional_range_are_tagged(export, db, value):
    assert_accepted(export(otlp.request("traces", [otlp.span(attributes=[attribute("a", value)])])))
    ((form,),) = db.execute("SELECT attributes->'a' FROM otel_spans_fact").fetchall()
    assert list(form) == ["$double"] and float(form["$double"]) == value, json.dumps(form)


def test_no_attributes_is_null(export, db):
    for signal in SIGNALS:
        assert_accepted(export(otlp.request(signal)))
    assert db.execute("SELECT attributes, events, links FROM otel_spans_fact").fetchall() == [(None, None, None)]
    assert db.execute("SELECT attributes, body FROM otel_logs_fact").fetchall() == [(None, None)]
    assert db.execute("SELECT exemplars FROM otel_metrics_data_points_number").fetchall() == [(None,)]


def test_record_without_any_time_gets_the_time_of_arrival(export, db):
    assert_accepted(export(otlp.request("logs", [otlp.log_record(time_unix_nano=0, observed_time_unix_nano=0)])))
    ((time_ns, observed, is_substituted),) = db.execute(
        "SELECT time_unix_nano, observed_time_unix_nano, time_is_substituted FROM otel_logs_fact").fetchall()
    assert time_ns > otlp.BASE_NS and observed is None and is_substituted


def test_fields_of_profiles_are_ignored(export, db):
    """string_value_strindex and key_strindex belong to profiles: not an error, and nothing."""
    pair = KeyValue(key="k", key_strindex=3, value=AnyValue(string_value_strindex=4))
    assert_accepted(export(otlp.request("traces", [otlp.span(attributes=[pair])])))
    assert db.execute("SELECT attributes FROM otel_spans_fact").fetchall() == [({"k": None},)]


def test_unknown_fields_are_ignored(channel, db):
    wire = otlp.request("traces").SerializeToString()
    unknown = otlp.length_delimited(1000, b"\xff\x00") + otlp.varint(1001 << 3) + otlp.varint(2**64 - 1) + (
        otlp.varint(1002 << 3 | 5) + b"\x00" * 4) + otlp.varint(1003 << 3 | 1) + b"\x00" * 8
    assert channel.unary_unary(PATHS["traces"])(wire + unknown, timeout=30) == b""
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1,)


def test_log_ids_are_unique(export, db):
    for _ in range(3):
        assert_accepted(export(otlp.request("logs", [otlp.log_record() for _ in range(50)])))
    assert db.execute("SELECT count(*), count(DISTINCT log_id) FROM otel_logs_fact").fetchone() == (150, 150)
