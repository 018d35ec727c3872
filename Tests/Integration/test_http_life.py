# SPDX-License-Identifier: Apache-2.0
"""OTLP/HTTP over time: retries, clients that go, deadlines, memory, the end of the daemon."""

from contextlib import suppress
import http.client
import os
import resource
import socket
import threading

import pytest

from conftest import Export
from support import otlp, rebuild
from support.api import api_settings
from support.daemon import free_port, run
from support.locks import blocked, wait_for_blocked
from support.normal import assert_same, merge
from support.otlphttp import JSON, PROTOBUF, Connection, RawConnection, head, posted, to_json
from support.waiting import eventually

MIB = 1 << 20


@pytest.fixture
def serve(database, start_server):
    """A daemon for one test with OTLP/HTTP, its port and its API."""
    servers = []

    def start(**settings):
        port = free_port()
        more, api = api_settings(**{"listen.http": f"127.0.0.1:{port}", "database.writers": "1"})
        server = start_server(database, more | {key.replace("__", "."): value for key, value in settings.items()})
        servers.append(server)
        return server, port, api

    yield start
    for server in servers:
        if server.daemon.is_running():
            assert server.daemon.stop() == 0, server.daemon.output()


def stored_count(db):
    return db.execute("SELECT count(*) FROM otel_spans_fact").fetchone()[0]


def total(api, name, **labels):
    text = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return api.metrics()[f"starling_{name}_total" + (f"{{{text}}}" if text else "")]


# --- retries ------------------------------------------------------------------------------------

def test_a_retry_is_known_whatever_brought_it(serve, db):
    """The same bytes over HTTP, over gRPC, and to another run of the daemon."""
    request = otlp.request("traces")
    server, port, api = serve()
    with Connection(port) as connection, server.channel() as channel:
        connection.export("traces", request)
        connection.export("traces", request, compressed=True)
        Export(channel)(request)
        # Transcoded, it is what a protobuf library writes.
        connection.export("traces", request, JSON)
    assert total(api, "items_settled", signal="traces", outcome="deduplicated") == 3
    assert server.daemon.stop() == 0
    server, port, api = serve()
    with Connection(port) as connection:
        connection.export("traces", request)
        other = to_json(otlp.request("traces")).encode()
        for _ in range(3):
            assert connection.post("traces", other, JSON).status == 200
    assert total(api, "items_settled", signal="traces", outcome="deduplicated") == 3
    assert stored_count(db) == 2


@pytest.mark.parametrize("ack", ["spool", "buffer"])
def test_weaker_acknowledgements(serve, db, scratch, ack):
    settings = {"spool__directory": str(scratch / "spool")} if ack == "spool" else {}
    _, port, api = serve(durability__ack=ack, **settings)
    with Connection(port) as connection:
        connection.export("traces", otlp.request("traces"))
    eventually(lambda: stored_count(db) == 1, "the span to be stored")
    assert total(api, "items_answered", signal="traces", transport="http", outcome="accepted") == 1


def test_items_are_counted_per_protocol(serve, db):
    server, port, api = serve()
    with Connection(port) as connection, server.channel() as channel:
        connection.export("traces", otlp.request("traces", [otlp.span() for _ in range(5)]))
        connection.export("traces", otlp.request("traces", [otlp.span(trace_id=b""), otlp.span()]))
        Export(channel)(otlp.request("traces", [otlp.span() for _ in range(3)]))
        assert connection.post("traces", b"x").status == 400
    samples = api.metrics()
    for transport, count in (("http", 6), ("grpc", 3)):
        name = f'otelcol_receiver_accepted_spans_total{{receiver="otlp",transport="{transport}"}}'
        assert samples[name] == count
    assert samples["starling_requests_received_total"] == 4
    assert {outcome: samples[f'starling_requests_answered_total{{outcome="{outcome}"}}']
            for outcome in ("accepted", "partial", "refused")} == {"accepted": 2, "partial": 1, "refused": 1}
    assert samples['starling_ack_latency_seconds_count{signal="traces"}'] == 3


# --- clients that go ----------------------------------------------------------------------------

def test_a_client_that_goes_before_its_request_is_taken(serve, db):
    server, port, api = serve()
    gone, kept = otlp.request("traces"), [otlp.request("traces") for _ in range(2)]
    with RawConnection(port) as first, RawConnection(port) as second:
        with blocked(server.database):
            first.send(posted("traces", kept[0].SerializeToString()))
            wait_for_blocked(server.database)
            # The writer is busy: this one waits in the ring.
            with RawConnection(port) as leaver:
                leaver.send(posted("traces", gone.SerializeToString()))
                eventually(lambda: total(api, "items_received", signal="traces") == 2, "both spans to arrive")
            second.send(posted("traces", kept[1].SerializeToString()))
            eventually(lambda: total(api, "answers_without_stream") == 1, "the export to be let go")
        assert first.answer().status == 200
        assert second.answer().status == 200
    assert_same(merge(kept), rebuild.traces(db))


