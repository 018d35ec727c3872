# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: nothing that was accepted is lost, clients are told in time, the exit status is 0."""

from contextlib import nullcontext
import socket

import pytest

from support import otlp
from support.grpcwire import UNAVAILABLE, Answer, assert_error, assert_success, frame, headers
from support.locks import blocked, wait_for_blocked
from support.rawcall import exported
from support.waiting import eventually

LAST_STREAM_ID_MAX = 2**31 - 1
REFUSED_STREAM = 7


@pytest.fixture
def server(database, start_server):
    """A daemon for one test, which ends it."""
    return start_server(database, {"database.writers": "1"})


def start(client, server):
    stream_id = client.open(headers(server.port))
    client.send(stream_id, frame(otlp.request("traces").SerializeToString()), end_stream=True)
    return stream_id


def stored_count(db):
    return db.execute("SELECT count(*) FROM otel_spans_fact").fetchone()[0]


def test_request_in_flight_is_answered(server, db):
    with server.client() as client:
        with blocked(server.database):
            stream_id = start(client, server)
            wait_for_blocked(server.database)
            server.daemon.terminate()
            client.until(lambda: client.goaways, "the first GOAWAY")
            assert not client.streams[stream_id].is_over
        assert_success(Answer(client.wait(stream_id)))
        client.wait_closed()
    assert server.daemon.wait() == 0, server.daemon.output()
    assert stored_count(db) == 1


def test_goaway_comes_in_two_steps(server, db):
    """First one that excludes nothing, then, after a round trip, the one with the real last stream."""
    with server.client() as client:
        exported(client, server, "traces", otlp.request("traces"))
        with blocked(server.database):
            stream_id = start(client, server)
            wait_for_blocked(server.database)
            server.daemon.terminate()
            client.until(lambda: len(client.goaways) >= 2, "the second GOAWAY")
        first, *_, last = client.goaways
        assert (first.last_stream_id, first.error_code) == (LAST_STREAM_ID_MAX, 0)
        assert (last.last_stream_id, last.error_code) == (stream_id, 0)
        assert_success(Answer(client.wait(stream_id)))
        client.wait_closed()
        ids = [goaway.last_stream_id for goaway in client.goaways]
        assert ids == sorted(ids, reverse=True), "a later GOAWAY must not raise the id"
    assert server.daemon.wait() == 0, server.daemon.output()


@pytest.mark.parametrize("is_one_write", [False, True], ids=["after the PING is answered", "together with that"])
def test_request_sent_right_after_the_first_goaway(server, db, is_one_write):
    """It may have crossed the GOAWAY: it is served, or refused in a way that is safe to retry."""
    with server.client() as client:
        with blocked(server.database):
            stream_ids = [start(client, server)]
            wait_for_blocked(server.database)
            server.daemon.terminate()
            with client.held() if is_one_write else nullcontext():
                client.until(lambda: client.goaways, "the first GOAWAY")
                stream_ids.append(start(client, server))
        client.wait_closed()
    assert server.daemon.wait() == 0, server.daemon.output()
    first, second = (client.streams[stream_id] for stream_id in stream_ids)
    assert_success(Answer(first))
    is_answered = second.is_over and second.reset_code is None
    if is_answered and Answer(second).code == 0:
        assert_success(Answer(second))
        assert stored_count(db) == 2
        return
    if is_answered:
        assert_error(Answer(second), [UNAVAILABLE])
    else:
        assert second.reset_code in (None, REFUSED_STREAM)
        assert second.reset_code or client.goaways[-1].last_stream_id < stream_ids[1]
    assert stored_count(db) == 1, f"stored what clients are told was not processed: {client.goaways}"


def test_many_requests_in_flight(server, db):
    clients = [server.client() for _ in range(4)]
    with blocked(server.database):
        streams = [(client, start(client, server)) for client in clients for _ in range(20)]
        wait_for_blocked(server.database)
        for client in clients:
            client.ping()
        server.daemon.terminate()
        for client in clients:
            client.until(lambda client=client: client.goaways, "GOAWAY on each connection")
    for client, stream_id in streams:
        assert_success(Answer(client.wait(stream_id)))
    for client in clients:
        client.wait_closed()
        client.close()
    assert server.daemon.wait() == 0, server.daemon.output()
    assert stored_count(db) == len(streams)


def test_idle_daemon_and_idle_connections(server, db):
    with server.client() as idle, server.client() as used:
        idle.ping()
        exported(used, server, "traces", otlp.request("traces"))
        server.daemon.terminate()
        idle.wait_closed()
        used.wait_closed()
        assert idle.goaways and used.goaways
    assert server.daemon.wait() == 0, server.daemon.output()
    assert stored_count(db) == 1


def test_connection_that_never_said_anything(server, db):
    with socket.create_connection(("127.0.0.1", server.port)):
        assert server.daemon.stop() == 0, server.daemon.output()


def test_no_new_connection_while_it_drains(server, db):
    with server.client() as client:
        with blocked(server.database):
            stream_id = start(client, server)
            wait_for_blocked(server.database)
            server.daemon.terminate()
            client.until(lambda: len(client.goaways) >= 2, "the second GOAWAY")
            # Each loop has a listener of its own, which it closes in its own turn.
            eventually(lambda: is_refused(server), "the end of listening")
        assert_success(Answer(client.wait(stream_id)))
    assert server.daemon.wait() == 0, server.daemon.output()


def is_refused(server):
    try:
        with server.client():
            return False
    except ConnectionRefusedError:
        return True


def test_stopping_is_announced(server, db):
    assert server.daemon.stop() == 0
    assert "STOPPING=1" in server.daemon.notify.lines


def test_drain_does_not_wait_for_ever(database, start_server, db):
    """Past shutdown.drain_timeout it ends although the database keeps it waiting; nothing is acknowledged."""
    server = start_server(database, {"database.writers": "1", "shutdown.drain_timeout": "1s"})
    with server.client() as client:
        with blocked(server.database):
            stream_id = start(client, server)
            wait_for_blocked(server.database)
            server.daemon.terminate()
            server.daemon.wait()
            client.wait_closed()
            stream = client.streams[stream_id]
            assert stream.reset_code is not None or not stream.is_over or Answer(stream).code != 0
    assert stored_count(db) == 0
