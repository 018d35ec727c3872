# SPDX-License-Identifier: Apache-2.0
"""Hostile HTTP/2: the attacker loses at most its connection; others go on, and memory stays bounded."""

import socket
import struct

from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame
from hyperframe.frame import WindowUpdateFrame
import pytest

from support import otlp
from support.grpcwire import Answer, assert_success, frame, headers
from support.h2client import ConnectionClosed
from support.rawcall import assert_healthy, exported
from support.waiting import eventually

ATTACK_COUNT = 20_000
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize()


@pytest.fixture
def bystander(starling):
    """A well-behaved connection that was there before, and must work after."""
    with starling.client() as client:
        exported(client, starling, "traces", otlp.request("traces"))
        yield client
        exported(client, starling, "traces", otlp.request("traces"))
    assert_healthy(starling)


def attack(client, pieces):
    """Sends raw bytes without reading, until they are out or the server has had enough."""
    client.socket.settimeout(5)
    try:
        for piece in pieces:
            client.socket.sendall(piece)
    except (ConnectionError, TimeoutError):
        return


def encoded(client, port):
    """A legal request header block, encoded anew (the encoder has state)."""
    return client.h2.encoder.encode(headers(port))


def batches(make, count=ATTACK_COUNT, size=500):
    for start in range(1, count, size):
        yield b"".join(make(number) for number in range(start, start + size))


def test_rapid_reset(starling, bystander, db):
    with starling.client() as client:
        def pair(number):
            head = HeadersFrame(2 * number - 1, encoded(client, starling.port))
            head.flags.add("END_HEADERS")
            return head.serialize() + RstStreamFrame(2 * number - 1, ErrorCodes.CANCEL).serialize()
        attack(client, batches(pair))


def test_streams_that_the_server_must_reset(starling, bystander, db):
    """MadeYouReset: a window that overflows on each of many open streams."""
    with starling.client() as client:
        def pair(number):
            head = HeadersFrame(2 * number - 1, encoded(client, starling.port))
            head.flags.add("END_HEADERS")
            return head.serialize() + WindowUpdateFrame(2 * number - 1, window_increment=2**31 - 1).serialize()
        attack(client, batches(pair))


@pytest.mark.parametrize("make", [
    lambda _: PingFrame(0, b"12345678").serialize(),
    lambda _: SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 65535}).serialize(),
    lambda _: WindowUpdateFrame(0, window_increment=1).serialize(),
], ids=["PING", "SETTINGS", "WINDOW_UPDATE"])
def test_flood_of_control_frames(starling, bystander, db, make):
    with starling.client() as client:
        attack(client, batches(make, count=5 * ATTACK_COUNT))


def test_flood_of_empty_data(starling, bystander, db):
    with starling.client() as client:
        stream_id = client.open(headers(starling.port))
        attack(client, batches(lambda _: DataFrame(stream_id, b"").serialize(), count=10 * ATTACK_COUNT))


def test_flood_of_continuations(starling, bystander, db):
    with starling.client() as client:
        attack(client, [HeadersFrame(1, encoded(client, starling.port)).serialize()])
        attack(client, batches(lambda _: ContinuationFrame(1, b"").serialize()))


def test_header_bomb(starling, bystander, db):
    """One indexed header of 4,000 bytes, named 60,000 times in one byte each."""
    with starling.client() as client:
        block = client.h2.encoder.encode([*headers(starling.port), ("x-bomb", "b" * 4000)])
        bomb = block + bytes([0x80 | 62]) * 60_000
        head = HeadersFrame(1, bomb[:16_000])
        rest = [ContinuationFrame(1, bomb[start:start + 16_000]) for start in range(16_000, len(bomb), 16_000)]
        rest[-1].flags.add("END_HEADERS")
        attack(client, [head.serialize(), *(part.serialize() for part in rest)])