def test_a_client_that_goes_in_the_middle_of_its_body(serve, db):
    server, port, api = serve()
    body = otlp.request("traces").SerializeToString()
    for _ in range(10):
        with RawConnection(port) as connection:
            connection.send(head(content_length=len(body)).encode() + body[:-1])
            eventually(lambda: api.metrics()["starling_memory_budget_used_bytes"] > 0, "the body to be held")
        eventually(lambda: api.metrics()["starling_memory_budget_used_bytes"] == 0, "the body to be let go")
    eventually(lambda: total(api, "connections_accepted") == total(api, "connections_closed"), "no connection")
    assert stored_count(db) == 0


# --- time ---------------------------------------------------------------------------------------

def test_the_deadline_of_a_request_that_is_not_stored(serve, db):
    server, port, api = serve(limits__request_deadline="300ms")
    with Connection(port) as connection:
        with blocked(server.database):
            answer = connection.post("traces", otlp.request("traces").SerializeToString())
            assert "deadline" in answer.error(504)
        eventually(lambda: connection.post("traces", otlp.request("traces").SerializeToString()).status == 200,
                   "the database to be free again")
    assert total(api, "requests_answered", outcome="expired") >= 1


def test_the_deadline_of_a_body_that_does_not_come(serve):
    _, port, _ = serve(limits__request_deadline="300ms")
    with RawConnection(port) as connection:
        connection.send(head(content_length=10) + "x")
        answer = connection.answer()
        assert "deadline" in answer.error(504)
        assert answer.headers["connection"] == "close"
        assert connection.is_closed()


# --- memory -------------------------------------------------------------------------------------

def test_bodies_beyond_the_budget_are_told_to_come_back(serve, db):
    """Clients hold their bodies back for as long as they like; others are told to wait, and how long."""
    server, port, api = serve(memory__budget_bytes="8MiB", limits__request_bytes_max="2MiB",
                              limits__unpacked_bytes_max="4MiB", batch__bytes_max="1MiB")
    body = otlp.request("traces").SerializeToString()
    holders = [RawConnection(port) for _ in range(6)]
    for holder in holders:
        holder.send(head(content_length=2 * MIB))
        holder.send(b"\x0a" * (2 * MIB - 1))
    answers = []

    def wait(holder):
        with suppress(http.client.RemoteDisconnected):
            answers.append(holder.answer())

    threads = [threading.Thread(target=wait, args=[holder]) for holder in holders]
    for thread in threads:
        thread.start()
    eventually(lambda: answers, "a request to be turned away")
    for answer in list(answers):
        assert "memory" in answer.error(503)
        assert 1 <= int(answer.headers["retry-after"]) <= 5
    for holder in holders:
        holder.socket.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    eventually(lambda: api.metrics()["starling_memory_budget_used_bytes"] == 0, "the memory to be free")
    with Connection(port) as connection:
        assert connection.post("traces", body).status == 200
    assert total(api, "requests_answered", outcome="retry") >= 1
    assert stored_count(db) == 1


def test_large_requests_are_decoded_elsewhere(serve, db):
    _, port, _ = serve()
    request = otlp.request("traces", [otlp.span(trace_state="x" * 3000) for _ in range(2000)])
    with Connection(port) as connection:
        connection.export("traces", request)
        connection.export("traces", otlp.request("traces", [otlp.span(trace_state="y" * 3000) for _ in range(2000)]),
                          JSON, compressed=True)
    assert stored_count(db) == 4000


# --- the end ------------------------------------------------------------------------------------

def test_what_is_in_flight_is_answered_at_the_end(serve, db):
    server, port, _ = serve()
    request = otlp.request("traces")
    with RawConnection(port) as busy, RawConnection(port) as half, RawConnection(port) as idle, \
            RawConnection(port) as silent:
        idle.send(posted("traces", b""))
        assert idle.answer().status == 200
        with blocked(server.database):
            busy.send(posted("traces", request.SerializeToString()))
            wait_for_blocked(server.database)
            body = otlp.request("traces").SerializeToString()
            half.send(head(content_length=len(body), expect="100-continue"))
            assert half.head() == ["HTTP/1.1 100 Continue"]
            server.daemon.terminate()
            # These have nothing to wait for.
            assert idle.is_closed() and silent.is_closed()
        answer = busy.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert busy.is_closed()
        half.send(body)
        answer = half.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert half.is_closed()
    assert server.daemon.wait() == 0, server.daemon.output()
    assert stored_count(db) == 2
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_drain_that_takes_too_long(serve, db):
    server, port, _ = serve(shutdown__drain_timeout="200ms")
    with RawConnection(port) as connection, RawConnection(port) as half:
        half.send(head(content_length=10) + "x")
        with blocked(server.database):
            connection.send(posted("traces", otlp.request("traces").SerializeToString()))
            wait_for_blocked(server.database)
            server.daemon.terminate()
            answer = connection.answer()
            assert answer.error(503)
            assert 1 <= int(answer.headers["retry-after"]) <= 5
            assert half.is_closed()
            assert server.daemon.wait() == 0, server.daemon.output()
    assert stored_count(db) == 0


