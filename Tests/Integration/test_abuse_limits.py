# SPDX-License-Identifier: Apache-2.0
"""Each flood ends its connection at the limit that is meant for it, says so, and is counted; others go on."""

import socket
import struct

import pytest

from support import otlp
from support.api import api_settings
from support.arsenal import ATTACKS, REFLECTION, greeting
from support.floods import until_cut
from support.grpcwire import RESOURCE_EXHAUSTED, Answer, headers
from support.rawcall import assert_healthy, exported
from support.waiting import PATIENCE_SECONDS, eventually

GOAWAY = 7
PROTOCOL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, ENHANCE_YOUR_CALM = 1, 5, 6, 11
# Attack → what the daemon counts it as, and what it says in GOAWAY.
FLOODS = {
    "rapid reset": ("resets", b"too_many_resets"),
    "rapid reset of exports": ("resets", b"too_many_resets"),
    "MadeYouReset": ("invalid_frames", b"too_many_invalid_frames"),
    "PING flood": ("pings", b"too_many_pings"),
    "SETTINGS flood": ("settings", b"too_many_settings"),
    "WINDOW_UPDATE flood": ("control_frames", b"too_many_control_frames"),
    "unknown frames": ("control_frames", b"too_many_control_frames"),
    "empty DATA": ("empty_data", b"too_many_empty_data_frames"),
    "dribbled DATA": ("control_frames", b"too_many_control_frames"),
    "HPACK bomb": ("header_lists", b"too_many_large_header_lists"),
}


@pytest.fixture(scope="module")
def observed(start_server, database):
    settings, api = api_settings()
    return start_server(database, settings), api


def aborted(api):
    """reason → connections."""
    name = "starling_connections_aborted_total{"
    return {key.split('"')[1]: int(value) for key, value in api.metrics().items() if key.startswith(name)}


def goaways(received):
    """(error code, debug text) of each GOAWAY."""
    offset = 0
    while offset + 9 <= len(received):
        size, kind = int.from_bytes(received[offset:offset + 3], "big"), received[offset + 3]
        if kind == GOAWAY:
            _, code = struct.unpack(">II", received[offset + 9:offset + 17])
            yield code, received[offset + 17:offset + 9 + size]
        offset += 9 + size


@pytest.mark.parametrize("name", FLOODS)
def test_flood_ends_its_connection_and_is_counted(observed, db, name):
    server, api = observed
    attack = ATTACKS[name]
    reason, text = FLOODS[name]
    before = aborted(api)
    with server.client() as bystander:
        exported(bystander, server, "traces", otlp.request("traces"))
        received = until_cut(server.port, attack.opening(server.port), attack.repeated(server.port))
        exported(bystander, server, "traces", otlp.request("traces"))
    after = aborted(api)
    assert {key for key in after if after[key] > before[key]} == {reason}
    assert list(goaways(received)) in ([(ENHANCE_YOUR_CALM, text)], []), "a reset may overtake the GOAWAY"
    assert_healthy(server)


def test_more_streams_than_there_may_be(observed, db):
    """Each refused, by a reset; by which of two limits the connection ends depends on who is faster."""
    server, api = observed
    before = aborted(api)
    attack = ATTACKS["streams too many"]
    until_cut(server.port, attack.opening(server.port))
    after = aborted(api)
    assert {key for key in after if after[key] > before[key]} <= {"resets", "unread_frames"}
    assert sum(after.values()) == sum(before.values()) + 1


def test_continuations_are_nghttp2s_to_end(observed, db):
    server, api = observed
    before = aborted(api)["protocol"]
    attack = ATTACKS["CONTINUATION flood"]
    until_cut(server.port, attack.opening(server.port), attack.repeated(server.port))
    assert aborted(api)["protocol"] == before + 1


@pytest.mark.parametrize("frame", [
    b"\0\0\4\x08\0\0\0\0\0" + b"\0\0\0\0", b"\0\0\5\4\0\0\0\0\0" + b"\0" * 5,
    b"\0\0\1\0\0\0\0\0\1x", b"\0\x7f\xff\0\0\0\0\0\1"],
    ids=["a window opened by nothing", "settings of five bytes", "data on no stream", "a frame too large"])
def test_who_breaks_http2_is_counted(observed, frame):
    server, api = observed
    before = aborted(api)
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(greeting() + frame)
        received = b""
        while piece := connection.recv(4096):
            received += piece
    assert [code for code, _ in goaways(received)][0] in (PROTOCOL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR)
    assert aborted(api) == before | {"protocol": before["protocol"] + 1}


def test_trailers_that_do_not_end(start_server, database):
    """Behind a call that is answered already: the time of a head runs all the same."""
    settings, api = api_settings(**{"connections.handshake_timeout": "300ms"})
    server = start_server(database, settings)
    with server.client() as client:
        stream = client.open(headers(server.port, path="/nowhere"))
        client.send_raw(b"\0\0\0\1\1" + struct.pack(">I", stream))
        eventually(lambda: aborted(api)["header_timeout"] == 1, "the end of the connection")


def test_floods_in_small_change_nothing(observed, db):
    """Half of each burst, on one connection: what a client in trouble may do."""
    server, api = observed
    before = aborted(api)
    with server.client() as client:
        for _ in range(10):
            client.ping()
        for _ in range(25):
            client.h2.update_settings({4: 65_535})
            client.flush()
        for _ in range(800):
            client.reset(client.open(headers(server.port)))
        client.ping()
        exported(client, server, "traces", otlp.request("traces"))
        assert not client.goaways
    assert aborted(api) == before


def test_half_a_header_block(start_server, database):
    settings, api = api_settings(**{"connections.handshake_timeout": "300ms"})
    server = start_server(database, settings)
    received = until_cut(server.port, ATTACKS["slow: headers"].opening(server.port))
    assert list(goaways(received)) == [(ENHANCE_YOUR_CALM, b"header_timeout")]
    assert aborted(api)["header_timeout"] == 1


def test_greeting_of_the_attacks_is_a_good_one(observed, db):
    """Otherwise they would be cut for something else."""
    server, api = observed
    before = aborted(api)
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(greeting())
        assert connection.recv(9)[3] == 4
        exported_after(server)
    assert aborted(api) == before


def exported_after(server):
    with server.client() as client:
        exported(client, server, "traces", otlp.request("traces"))


def test_calls_of_reflection_are_few_on_one_connection(observed, db):
    server, _ = observed
    with server.client() as client:
        first = [client.open(headers(server.port, path=REFLECTION)) for _ in range(4)]
        refused = Answer(client.wait(client.open(headers(server.port, path=REFLECTION))))
        assert refused.code == RESOURCE_EXHAUSTED and refused.is_trailers_only
        client.send(first[0], b"", end_stream=True)
        client.wait(first[0])
        again = client.open(headers(server.port, path=REFLECTION))
        client.send(again, b"", end_stream=True)
        assert dict(client.wait(again).trailers)["grpc-status"] == "0"
