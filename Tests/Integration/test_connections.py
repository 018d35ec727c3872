# SPDX-License-Identifier: Apache-2.0
"""The life of a connection: how old, how idle and how silent it may be, and how many there may be."""

from contextlib import ExitStack
import resource
import socket

import pytest

from conftest import Export
from support import otlp
from support.api import api_settings
from support.grpcwire import Answer, assert_success, frame, headers
from support.h2client import ConnectionClosed
from support.locks import blocked, wait_for_blocked
from support.rawcall import exported
from support.waiting import eventually

ENHANCE_YOUR_CALM = 11


@pytest.fixture
def serve(start_server, database):
    """Starts a daemon with settings; (server, api)."""
    def start(**settings):
        more, api = api_settings(**{"database.writers": "1"})
        return start_server(database, more | settings), api
    return start


def export(client, server):
    assert exported(client, server, "traces", otlp.request("traces")).SerializeToString() == b""


def begin_export(client, server):
    stream_id = client.open(headers(server.port))
    client.send(stream_id, frame(otlp.request("traces").SerializeToString()), end_stream=True)
    return stream_id


def count(api, name, **labels):
    text = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return api.metrics()[f"{name}{{{text}}}" if text else name]


def aborted(api, reason):
    return count(api, "starling_connections_aborted_total", reason=reason)


def wait_for_end(client):
    """The last GOAWAY of a connection that the server closes."""
    client.wait_closed()
    assert client.goaways, "closed without a GOAWAY"
    return client.goaways[-1]


# --- PING ----------------------------------------------------------------------------------------


def test_keepalive_of_a_client_that_is_too_eager(serve):
    server, api = serve()
    with server.client() as client:
        export(client, server)
        with pytest.raises((ConnectionClosed, AssertionError)):
            for _ in range(100):
                client.ping()
        goaway = wait_for_end(client)
        assert (goaway.error_code, goaway.debug) == (ENHANCE_YOUR_CALM, b"too_many_pings")
    assert aborted(api, "pings") == 1


def test_pings_around_each_call_are_welcome(serve):
    """As c-core and grpc-go send them, faster than any keepalive: one per answer, and windows."""
    server, api = serve()
    with server.client() as client:
        for _ in range(300):
            export(client, server)
            client.ping()
            client.h2.increment_flow_control_window(5)
            client.flush()
        assert not client.goaways
    assert aborted(api, "pings") == 0


def test_server_asks_a_silent_client_and_believes_its_answer(serve):
    server, api = serve(**{"connections.keepalive_interval": "200ms", "connections.keepalive_timeout": "30s"})
    with server.client() as client:
        export(client, server)
        client.until(lambda: client.pings >= 2, "PINGs of the server")
        export(client, server)
    assert aborted(api, "keepalive_timeout") == 0


def test_dead_client_is_found(serve):
    """It is there as far as TCP knows, but says nothing any more."""
    server, api = serve(**{"connections.keepalive_interval": "200ms", "connections.keepalive_timeout": "300ms"})
    with server.client() as client:
        export(client, server)
        eventually(lambda: aborted(api, "keepalive_timeout") == 1, "the end of the dead connection")
        eventually(lambda: count(api, "starling_connections") == 0, "its place to be free")


# --- age and idleness ----------------------------------------------------------------------------


def test_age_ends_a_connection_without_refusing_anything(serve):
    server, api = serve(**{"connections.age_max": "500ms"})
    with server.client() as client:
        with blocked(server.database):
            stream_id = begin_export(client, server)
            wait_for_blocked(server.database)
            client.until(lambda: len(client.goaways) >= 2, "both GOAWAYs")
            first, last = client.goaways
            assert (first.last_stream_id, first.error_code) == (2**31 - 1, 0)
            assert (last.last_stream_id, last.error_code, last.debug) == (stream_id, 0, b"max_age")
        assert_success(Answer(client.wait(stream_id)))
        client.wait_closed()
    assert count(api, "starling_connections_retired_total", reason="age") == 1
    assert count(api, "starling_connections_retired_total", reason="cut") == 0