@pytest.mark.parametrize("opening", [
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 1000,
    PREFACE[:10], PREFACE + b"\xff" * 1000, PREFACE + DataFrame(1, b"x").serialize(),
    PREFACE + HeadersFrame(2, b"\x82").serialize(),
    PREFACE + WindowUpdateFrame(0, window_increment=1).serialize()[:-4] + bytes(4),
], ids=["HTTP/1.1", "TLS", "zeros", "half a preface", "garbage", "DATA on idle", "even stream", "window of 0"])
def test_not_http2(starling, bystander, db, opening):
    with socket.create_connection(("127.0.0.1", starling.port), timeout=30) as connection:
        connection.sendall(opening)
        if opening != PREFACE[:10]:
            while True:  # until the server closes
                try:
                    if not connection.recv(65536):
                        break
                except ConnectionResetError:
                    break


def test_too_many_streams_at_once(starling, bystander, db):
    """Beyond what SETTINGS allow: refused, each stream or the connection."""
    with starling.client() as client:
        client.ping()
        def head(number):
            frame_ = HeadersFrame(2 * number - 1, encoded(client, starling.port))
            frame_.flags.add("END_HEADERS")
            return frame_.serialize()
        attack(client, batches(head, count=5000))


def test_slow_reader(starling, bystander, db):
    """Requests whose answers are never read must not pile up without a bound."""
    with starling.client() as client:
        wire = frame(otlp.request("traces").SerializeToString())

        def call(number):
            head = HeadersFrame(2 * number - 1, encoded(client, starling.port))
            head.flags.add("END_HEADERS")
            body = DataFrame(2 * number - 1, wire)
            body.flags.add("END_STREAM")
            return head.serialize() + body.serialize()
        attack(client, batches(call, count=3000, size=50))


def test_bodies_that_never_end(starling, bystander, db):
    """Far more than the budget, promised; what is sent of it fills windows only, and others are served."""
    clients = [starling.client() for _ in range(20)]
    for client in clients:
        for _ in range(50):
            stream_id = client.open(headers(starling.port))
            client.send_raw(DataFrame(stream_id, struct.pack(">BI", 0, 60 << 20) + bytes(1000)).serialize())
    assert exported(bystander, starling, "traces", otlp.request("traces")).SerializeToString() == b""
    for client in clients:
        client.close()


def test_bodies_that_fill_the_budget_and_never_end(starling, bystander, db):
    """400 MiB sent of 24 GiB promised: the daemon gives some of it up, and serves others soon."""
    clients = [starling.client() for _ in range(8)]
    for client in clients:
        client.ping()
        streams = [client.open(headers(starling.port)) for _ in range(50)]
        for stream_id in streams:
            room = min(1 << 20, client.h2.local_flow_control_window(stream_id))
            if room:
                client.send(stream_id, struct.pack(">BI", 0, 60 << 20) + bytes(room - 5))
    eventually(lambda: Answer(serve(bystander, starling)).code == 0, "a good request to be served")
    for client in clients:
        client.close()


def serve(client, server):
    stream_id = client.open(headers(server.port))
    client.send(stream_id, frame(otlp.request("traces").SerializeToString()), end_stream=True)
    return client.wait(stream_id)


def test_client_that_gives_no_window_for_the_answer(starling, bystander, db):
    """The answer waits for the window; other streams and connections do not wait for it."""
    with starling.client() as client:
        client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
        client.ping()
        stream_id = client.open(headers(starling.port))
        client.send(stream_id, frame(otlp.request("traces").SerializeToString()), end_stream=True)
        client.until(lambda: client.streams[stream_id].headers, "HEADERS of the answer")
        exported(bystander, starling, "traces", otlp.request("traces"))
        assert not client.streams[stream_id].is_over and not client.streams[stream_id].data
        client.h2.increment_flow_control_window(100, stream_id)
        client.flush()
        assert_success(Answer(client.wait(stream_id)))


def test_connections_that_come_and_go(starling, bystander, db):
    for number in range(300):
        client = starling.client()
        if number % 2:
            client.open(headers(starling.port))
        client.close()


def test_unknown_frames_and_settings_are_ignored(starling, bystander, db):
    with starling.client() as client:
        client.send_raw(b"\x00\x00\x04\xfa\x00\x00\x00\x00\x00abcd")
        client.send_raw(SettingsFrame(0, {0xFE03: 1}).serialize())
        try:
            exported(client, starling, "traces", otlp.request("traces"))
        except ConnectionClosed as error:
            pytest.fail(str(error))
