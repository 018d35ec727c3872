# SPDX-License-Identifier: Apache-2.0
"""/api/fields and the values of a field, beside what was sent."""

import time

import pytest

from conftest import Export
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from support import otlp
from support.api import api_settings
from support.query import QueryAPI

RESOURCE = Resource(attributes=otlp.attributes(
    service__name="shop", host__cpus=8, host__name="a-1", load=0.5, spot=True))


@pytest.fixture(scope="module")
def query(database, start_server):
    settings, api = api_settings()
    server = start_server(database, settings)
    api.wait_ready()
    now = time.time_ns()
    spans = [otlp.span(name=f"op {n % 3}", start_time_unix_nano=now - n, end_time_unix_nano=now, attributes=otlp.attributes(
        http__request__method=("GET", "POST")[n % 2], shelf=n % 4, weight=n / 2, text=f"t{n}", fresh=n % 2 == 0))
        for n in range(8)]
    logs = [otlp.log_record(time_unix_nano=now, attributes=otlp.attributes(colour="red"))]
    point = otlp.gauge("stock", unit="By")
    point.gauge.data_points[0].attributes.extend(otlp.attributes(rack="r1", row=3))
    with server.channel() as channel:
        export = Export(channel)
        export(otlp.request("traces", spans, RESOURCE))
        export(otlp.request("logs", logs, RESOURCE))
        export(otlp.request("metrics", [point], RESOURCE))
    return QueryAPI(api.address)


def fields(query, signal, prefix=""):
    found = query.get("/api/fields", {"signal": signal, "prefix": prefix, "limit": 1000})
    assert found["warnings"] == []
    return {field["field"]: (field["types"], field["is_column"]) for field in found["fields"]}


def values(query, field, signal, **parameters):
    return query.get(f"/api/fields/{field}/values", {"signal": signal} | parameters)


@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
def test_attributes_of_resources_and_scopes(query, signal):
    assert fields(query, signal, "resource.") == {
        "resource.service.name": (["string"], False), "resource.host.name": (["string"], False),
        "resource.host.cpus": (["int"], False), "resource.load": (["double"], False),
        "resource.spot": (["bool"], False)}


def test_attributes_of_spans(query):
    found = fields(query, "traces", "span.")
    assert found["span.http.request.method"] == (["string"], True)
    assert {key: found[f"span.{key}"] for key in ("shelf", "weight", "text", "fresh")} == {
        "shelf": (["int"], False), "weight": (["double"], False), "text": (["string"], False),
        "fresh": (["bool"], False)}


def test_others_have_fields_of_their_own(query):
    logs, metrics = fields(query, "logs"), fields(query, "metrics")
    assert logs["log.colour"] == (["string"], False) and logs["severity_number"] == (["int"], True)
    assert not {name for name in logs if name.startswith(("span.", "datapoint."))}
    assert metrics["datapoint.rack"] == (["string"], False) and metrics["datapoint.row"] == (["int"], False)
    assert metrics["unit"] == (["string"], True) and "body" not in metrics


def test_a_list_that_is_cut(query):
    found = query.get("/api/fields", {"signal": "traces", "limit": 2})
    assert len(found["fields"]) == 2 and "first 2" in found["warnings"][0]
    names = [field["field"] for field in found["fields"]]
    assert names == sorted(fields(query, "traces"))[:2]


@pytest.mark.parametrize("field, signal, expected", [
    ("service", "traces", ["shop"]), ("name", "traces", ["op 0", "op 1", "op 2"]), ("name", "metrics", ["stock"]),
    ("unit", "metrics", ["By"]), ("scope_name", "logs", ["test"]), ("status", "traces", ["ERROR", "OK", "UNSET"]),
    ("resource.host.name", "logs", ["a-1"]), ("resource.host.cpus", "logs", ["8"]), ("resource.load", "logs", ["0.5"]),
    ("resource.spot", "metrics", ["true"]), ("datapoint.row", "metrics", ["3"]),
    ("span.http.request.method", "traces", ["GET", "POST"]), ("span.shelf", "traces", ["0", "1", "2", "3"]),
    ("span.fresh", "traces", ["false", "true"]), ("log.colour", "logs", ["red"]), ("span.nothing", "traces", []),
    ("resource.it%27s", "traces", []),
])
def test_values(query, field, signal, expected):
    assert values(query, field, signal) == {"values": expected, "warnings": []}


def test_values_that_begin_so(query):
    assert values(query, "span.text", "traces", prefix="t")["values"] == [f"t{n}" for n in range(8)]
    assert values(query, "span.text", "traces", prefix="t7")["values"] == ["t7"]
    found = values(query, "span.text", "traces", limit=3)
    assert found["values"] == ["t0", "t1", "t2"] and "first 3" in found["warnings"][0]


@pytest.mark.parametrize("field, signal", [
    ("colour", "traces"), ("datapoint.rack", "traces"), ("span.", "traces"), ("trace_id", "traces"), ("body", "logs"),
    ("event.x", "traces"), ("name", "logs"), ("a%00b", "logs"),
])
def test_fields_without_values(query, field, signal):
    query.problem(400, "invalid-parameter", f"/api/fields/{field}/values", {"signal": signal}, pointer="field")


@pytest.mark.parametrize("parameters, pointer", [
    ({}, "signal"), ({"signal": "spans"}, "signal"), ({"signal": "logs", "limit": "0"}, "limit"),
    ({"signal": "logs", "prefix": "\0"}, "prefix"), ({"signal": "logs", "colour": "red"}, "colour"),
])
def test_mistakes(query, parameters, pointer):
    query.problem(400, "invalid-parameter", "/api/fields", parameters, pointer=pointer)
