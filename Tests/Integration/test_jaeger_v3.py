# SPDX-License-Identifier: Apache-2.0
"""Jaeger's api_v3: OTLP JSON that reads back as what was sent, and summaries counted independently."""

import base64
from collections import Counter
from datetime import datetime, timezone
import json

from google.protobuf import json_format
import pytest

from conftest import Export
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData
from support import otlp
from support.api import api_settings
from support.jaeger import Jaeger, NO_SERVICE
from support.query import QueryAPI

ID_KEYS = {"traceId", "spanId", "parentSpanId"}


def resource(service, **attributes):
    named = {} if service is None else {"service__name": service}
    return Resource(attributes=otlp.attributes(**named, **attributes))


def rfc3339(unix_ns):
    whole = datetime.fromtimestamp(unix_ns // 10**9, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{unix_ns % 10**9:09}Z"


def window(start_ns, end_ns, **more):
    return {"query.startTimeMin": rfc3339(start_ns), "query.startTimeMax": rfc3339(end_ns)} | {
        f"query.{key}": value for key, value in more.items()}


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


def message(resource_spans):
    """TracesData of OTLP JSON, whose ids are hexadecimal digits where protobuf's JSON has base64."""
    def ids(value):
        if isinstance(value, list):
            return [ids(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {key: (base64.b64encode(bytes.fromhex(one)).decode() if key in ID_KEYS else ids(one))
                for key, one in value.items()}
    return json_format.ParseDict({"resourceSpans": ids(resource_spans)}, TracesData())


def sorted_attributes(owner):
    attributes = sorted(owner.attributes, key=lambda one: one.key)
    del owner.attributes[:]
    owner.attributes.extend(attributes)


def placed(traces):
    """Each span with its resource and scope, attributes in order of their keys."""
    found = {}
    for envelope in traces.resource_spans:
        sorted_attributes(envelope.resource)
        for scope_spans in envelope.scope_spans:
            sorted_attributes(scope_spans.scope)
            for span in scope_spans.spans:
                for owner in [span, *span.events, *span.links]:
                    sorted_attributes(owner)
                found[span.span_id] = (span, envelope.resource, scope_spans.scope,
                                       envelope.schema_url, scope_spans.schema_url)
    return found


@pytest.fixture(scope="module")
def trace(server):
    """The requests of a trace with every field of spans, events, links, resources and scopes."""
    trace_id = otlp.trace_id(otlp.unique())
    mixed = AnyValue()
    mixed.array_value.values.extend([otlp.any_of("a"), otlp.any_of(2**62), otlp.any_of(b"\x01"), AnyValue()])
    mixed.array_value.values.add().kvlist_value.values.add(key="k").value.double_value = 0.5
    root = otlp.span(
        trace_id=trace_id, name="GET /cart", kind=Span.SPAN_KIND_SERVER, trace_state="a=b", flags=0x301,
        dropped_attributes_count=1, dropped_events_count=2, dropped_links_count=4_294_967_295,
        attributes=otlp.attributes(
            http__request__method="GET", http__response__status_code=500, http__route=7, big=2**63 - 1, ratio=0.25, whole=5.0, tiny=1e-300, infinite=float("inf"),
            on=True, raw=b"\xde\xad", text='"\\\n☃', mixed=mixed),
        status=Status(code=Status.STATUS_CODE_OK))
    child = otlp.span(
        trace_id=trace_id, parent_span_id=root.span_id, name="SELECT", kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=root.start_time_unix_nano + 10_001,
        end_time_unix_nano=root.start_time_unix_nano + 5_000_000,
        status=Status(code=Status.STATUS_CODE_ERROR, message="too slow"),
        events=[Span.Event(time_unix_nano=root.start_time_unix_nano + 11, name="exception", dropped_attributes_count=3,
                           attributes=otlp.attributes(exception__type="E"))],
        links=[Span.Link(trace_id=otlp.trace_id(7), span_id=otlp.span_id(8), trace_state="l=1", flags=256,
                         attributes=otlp.attributes(why="retry"))])
    requests = [
        otlp.request("traces", [root], resource("shop", host__cpus=8),
                     InstrumentationScope(name="io.shop", version="1.2", attributes=otlp.attributes(short=True))),
        otlp.request("traces", [child], resource("db"), InstrumentationScope(name="io.db"))]
    requests[0].resource_spans[0].schema_url = "https://example.com/r"
    requests[0].resource_spans[0].scope_spans[0].schema_url = "https://example.com/s"
    send(server, *requests)
    return trace_id, root, requests


@pytest.mark.parametrize("how", ["id", "search"])
def test_spans_read_back_as_what_was_sent(jaeger, trace, how):
    trace_id, root, requests = trace
    if how == "id":
        found = jaeger.v3(f"/traces/{trace_id.hex()}")
    else:
        found = jaeger.v3("/traces", window(
            root.start_time_unix_nano, root.start_time_unix_nano + 1, serviceName="shop", operationName="GET /cart"))
    assert set(found) == {"result"} and set(found["result"]) == {"resourceSpans"}
    sent = TracesData()
    for request in requests:
        sent.resource_spans.extend(request.resource_spans)
    assert placed(message(found["result"]["resourceSpans"])) == placed(sent)
    span = found["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert (span["traceId"], span["spanId"]) == (trace_id.hex(), root.span_id.hex())
    assert span["startTimeUnixNano"] == str(root.start_time_unix_nano) and span["kind"] == 2
    values = {one["key"]: one["value"] for one in span["attributes"]}
    assert values["big"] == {"intValue": str(2**63 - 1)} and values["raw"] == {"bytesValue": "3q0="}
    assert values["infinite"] == {"doubleValue": "Infinity"} and values["ratio"] == {"doubleValue": 0.25}


def test_a_hint_of_when_it_was(jaeger, trace):
    trace_id, root, _ = trace
    at = root.start_time_unix_nano
    for names in (("startTime", "endTime"), ("start_time", "end_time")):
        hint = dict(zip(names, (rfc3339(at - 10**9), rfc3339(at + 10**9))))
        assert jaeger.v3(f"/traces/{trace_id.hex()}", hint | {"rawTraces": "true"})["result"]["resourceSpans"]
        hint = dict(zip(names, (rfc3339(at + 10**9), rfc3339(at + 2 * 10**9))))
        assert jaeger.v3_fails(404, f"/traces/{trace_id.hex()}", hint) == "No traces found"


def test_services_and_operations(server, jaeger, trace):
    send(server, otlp.request("traces", [otlp.span(name="plain")], resource("unkind")))
    assert {"shop", "db", "unkind"} <= set(jaeger.v3("/services")["services"])
    assert jaeger.v3("/operations", {"service": "db"}) == {"operations": [{"name": "SELECT", "spanKind": "client"}]}
    # Without a kind a span counts as an internal one.
    for asked in ({}, {"spanKind": "internal"}, {"span_kind": "internal"}):
        assert jaeger.v3("/operations", {"service": "unkind"} | asked) == {
            "operations": [{"name": "plain", "spanKind": "internal"}]}
    assert jaeger.v3("/operations", {"service": "unkind", "spanKind": "server"}) == {"operations": []}


@pytest.fixture(scope="module")
def crowd(server):
    """Three traces, oldest first, and what a summary of each has to say."""
    start = otlp.BASE_NS - 70 * otlp.MINUTE_NS
    services = ["web", "cart", None]
    expected = []
    for index in range(3):
        trace_id = otlp.trace_id(otlp.unique())
        at = start + index * otlp.MINUTE_NS
        spans = [otlp.span(trace_id=trace_id, name=f"root {index}", start_time_unix_nano=at,
                           end_time_unix_nano=at + 1_000)]
        for number in range(1, 8):
            # The parent of every fourth is nowhere.
            parent = otlp.span_id(2**40 + number) if number % 4 == 3 else spans[(number - 1) // 2].span_id
            code = Status.STATUS_CODE_ERROR if (number + index) % 3 == 0 else Status.STATUS_CODE_UNSET
            spans.append(otlp.span(trace_id=trace_id, parent_span_id=parent, name="step",
                                   start_time_unix_nano=at + number, end_time_unix_nano=at + number * 1_000,
                                   status=Status(code=code)))
        if index == 2:
            # No root: the first span without its parent stands in for it.
            spans = spans[1:]
        owners = [services[(number + index) % 3] for number in range(len(spans))]
        for name in services:
            send(server, otlp.request(
                "traces", [span for span, owner in zip(spans, owners) if owner == name], resource(name)))
        # Stored twice, which counts once.
        send(server, otlp.request("traces", [spans[-1]], resource(owners[-1])),
             otlp.request("traces", [spans[-1]], resource(owners[-1], again=True)))
        present = {span.span_id for span in spans}
        orphans = [span for span in spans if span.parent_span_id and span.parent_span_id not in present]
        roots = [span for span in spans if not span.parent_span_id] or orphans
        root = min(roots, key=lambda span: span.start_time_unix_nano)
        shown = [owner or NO_SERVICE for owner in owners]
        failed = [span.status.code == Status.STATUS_CODE_ERROR for span in spans]
        counts, errors = Counter(shown), Counter(name for name, bad in zip(shown, failed) if bad)
        expected.append({
            "traceId": trace_id.hex(), "rootServiceName": shown[spans.index(root)], "rootOperationName": root.name,
            "minStartTimeUnixNano": str(min(span.start_time_unix_nano for span in spans)),
            "maxEndTimeUnixNano": str(max(span.end_time_unix_nano for span in spans)),
            "spanCount": len(spans), "errorSpanCount": sum(failed), "orphanSpanCount": len(orphans),
            "services": [{"name": name, "spanCount": counts[name], "errorSpanCount": errors[name]}
                         for name in sorted(counts)]})
    return expected, start


def test_summaries(jaeger, crowd):
    expected, start = crowd
    asked = window(start, start + 10 * otlp.MINUTE_NS)
    found = jaeger.v3("/trace-summaries", asked | {"query.searchDepth": 20})
    assert set(found) == {"summaries"}
    for summary in found["summaries"]:
        summary["services"].sort(key=lambda one: one["name"])
    assert found["summaries"] == expected[::-1]
    ids = [one["traceId"] for one in expected]

    def matching(**more):
        answer = jaeger.v3("/trace-summaries", asked | {f"query.{key}": value for key, value in more.items()})
        return [ids.index(one["traceId"]) for one in answer["summaries"]]

    assert matching(searchDepth=1) == matching(search_depth=1) == matching(num_traces=1) == [2]
    assert matching(operationName="root 1") == matching(operation_name="root 1") == [1]
    assert matching(serviceName="web", operationName="root 0") == matching(service_name="web", operationName="root 0")
    assert matching(serviceName="web", operationName="root 0") == [0]
    assert matching(durationMin="6.5us") == matching(duration_min="6.5us") == [2, 1, 0]
    assert matching(durationMin="1h") == [] and matching(duration_max="1ns") == []
    assert matching(attributes=json.dumps({"error": "true"})) == [2, 1, 0]
    assert matching(attributes=json.dumps({"error": "true", "again": "true"})) == [2]
    assert matching(serviceName="nobody") == []


def test_snake_case_times(jaeger, crowd):
    expected, start = crowd
    found = jaeger.v3("/trace-summaries", {
        "query.start_time_min": rfc3339(start), "query.start_time_max": rfc3339(start + 10 * otlp.MINUTE_NS)})
    assert [one["traceId"] for one in found["summaries"]] == [one["traceId"] for one in expected[::-1]]


def test_nothing_found(jaeger, crowd):
    _, start = crowd
    asked = window(start, start + 1, serviceName="nobody")
    assert jaeger.v3("/trace-summaries", asked) == {"summaries": []}
    assert jaeger.v3_fails(404, "/traces", asked) == "No traces found"


@pytest.mark.parametrize("parameters, named", [
    ({"query.startTimeMax": "2026-01-01T00:00:00Z"}, "required"), ({}, "required"),
    ({"query.startTimeMin": "now-1h", "query.startTimeMax": "now"}, "startTimeMin"),
    ({"query.startTimeMin": "1700000000000000000", "query.startTimeMax": "x"}, "startTimeMin"),
    (window(0, 10**9, searchDepth="-1"), "searchDepth"), (window(0, 10**9, attributes="[1]"), "attributes"),
    (window(0, 10**9, durationMin="soon"), "durationMin"),
    (window(0, 10**9, filter='{"name":"eq"}'), "query.filter"),
    (window(0, 10**9, attributes=json.dumps({str(number): "x" for number in range(51)})), "51")])
def test_what_is_wrong_is_named(jaeger, parameters, named):
    for path in ("/traces", "/trace-summaries"):
        assert named in jaeger.v3_fails(400, path, parameters)


def test_operations_need_a_service(jaeger):
    assert "service" in jaeger.v3_fails(400, "/operations")
    assert "spanKind" in jaeger.v3_fails(400, "/operations", {"service": "x", "spanKind": "odd"})
