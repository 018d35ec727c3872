# SPDX-License-Identifier: Apache-2.0
"""Jaeger's older JSON API, beside what was sent over OTLP. Request lines are those of Grafana and Jaeger UI."""

import json

import pytest

from conftest import Export
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from support import otlp
from support.api import api_settings
from support.jaeger import Jaeger, NO_SERVICE, expected_span, seen_span, seen_tags, tags
from support.query import QueryAPI
from support.service_graph import store_edges

SCOPE = InstrumentationScope(name="io.shop", version="1.2")


def resource(service, **attributes):
    named = {} if service is None else {"service__name": service}
    return Resource(attributes=otlp.attributes(**named, **attributes))


@pytest.fixture(scope="module")
def server(database, start_server):
    settings, api = api_settings()
    server = start_server(database, settings)
    server.api = api
    api.wait_ready()
    return server


@pytest.fixture(scope="module")
def jaeger(server):
    return Jaeger(QueryAPI(server.api.address))


def send(server, *requests):
    with server.channel() as channel:
        for request in requests:
            Export(channel)(request)


def nested_value():
    value = AnyValue()
    value.array_value.values.extend([otlp.any_of("a"), otlp.any_of(7), otlp.any_of(b"\x01")])
    pair = value.array_value.values.add().kvlist_value.values.add(key="k")
    pair.value.double_value = 0.5
    return value


@pytest.fixture(scope="module")
def trace(server):
    """A trace over three services, one of them without a name, with all that a span may have."""
    trace_id = otlp.trace_id(otlp.unique())
    root = otlp.span(
        trace_id=trace_id, name="GET /cart", kind=Span.SPAN_KIND_SERVER, trace_state="a=b",
        attributes=otlp.attributes(
            http__request__method="GET", big=2**62 + 1, small=-(2**63), ratio=0.25, whole=5.0, on=True, off=False,
            raw=b"\xde\xad", text='"\\\n☃', mixed=nested_value(), nothing=AnyValue()),
        status=Status(code=Status.STATUS_CODE_OK))
    root.end_time_unix_nano = root.start_time_unix_nano + 1_234_567
    child = otlp.span(
        trace_id=trace_id, parent_span_id=root.span_id, name="SELECT", kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=root.start_time_unix_nano + 10_000, end_time_unix_nano=root.start_time_unix_nano + 900_000,
        status=Status(code=Status.STATUS_CODE_ERROR, message="too slow"),
        events=[Span.Event(time_unix_nano=root.start_time_unix_nano + 11_500, name="exception",
                           attributes=otlp.attributes(exception__type="E", retries=3))],
        links=[Span.Link(trace_id=otlp.trace_id(7), span_id=otlp.span_id(8))])
    orphan = otlp.span(trace_id=trace_id, parent_span_id=otlp.span_id(999_999), name="drain",
                       start_time_unix_nano=root.start_time_unix_nano + 20_000,
                       end_time_unix_nano=root.start_time_unix_nano + 20_000)
    sent = [(root, SCOPE, resource("shop", host__cpus=8)), (child, InstrumentationScope(), resource("db")),
            (orphan, SCOPE, resource(None, host__name="h"))]
    send(server, *(otlp.request("traces", [span], where, scope) for span, scope, where in sent))
    return trace_id.hex(), sent


def test_a_trace_by_its_id(jaeger, trace):
    trace_id, sent = trace
    [found] = jaeger.get(f"/api/traces/{trace_id}", {"prettyPrint": "true"})
    assert set(found) == {"traceID", "spans", "processes", "warnings"}
    assert (found["traceID"], found["warnings"]) == (trace_id, None)
    assert [seen_span(span) for span in found["spans"]] == [expected_span(span, scope) for span, scope, _ in sent]
    assert set(found["processes"]) == {"p1", "p2", "p3"}
    for span, (_, _, where) in zip(found["spans"], sent):
        process = found["processes"][span["processID"]]
        names = [one.value.string_value for one in where.attributes if one.key == "service.name"]
        assert process["serviceName"] == (names or [NO_SERVICE])[0]
        assert seen_tags(process["tags"]) == sorted(
            tags(one for one in where.attributes if one.key != "service.name"), key=repr)


def test_a_hint_of_when_it_was(jaeger, trace):
    trace_id, sent = trace
    start = sent[0][0].start_time_unix_nano // 1000
    [found] = jaeger.get(f"/api/traces/{trace_id}", {"start": start - 1, "end": start + 1_000_000})
    assert len(found["spans"]) == 3
    assert jaeger.fails(404, f"/api/traces/{trace_id}", {"start": start + 10_000_000, "end": start + 20_000_000})


