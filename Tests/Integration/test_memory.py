# SPDX-License-Identifier: Apache-2.0
"""Resident memory at its peak, under loads that together want far more than the budget.

Each test has a daemon of its own, because a peak is never forgotten.
"""

import grpc
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
import pytest

from conftest import Export
from support import otlp
from support.grpcwire import PATHS
from support.rawcall import assert_healthy

MIB = 1 << 20


@pytest.fixture
def server(database, start_server):
    # Nothing is about time here, and a busy machine has none.
    server = start_server(database, {"limits.request_deadline": "120s"})
    yield server
    assert server.daemon.stop() == 0, server.daemon.output()


def different(signal, items, count):
    """Requests with the same items that are not retries of one another."""
    return [otlp.request(signal, items, resource=Resource(attributes=otlp.attributes(number=number)))
            for number in range(count)]


def send_until_stored(server, requests, **options):
    """All at once, and again what was told to come back, until every one is stored."""
    waiting = list(requests)
    with server.channel() as channel:
        export = Export(channel)
        for _ in range(50):
            calls = [export.method(request).future(request, timeout=120, **options) for request in waiting]
            outcomes = [(request, call.exception()) for request, call in zip(waiting, calls)]
            waiting = [request for request, error in outcomes if error is not None]
            for _, error in outcomes:
                assert error is None or error.code() == grpc.StatusCode.UNAVAILABLE, error
            if not waiting:
                return
    raise AssertionError(f"{len(waiting)} requests were told to come back 50 times")


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip], ids=["plain", "gzip"])
@pytest.mark.parametrize("size_mib", [60, 8, 2])
def test_large_log_bodies(server, db, size_mib, compression):
    records = [otlp.log_record(body=otlp.any_of("x" * MIB)) for _ in range(size_mib)]
    count = 360 // size_mib
    send_until_stored(server, different("logs", records, count), compression=compression)
    assert db.execute("SELECT count(*) FROM otel_logs_fact").fetchone() == (size_mib * count,)
    assert_healthy(server)


def test_many_small_spans_in_large_requests(server, db):
    """What unpacks to several times its size."""
    spans = [otlp.span(attributes=otlp.attributes(a=1, b="x", c=True)) for _ in range(60_000)]
    send_until_stored(server, different("traces", spans, 8))
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (8 * len(spans),)
    assert_healthy(server)


def test_many_connections_with_bombs(server, db):
    """64 MiB each out of 64 KiB, none of them a message."""
    bomb = bytes(64 * MIB)
    channels = [server.channel() for _ in range(8)]
    calls = [channel.unary_unary(PATHS["logs"]).future(bomb, timeout=120, compression=grpc.Compression.Gzip)
             for channel in channels for _ in range(4)]
    for call in calls:
        assert call.exception().code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAVAILABLE)
    for channel in channels:
        channel.close()
    assert_healthy(server)