def test_grace_is_over_at_some_time(serve, db):
    server, api = serve(**{"connections.age_max": "300ms", "connections.age_grace": "300ms"})
    with server.client() as client:
        with blocked(server.database):
            begin_export(client, server)
            wait_for_blocked(server.database)
            client.wait_closed()
    assert count(api, "starling_connections_retired_total", reason="cut") == 1
    eventually(lambda: db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1,), "the span")


def test_client_that_is_asked_to_go_loses_nothing(serve, db):
    """grpcio, with connections that live for half a second, for a few seconds."""
    server, api = serve(**{"connections.age_max": "500ms"})
    with server.channel() as channel:
        send, sent = Export(channel), 0
        while count(api, "starling_connections_retired_total", reason="age") < 5:
            assert send(otlp.request("traces")).SerializeToString() == b""
            sent += 1
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (sent,)


def test_idle_connection_is_closed(serve):
    server, api = serve(**{"connections.idle_timeout": "400ms"})
    with server.client() as client:
        export(client, server)
        assert wait_for_end(client).debug == b"max_idle"
    assert count(api, "starling_connections_retired_total", reason="idle") == 1


def test_connection_with_a_call_is_not_idle(serve):
    server, api = serve(**{"connections.idle_timeout": "100ms"})
    with server.client() as client:
        with blocked(server.database):
            stream_id = begin_export(client, server)
            wait_for_blocked(server.database)
            with server.client() as other:  # by the time that this one has gone, the first would have
                other.wait_closed()
            client.pump(is_blocking=False)
            assert not client.goaways
        assert_success(Answer(client.wait(stream_id)))


# --- slow peers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("opening", [b"", b"PRI * HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0"],
                         ids=["nothing", "half a preface", "half a frame"])
def test_peer_that_does_not_begin(serve, opening):
    server, api = serve(**{"connections.handshake_timeout": "300ms"})
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(opening)
        while connection.recv(65536):
            pass
    assert aborted(api, "handshake_timeout") == 1


def test_peer_that_never_acknowledges_settings(serve):
    server, api = serve(**{"connections.handshake_timeout": "300ms"})
    with server.client() as client:  # which does not read, and so does not acknowledge
        eventually(lambda: aborted(api, "handshake_timeout") == 1, "the end of the connection")
        assert wait_for_end(client).debug == b"handshake_timeout"


# --- how many ------------------------------------------------------------------------------------


def is_served(client, server):
    try:
        client.ping()
        return True
    except (ConnectionClosed, ConnectionError):
        return False


def test_connections_of_one_address_are_limited(serve):
    server, api = serve(**{"limits.connections_per_address_max": "3"})
    with ExitStack() as stack:
        first = [stack.enter_context(server.client()) for _ in range(3)]
        assert all(is_served(client, server) for client in first)
        assert not is_served(stack.enter_context(server.client()), server)
        assert count(api, "starling_connections_refused_total", reason="address") == 1
        # Another address of the loopback has a count of its own.
        other = stack.enter_context(server.client(source="127.0.0.2"))
        export(other, server)
        first[0].close()
        eventually(lambda: is_served(stack.enter_context(server.client()), server), "the place to be free again")
    assert "127.0.0.1" in server.daemon.output()


def test_connections_of_all_are_limited(serve):
    server, api = serve(**{"limits.connections_max": "2"})
    with ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(2)]
        assert all(is_served(client, server) for client in clients)
        assert not is_served(stack.enter_context(server.client(source="127.0.0.2")), server)
    assert count(api, "starling_connections_refused_total", reason="total") == 1


def test_daemon_without_descriptors_waits_for_some(serve):
    server, api = serve()
    process = server.daemon.process.pid
    with server.client() as before, ExitStack() as stack:
        export(before, server)
        limits = resource.prlimit(process, resource.RLIMIT_NOFILE)
        used = count(api, "process_open_fds")
        resource.prlimit(process, resource.RLIMIT_NOFILE, (int(used) + 2, limits[1]))
        waiting = [stack.enter_context(server.client()) for _ in range(20)]
        eventually(lambda: "connections wait" in server.daemon.output(), "a line that says so")
        export(before, server)
        resource.prlimit(process, resource.RLIMIT_NOFILE, limits)
        for client in waiting:
            export(client, server)
    assert count(api, "starling_accept_failures_total") > 0