def test_services_and_operations(jaeger, trace):
    services = jaeger.get("/api/services")
    assert services == sorted(services) and {"shop", "db", NO_SERVICE} <= set(services)
    assert jaeger.get("/api/services/shop/operations") == ["GET /cart"]
    assert jaeger.get(f"/api/services/{NO_SERVICE}/operations") == ["drain"]
    assert jaeger.get("/api/services/no-such-service/operations") == []
    assert jaeger.get("/api/operations", {"service": "db"}) == [{"name": "SELECT", "spanKind": "client"}]
    assert jaeger.get("/api/operations", {"service": "db", "spanKind": "client"}) != []
    assert jaeger.get("/api/operations", {"service": "db", "spanKind": "server"}) == []
    assert "service" in jaeger.fails(400, "/api/operations")


def test_a_service_with_a_slash_and_spaces(server, jaeger):
    name = "team/checkout + é"
    send(server, otlp.request("traces", [otlp.span(name="a b")], resource(name)))
    assert name in jaeger.get("/api/services")
    assert jaeger.get("/api/services/team%2Fcheckout%20%2B%20%C3%A9/operations") == ["a b"]
    # As URLSearchParams of web pages writes it.
    raw = jaeger.query.request("/jaeger/api/operations?service=team%2Fcheckout+%2B+%C3%A9")
    assert raw.json["data"] == [{"name": "a b", "spanKind": ""}]


# Searches. Each span is a trace, dated by its place.

@pytest.fixture(scope="module")
def searched(server):
    """Traces of one service, oldest first, and their common start in microseconds."""
    start = otlp.BASE_NS - 40 * otlp.MINUTE_NS
    made = [
        dict(name="list", kind=Span.SPAN_KIND_SERVER, attributes=otlp.attributes(http__route="/a", tries=3)),
        dict(name="list", kind=Span.SPAN_KIND_CLIENT, attributes=otlp.attributes(http__route="/b", ratio=0.5)),
        dict(name="buy", status=Status(code=Status.STATUS_CODE_ERROR),
             attributes=otlp.attributes(http__response__status_code=500, paid=True)),
        dict(name="buy", trace_state="x=1",
             events=[Span.Event(name="retry", attributes=otlp.attributes(reason="busy"))]),
    ]
    ids = []
    for index, fields in enumerate(made):
        at = start + index * otlp.MINUTE_NS
        span = otlp.span(start_time_unix_nano=at, end_time_unix_nano=at + (index + 1) * 10_000_000, **fields)
        ids.append(span.trace_id.hex())
        send(server, otlp.request("traces", [span], resource("finder", region=f"r{index}"), SCOPE))
    return ids, start // 1000


def test_searches(jaeger, searched):
    ids, start = searched
    window = {"service": "finder", "start": start, "end": start + 600_000_000, "lookback": "custom"}

    def found(**more):
        return [ids.index(one) for one in jaeger.found(**window | more)]

    assert found() == [3, 2, 1, 0]
    assert found(limit=2) == [3, 2]
    assert found(operation="buy") == [3, 2]
    assert found(operation="BUY") == []
    assert found(minDuration="20ms", maxDuration="0.03s") == [2, 1]
    assert found(minDuration="39999us") == [3]
    assert found(start=start + 60_000_000) == [3, 2, 1]
    assert found(end=start + 60_000_000) == [1, 0]
    for tag, wanted in [
            ({"http.route": "/a"}, [0]), ({"tries": "3"}, [0]), ({"ratio": "0.5"}, [1]), ({"paid": "true"}, [2]),
            ({"http.response.status_code": "500"}, [2]), ({"error": "true"}, [2]), ({"region": "r1"}, [1]),
            ({"reason": "busy"}, [3]), ({"event": "retry"}, [3]), ({"span.kind": "server"}, [0]),
            ({"otel.status_code": "ERROR"}, [2]), ({"otel.scope.name": "io.shop"}, [3, 2, 1, 0]),
            ({"w3c.tracestate": "x=1"}, [3]), ({"paid": "true", "region": "r0"}, []), ({"http.route": "/c"}, [])]:
        assert found(tags=json.dumps(tag)) == wanted, tag
        # All of them, each as key:value.
        raw = [(key, value) for key, value in window.items()] + [("tag", f"{k}:{v}") for k, v in tag.items()]
        assert [ids.index(one["traceID"]) for one in jaeger.get("/api/traces", raw)] == wanted, tag


def test_any_service(jaeger, searched):
    ids, start = searched
    assert jaeger.found(start=start, end=start + 200_000_000) == ids[::-1]


