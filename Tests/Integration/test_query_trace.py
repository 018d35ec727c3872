# SPDX-License-Identifier: Apache-2.0
"""GET /api/traces/{id}: a whole trace over HTTP, beside what was sent."""

import json

import pytest

from conftest import Export
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from support import otlp
from support.api import api_settings
from support.query import QueryAPI


@pytest.fixture(scope="module")
def served(database, start_server):
    settings, api = api_settings()
    server = start_server(database, settings)
    api.wait_ready()
    return server, QueryAPI(api.address)


def send(server, *requests):
    with server.channel() as channel:
        for request in requests:
            Export(channel)(request)


@pytest.fixture(scope="module")
def trace(served):
    """A trace over two services, with all that a span may have; and what is to be seen of it."""
    server, _ = served
    trace_id = otlp.trace_id(otlp.unique())
    root = otlp.span(
        trace_id=trace_id, name="GET /cart", kind=Span.SPAN_KIND_SERVER, trace_state="a=b",
        flags=0x301, dropped_attributes_count=1, dropped_events_count=2, dropped_links_count=4_294_967_295,
        attributes=otlp.attributes(http__request__method="GET", big=2**62, text='"\\\n☃'),
        status=Status(code=Status.STATUS_CODE_OK))
    child = otlp.span(
        trace_id=trace_id, parent_span_id=root.span_id, name="SELECT", kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=root.start_time_unix_nano + 10, end_time_unix_nano=root.start_time_unix_nano + 5_000,
        status=Status(code=Status.STATUS_CODE_ERROR, message="too slow"),
        events=[Span.Event(time_unix_nano=root.start_time_unix_nano + 11, name="exception",
                           attributes=otlp.attributes(exception__type="E"))],
        links=[Span.Link(trace_id=otlp.trace_id(7), span_id=otlp.span_id(8))])
    resources = [otlp.request("traces").resource_spans[0].resource for _ in range(2)]
    for resource, name in zip(resources, ("shop", "db")):
        del resource.attributes[:]
        resource.attributes.extend(otlp.attributes(service__name=name, host__cpus=8))
    send(server, otlp.request("traces", [child], resources[1]), otlp.request("traces", [root], resources[0]))
    return trace_id.hex(), root, child


def test_everything_that_was_sent(served, trace):
    trace_id, root, child = trace
    _, query = served
    found = query.get(f"/api/traces/{trace_id}")
    assert found["trace_id"] == trace_id
    assert found["start_time_unix_nano"] == str(root.start_time_unix_nano)
    assert found["end_time_unix_nano"] == str(child.end_time_unix_nano)
    assert found["duration_nanos"] == str(child.end_time_unix_nano - root.start_time_unix_nano)
    assert (found["span_count"], found["error_count"], found["warnings"]) == (2, 1, [])
    services = {resource["resource_id"]: resource for resource in found["resources"]}
    assert {r["service_name"]: r["attributes"] for r in services.values()} == {
        name: {"service.name": name, "host.cpus": 8} for name in ("shop", "db")}
    first, second = found["spans"]
    assert services[first["resource_id"]]["service_name"] == first["service_name"] == "shop"
    assert second["service_name"] == "db"
    assert {key: first[key] for key in ("span_id", "parent_span_id", "name", "kind", "status", "trace_state")} == {
        "span_id": root.span_id.hex(), "parent_span_id": None, "name": "GET /cart", "kind": "SERVER",
        "status": "OK", "trace_state": "a=b"}
    assert first["attributes"] == {"http.request.method": "GET", "big": 2**62, "text": '"\\\n☃'}
    assert [first[f"dropped_{what}_count"] for what in ("attributes", "events", "links")] == [1, 2, 4_294_967_295]
    assert first["flags"] == 0x301 and (first["scope_name"], first["events"], first["links"]) == ("test", [], [])
    assert second["parent_span_id"] == root.span_id.hex()
    assert (second["status"], second["status_message"], second["kind"]) == ("ERROR", "too slow", "CLIENT")
    assert second["events"][0]["name"] == "exception"
    assert second["events"][0]["attributes"] == {"exception.type": "E"}
    assert second["links"][0]["trace_id"] == otlp.trace_id(7).hex()


def test_the_id_may_be_written_in_upper_case(served, trace):
    trace_id, *_ = trace
    assert served[1].get(f"/api/traces/{trace_id.upper()}")["trace_id"] == trace_id


def test_a_short_id(served):
    server, query = served
    short = otlp.unique().to_bytes(8, "big")
    send(server, otlp.request("traces", [otlp.span(trace_id=bytes(8) + short)]))
    assert query.get(f"/api/traces/{short.hex()}")["trace_id"] == bytes(8).hex() + short.hex()


def test_no_such_trace(served):
    served[1].problem(404, "not-found", f"/api/traces/{'ab' * 16}")


@pytest.mark.parametrize("written", ["x", "0" * 32, "ab" * 15, "%22", "ab" * 16 + "'"])
def test_what_is_no_trace_id(served, written):
    served[1].problem(400, "invalid-parameter", f"/api/traces/{written}", pointer="id")


def test_unknown_parameters_are_errors(served, trace):
    served[1].problem(400, "invalid-parameter", f"/api/traces/{trace[0]}", {"colour": "red"}, pointer="colour")


def test_gzip_and_entity_tags(served, trace):
    _, query = served
    path = f"/api/traces/{trace[0]}"
    plain = query.request(path)
    assert "Content-Encoding" not in plain.headers
    packed = query.request(path, **{"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.headers["Content-Encoding"] == "gzip" and packed.body == plain.body
    tag = plain.headers["ETag"]
    assert tag == packed.headers["ETag"]
    known = query.request(path, **{"If-None-Match": f'"x", {tag}'})
    assert (known.status, known.body, known.headers["ETag"]) == (304, "", tag)
    assert query.request(path, **{"If-None-Match": 'W/"x"'}).status == 200
    assert "Content-Encoding" not in query.request(path, **{"Accept-Encoding": "gzip;q=0"}).headers


def test_head_and_other_methods(served, trace):
    _, query = served
    head = query.request(f"/api/traces/{trace[0]}", method="HEAD")
    assert (head.status, head.body) == (200, "")
    refused = query.request(f"/api/traces/{trace[0]}", method="DELETE")
    assert refused.status == 405 and json.loads(refused.body)["status"] == 405


def test_a_trace_of_many_spans(served):
    server, query = served
    trace_id = otlp.trace_id(otlp.unique())
    spans = [otlp.span(trace_id=trace_id) for _ in range(3_000)]
    send(server, otlp.request("traces", spans))
    found = query.get(f"/api/traces/{trace_id.hex()}", **{"Accept-Encoding": "gzip"})
    assert [span["span_id"] for span in found["spans"]] == [span.span_id.hex() for span in spans]
