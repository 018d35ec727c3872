# SPDX-License-Identifier: Apache-2.0
"""Where servers of Jaeger's API have made its clients fail."""

import base64

import pytest

from conftest import Export
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from support import otlp
from support.api import API, api_settings
from support.daemon import free_port
from support.jaeger import Jaeger
from support.query import QueryAPI
from support.tokens import Tokens

RANGE_MAX_SECONDS = 24 * 3600


@pytest.fixture(scope="module")
def server(database, start_server):
    settings, api = api_settings()
    root = free_port()
    server = start_server(
        database, settings | {"listen.jaeger": f"127.0.0.1:{root}", "query.range_max": f"{RANGE_MAX_SECONDS}s"})
    api.wait_ready()
    server.mounts = [Jaeger(QueryAPI(api.address)), Jaeger(QueryAPI(root), prefix="")]
    return server


def send(server, spans, service):
    with server.channel() as channel:
        Export(channel)(otlp.request(
            "traces", spans, Resource(attributes=otlp.attributes(service__name=service))))


@pytest.fixture(scope="module")
def span(server):
    span = otlp.span(trace_id=bytes.fromhex("0a" * 15 + "ff"))
    send(server, [span], "trapped")
    return span


@pytest.fixture(params=[0, 1], ids=["mounted", "root"])
def jaeger(request, server):
    """The same on listen.api and on a listener of its own: Grafana 12.1 loses the path of the mount."""
    return server.mounts[request.param]


@pytest.mark.parametrize("path", ["", "/v3"])
def test_an_unknown_trace_is_404(jaeger, path):
    target = f"/api{path}/traces/{'ab' * 16}"
    if path:
        assert "found" in jaeger.v3_fails(404, target.removeprefix("/api/v3"))
    else:
        assert jaeger.fails(404, target) == "trace not found"


def test_no_services_are_an_empty_list(database, jaeger, server):
    connection = database.connect()
    connection.execute("BEGIN; ALTER TABLE otel_operations_dim RENAME TO kept; "
                       "CREATE TABLE otel_operations_dim (LIKE kept INCLUDING ALL); COMMIT")
    try:
        assert jaeger.get("/api/services") == []
        assert jaeger.v3("/services") == {"services": []}
    finally:
        connection.execute("BEGIN; DROP TABLE otel_operations_dim; "
                           "ALTER TABLE kept RENAME TO otel_operations_dim; COMMIT")
        connection.close()


def test_nothing_is_packed(jaeger, server, span):
    send(server, [otlp.span(trace_id=span.trace_id) for _ in range(100)], "trapped")
    for path in (f"/api/traces/{span.trace_id.hex()}", f"/api/v3/traces/{span.trace_id.hex()}", "/api/services"):
        answer = jaeger.query.request(jaeger.prefix + path, **{"Accept-Encoding": "gzip, deflate, br"})
        assert answer.status == 200 and "Content-Encoding" not in answer.headers


def test_the_older_json_is_whole_for_grafana(jaeger, span):
    """What Grafana's health check and trace look-up ask, and how they read it."""
    assert "trapped" in jaeger.get("/api/services")
    assert jaeger.get(f"/api/traces/{span.trace_id.hex()}")[0]["spans"][0]["processID"] == "p1"


@pytest.mark.parametrize("lookback", [1, 7, 30, 365, 20_000], ids="{} days".format)
def test_any_look_back_is_answered(jaeger, span, lookback):
    end = otlp.BASE_NS // 1000 + 3_600_000_000
    start = end - lookback * 86_400_000_000
    asked = {"service": "trapped", "start": max(0, start), "end": end, "limit": 1500}
    answer = jaeger.envelope("/api/traces", asked)
    assert [trace["traceID"] for trace in answer["data"]] == [span.trace_id.hex()]
    assert ("warnings" in answer) == (lookback > 1)
    answer = jaeger.envelope("/api/traces", asked | {"limit": 1501})
    assert any("1500" in warning for warning in answer["warnings"])


@pytest.mark.parametrize("form", ["lower", "upper", "no leading zero", "base64", "base64 without padding", "url"])
def test_forms_of_a_trace_id(jaeger, span, form):
    digits = span.trace_id.hex()
    packed = base64.b64encode(span.trace_id).decode()
    written = {"lower": digits, "upper": digits.upper(), "no leading zero": digits[1:],
               "base64": packed.replace("/", "%2F").replace("+", "%2B"),
               "base64 without padding": packed.rstrip("=").replace("/", "%2F").replace("+", "%2B"),
               "url": base64.urlsafe_b64encode(span.trace_id).decode()}[form]
    [found] = jaeger.get(f"/api/traces/{written}")
    assert found["traceID"] == digits


def test_a_short_trace_id(jaeger, server):
    short = otlp.unique().to_bytes(8, "big")
    send(server, [otlp.span(trace_id=bytes(8) + short)], "short")
    [found] = jaeger.get(f"/api/traces/{short.hex()}")
    assert found["traceID"] == bytes(8).hex() + short.hex()


def test_a_span_that_was_stored_twice_is_shown_once(jaeger, server):
    trace_id = otlp.trace_id(otlp.unique())
    one = otlp.span(trace_id=trace_id)
    send(server, [one, otlp.span(trace_id=trace_id)], "twice")
    send(server, [one], "twice")
    [found] = jaeger.get(f"/api/traces/{trace_id.hex()}")
    assert len(found["spans"]) == 2 and all(span["warnings"] is None for span in found["spans"])
    # Another span with that id is no repetition, and its being left out is said.
    one.name = "other"
    send(server, [one], "twice")
    [found] = jaeger.get(f"/api/traces/{trace_id.hex()}")
    assert len(found["spans"]) == 2
    [warned] = [span for span in found["spans"] if span["spanID"] == one.span_id.hex()]
    assert "same id" in warned["warnings"][0]


def test_who_may_ask(binary, database, start_server, tmp_path):
    """The rules of listen.api hold for the listener at the root too, and are told in each API's form."""
    tokens = Tokens(binary, database)
    reader, sender = tokens.secret("--scope", "read"), tokens.secret("--scope", "ingest")
    settings, api = api_settings()
    path = tmp_path / "j"
    start_server(database, settings | {"listen.jaeger": f"unix:{path}", "auth.required": "true"})
    api.wait_ready()
    for asked, prefix in ((api, "/jaeger"), (API(path), "")):
        for target in ("/api/services", "/api/v3/services", f"/api/traces/{'ab' * 16}"):
            for token, status in ((None, 401), ("wrong", 401), (sender, 403)):
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                answer = asked.request(prefix + target, **headers)
                assert answer.status == status, answer
                error = answer.json["error"] if "v3" in target else answer.json["errors"][0]
                assert status in (error.get("httpCode"), error.get("code")), answer
            answer = asked.request(prefix + target, **{"Authorization": f"Bearer {reader}"})
            assert answer.status == (404 if "traces" in target else 200), answer
    # Nothing else is served at the root.
    assert API(path).request("/metrics", **{"Authorization": f"Bearer {reader}"}).status == 404
