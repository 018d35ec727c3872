# SPDX-License-Identifier: Apache-2.0
"""OTLP/HTTP over HTTP/2 with prior knowledge: streams side by side, clients that go, the end of the daemon."""

import pytest

from support import otlp, rebuild
from support.api import api_settings
from support.daemon import free_port
from support.h2client import Client
from support.locks import blocked, wait_for_blocked
from support.normal import assert_same, merge
from support.otlphttp import JSON, PROTOBUF, Answer
from support.waiting import eventually


@pytest.fixture
def serve(database, start_server):
    servers = []

    def start():
        port = free_port()
        settings, api = api_settings(**{
            "listen.http": f"127.0.0.1:{port}", "database.writers": "1", "limits.request_bytes_max": "1MiB"})
        server = start_server(database, settings)
        servers.append(server)
        return server, port, api

    yield start
    for server in servers:
        if server.daemon.is_running():
            assert server.daemon.stop() == 0, server.daemon.output()


def fields(content_type=PROTOBUF, path="/v1/traces", **more):
    return [(":method", "POST"), (":scheme", "http"), (":authority", "test"), (":path", path),
            ("content-type", content_type)] + [(name.replace("_", "-"), str(value)) for name, value in more.items()]


def post(client, body, **options):
    """A request that is sent as a whole; its stream."""
    stream_id = client.open(fields(**options))
    client.send(stream_id, body, end_stream=True)
    return stream_id


def answer(client, stream_id):
    client.until(lambda: client.streams[stream_id].is_over, f"the end of stream {stream_id}")
    stream = client.streams[stream_id]
    assert stream.headers, stream
    headers = dict(stream.headers)
    assert "connection" not in headers
    return Answer(int(headers[":status"]), headers, stream.data)


def total(api, name):
    return api.metrics()[f"starling_{name}_total"]


def test_streams_side_by_side(serve, db):
    server, port, _ = serve()
    requests = [otlp.request("traces") for _ in range(60)]
    with Client(port) as client:
        with blocked(server.database):
            streams = [post(client, request.SerializeToString()) for request in requests]
            wait_for_blocked(server.database)
            # Answers do not wait for one another.
            assert answer(client, post(client, b"[]", content_type=JSON)).error(400)
            assert answer(client, post(client, b"", path="/v1/nothing")).error(404)
        for stream_id in streams:
            assert answer(client, stream_id).status == 200
    assert_same(merge(requests), rebuild.traces(db))


def test_a_reset_lets_the_export_go(serve, db):
    server, port, api = serve()
    kept, gone = [otlp.request("traces") for _ in range(2)], otlp.request("traces")
    with Client(port) as client:
        with blocked(server.database):
            first = post(client, kept[0].SerializeToString())
            wait_for_blocked(server.database)
            second = post(client, gone.SerializeToString())
            client.ping()
            client.reset(second)
            third = post(client, kept[1].SerializeToString())
            eventually(lambda: total(api, "answers_without_stream") == 1, "the export to be let go")
        assert answer(client, first).status == answer(client, third).status == 200
    assert_same(merge(kept), rebuild.traces(db))


def test_a_connection_that_goes_lets_all_of_it_go(serve, db):
    server, port, api = serve()
    with Client(port) as client:
        with blocked(server.database):
            post(client, otlp.request("traces").SerializeToString())
            wait_for_blocked(server.database)
            for _ in range(5):
                post(client, otlp.request("traces").SerializeToString())
            client.ping()
            client.close()
            eventually(lambda: total(api, "answers_without_stream") == 5, "the exports to be let go")
        eventually(lambda: total(api, "answers_without_stream") == 6, "the last outcome")
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1,)


@pytest.mark.parametrize("is_reset", [True, False])
def test_bodies_that_are_given_up_are_let_go(serve, is_reset):
    _, port, api = serve()
    with Client(port) as client:
        stream_id = client.open(fields())
        client.send(stream_id, b"x" * 1000)
        eventually(lambda: api.metrics()["starling_memory_budget_used_bytes"] >= 1000, "the body to be held")
        if is_reset:
            client.reset(stream_id)
        else:
            client.close()
        eventually(lambda: api.metrics()["starling_memory_budget_used_bytes"] == 0, "the body to be let go")


@pytest.mark.parametrize("is_announced", [True, False])
def test_what_is_too_large_costs_its_stream_only(serve, db, is_announced):
    _, port, _ = serve()
    size_bytes = (1 << 20) + 1
    with Client(port) as client:
        more = {"content_length": size_bytes} if is_announced else {}
        stream_id = client.open(fields(**more))
        client.send(stream_id, b"x" * size_bytes, end_stream=True)
        assert "limits.request_bytes_max" in answer(client, stream_id).error(413)
        request = otlp.request("traces")
        assert answer(client, post(client, request.SerializeToString())).status == 200
    assert_same(request, rebuild.traces(db))


def test_heads_that_are_too_large(serve, db):
    _, port, _ = serve()
    with Client(port) as client:
        client.ping()
        client.open(fields(x="y" * 30_000), end_stream=True)
        client.wait_closed()
        assert client.goaways
    with Client(port) as client:
        assert answer(client, post(client, b"")).status == 200


def test_what_is_in_flight_is_answered_at_the_end(serve, db):
    server, port, _ = serve()
    request = otlp.request("traces")
    with Client(port) as client, Client(port) as idle:
        assert answer(idle, post(idle, b"")).status == 200
        with blocked(server.database):
            stream_id = post(client, request.SerializeToString())
            wait_for_blocked(server.database)
            server.daemon.terminate()
            client.until(lambda: client.goaways, "a GOAWAY")
            idle.wait_closed()
        assert answer(client, stream_id).status == 200
        client.wait_closed()
    assert server.daemon.wait() == 0, server.daemon.output()
    assert_same(request, rebuild.traces(db))