# --- where --------------------------------------------------------------------------------------

def test_a_port_that_is_taken(serve, database, binary):
    _, port, _ = serve()
    result = run(binary, "serve", "--set", f"listen.http=127.0.0.1:{port}", "--set", "listen.api=",
                 environment=database.environment | {"STARLING_LISTEN_GRPC": f"127.0.0.1:{free_port()}"})
    assert result.returncode == 1
    assert "choose another address with listen.http" in result.stderr


def test_a_unix_socket(serve, scratch, db):
    path = scratch / "otlp"
    server, _, api = serve(listen__http=f"unix:{path}")
    assert api.request("/api/status").json["listeners"]["http"] == f"unix:{path}"
    with RawConnection(path) as connection:
        connection.send(posted("traces", otlp.request("traces").SerializeToString()))
        assert connection.answer().status == 200
    assert server.daemon.stop() == 0
    assert not path.exists()
    assert stored_count(db) == 1


def test_it_can_be_the_only_one(serve, db):
    server, port, _ = serve(listen__grpc="")
    with Connection(port) as connection:
        connection.export("logs", otlp.request("logs"), PROTOBUF)
    assert "gRPC" not in server.daemon.stderr()


def test_too_many_connections(serve):
    _, port, api = serve(limits__connections_max="2")
    with RawConnection(port) as first, RawConnection(port) as second:
        for connection in (first, second):
            connection.send(posted("traces", b""))
            assert connection.answer().status == 200
        with RawConnection(port) as third:
            assert third.is_closed()
    assert total(api, "connections_refused", reason="total") == 1


# --- the machine's limits -----------------------------------------------------------------------

def test_no_descriptors_for_a_while(serve, db):
    """A machine that has no room for another connection now has it later."""
    server, port, api = serve()
    pid = server.daemon.process.pid
    with Connection(port) as connection:
        connection.export("traces", otlp.request("traces"))
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        # The next descriptor would be this one.
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(set(range(len(used) + 1)) - used), hard))
        try:
            with RawConnection(port) as waiting:
                waiting.send(posted("traces", otlp.request("traces").SerializeToString()))
                # Those that are there are served.
                connection.export("traces", otlp.request("traces"))
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
                assert waiting.answer().status == 200
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    with Connection(port) as connection:
        connection.export("traces", otlp.request("traces"))
    assert stored_count(db) == 4


# --- how many connections -----------------------------------------------------------------------

def open_to(port, source="127.0.0.1"):
    raw = RawConnection.__new__(RawConnection)
    raw.socket = socket.create_connection(("127.0.0.1", port), 60, (source, 0))
    return raw


def is_served(raw):
    try:
        raw.send(posted("traces", b""))
        return raw.answer().status == 200
    except (ConnectionError, http.client.HTTPException):
        return False


def test_connections_of_one_address_are_limited(serve):
    """Those of gRPC and of HTTP together: one key, one count."""
    server, port, api = serve(limits__connections_per_address_max="3")
    with server.client() as grpc, open_to(port) as first, open_to(port) as second:
        grpc.ping()
        assert is_served(first) and is_served(second)
        with open_to(port) as third:
            assert not is_served(third)
        assert total(api, "connections_refused", reason="address") == 1
        with open_to(port, "127.0.0.2") as other:  # another address of the loopback
            assert is_served(other)
        first.socket.close()

        def is_free():
            with open_to(port) as again:
                return is_served(again)
        eventually(is_free, "the place to be free again")
    assert "limits.connections_per_address_max" in server.daemon.output()


def test_connections_of_all_are_limited(serve):
    server, port, api = serve(limits__connections_max="2")
    with open_to(port) as first, open_to(port) as second, open_to(port, "127.0.0.2") as third:
        assert is_served(first) and is_served(second) and not is_served(third)
    assert total(api, "connections_refused", reason="total") == 1


def test_unix_sockets_have_no_address(serve, scratch):
    path = scratch / "otlp-http.sock"
    serve(limits__connections_per_address_max="1", listen__http=f"unix:{path}")
    with RawConnection(path) as first, RawConnection(path) as second:
        assert is_served(first) and is_served(second)