def test_several_ids(jaeger, searched):
    ids, _ = searched
    assert sorted(jaeger.found(traceID=ids[0])) == [ids[0]]
    raw = [("traceID", ids[0]), ("traceID", ids[1]), ("traceID", "ab" * 16)]
    answer = jaeger.envelope("/api/traces", raw)
    assert {one["traceID"] for one in answer["data"]} == {ids[0], ids[1]} and answer["total"] == 2
    assert answer["errors"] == [{"code": 404, "msg": f"trace not found: {'ab' * 16}"}]


def test_a_trace_is_found_by_one_span_and_shown_whole(server, jaeger):
    """Of many spans: more than are read in one round."""
    trace_id = otlp.trace_id(otlp.unique())
    start = otlp.BASE_NS - 90 * otlp.MINUTE_NS
    spans = [otlp.span(trace_id=trace_id, start_time_unix_nano=start + index, end_time_unix_nano=start + index + 1)
             for index in range(700)]
    other = otlp.span(start_time_unix_nano=start - 5, end_time_unix_nano=start)
    send(server, otlp.request("traces", spans + [other], resource("crowd")))
    window = {"service": "crowd", "start": start // 1000 - 10, "end": start // 1000 + 10}
    assert jaeger.found(**window) == [trace_id.hex(), other.trace_id.hex()]
    [found] = jaeger.get("/api/traces", window | {"operation": spans[3].name})
    assert len(found["spans"]) == 700


@pytest.mark.parametrize("parameters, named", [
    ({"start": "yesterday"}, "start"), ({"end": "-1"}, "end"), ({"limit": "many"}, "limit"), ({"limit": "0"}, "limit"),
    ({"minDuration": "5 parsecs"}, "minDuration"), ({"maxDuration": "-1s"}, "maxDuration"), ({"tags": "{"}, "tags"),
    ({"tags": '{"a":[]}'}, "tags"), ({"tag": "a"}, "tag"), ({"traceID": "xyz"}, "traceID"),
    ({"service": "a\0b"}, "service")])
def test_what_is_wrong_is_named(jaeger, parameters, named):
    assert named in jaeger.fails(400, "/api/traces", parameters)


def test_dependencies(database, jaeger):
    """Whole minutes out of the service map, which has tests of its own."""
    minute = 1_600_000_000 // 60 * 60 * 10**9
    hour = 60 * otlp.MINUTE_NS
    with database.connect() as connection:
        store_edges(connection, [
            (minute, "", "call", "web", "cart", 5), (minute, "a", "call", "web", "cart", 2),
            (minute + otlp.MINUTE_NS, "", "message", "cart", "mail", 4), (minute, "", "database", "cart", "pg", 9),
            (minute - hour, "", "call", "web", "cart", 100), (minute + hour, "", "call", "web", "", 1)])
    asked = {"endTs": minute // 10**6 + 120_000, "lookback": 180_000}
    assert jaeger.get("/api/dependencies", asked) == [
        {"parent": "web", "child": "cart", "callCount": 7}, {"parent": "cart", "child": "mail", "callCount": 4}]
    assert jaeger.get("/api/dependencies", asked | {"service": "web"}) == [
        {"parent": "web", "child": "cart", "callCount": 7}]
    assert jaeger.get("/api/dependencies", asked | {"endTs": (minute + hour) // 10**6}) == [
        {"parent": "web", "child": NO_SERVICE, "callCount": 1}]
    assert jaeger.get("/api/dependencies", {"endTs": 1}) == []
    assert "endTs" in jaeger.fails(400, "/api/dependencies")
    assert jaeger.v3("/dependencies", {"startTime": "2020-09-13T12:20:00Z", "endTime": "2020-09-13T12:40:00Z"}) == {
        "dependencies": [{"parent": "web", "child": "cart", "callCount": 7},
                         {"parent": "cart", "child": "mail", "callCount": 4}]}
    jaeger.v3_fails(400, "/dependencies", {"startTime": "2020-09-13T12:20:00Z"})


@pytest.mark.parametrize("method, path", [("POST", "transform"), ("POST", f"archive/{'ab' * 16}")])
def test_what_is_not_served_says_so(jaeger, method, path):
    answer = jaeger.query.request(f"/jaeger/api/{path}", method=method)
    assert answer.status == 501 and answer.json["data"] is None and answer.json["errors"][0]["code"] == 501


def test_other_methods(jaeger):
    answer = jaeger.query.request("/jaeger/api/services", method="DELETE")
    assert answer.status == 405 and answer.json["errors"][0]["code"] == 405
