# SPDX-License-Identifier: Apache-2.0
"""A retry of what is committed is acknowledged and stores nothing."""

import threading

import grpc
import pytest

from conftest import Export
from support import otlp
from support.otlp import SIGNALS

TABLES = {"traces": "otel_spans_fact", "logs": "otel_logs_fact", "metrics": "otel_metrics_data_points_number"}


def rows(db, signal):
    return db.execute(f"SELECT count(*) FROM {TABLES[signal]}").fetchone()[0]


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_same_request_again(export, db, signal):
    before = rows(db, signal)
    request = otlp.request(signal)
    for _ in range(3):
        assert export(request).SerializeToString() == b""
    stored = rows(db, signal) - before
    assert stored > 0
    assert export(request).SerializeToString() == b""
    assert rows(db, signal) - before == stored


def test_the_same_content_compressed_is_the_same(export, db):
    before = rows(db, "traces")
    request = otlp.request("traces", [otlp.span(name="packed or not")])
    export(request)
    export.method(request)(request, compression=grpc.Compression.Gzip)
    assert rows(db, "traces") - before == 1


def test_one_byte_makes_another_export(export, db):
    before = rows(db, "traces")
    span = otlp.span(name="other a")
    requests = [otlp.request("traces", [span])]
    span.name = "other b"
    requests.append(otlp.request("traces", [span]))
    for request in [*requests, *requests]:
        export(request)
    assert rows(db, "traces") - before == 2


def test_the_same_request_many_times_at_once(starling, db):
    """Attempts that overlap, over several connections: one is stored, all are acknowledged."""
    before = rows(db, "traces")
    request = otlp.request("traces", [otlp.span(name=f"span {number}") for number in range(100)])
    failures = []

    def send():
        with starling.channel() as channel:
            export = Export(channel)
            calls = [export.method(request).future(request, timeout=60) for _ in range(10)]
            failures.extend(call.code() for call in calls if call.result().SerializeToString() != b"")

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert rows(db, "traces") - before == 100


def test_the_other_daemon_knows(database, start_server, db):
    servers = [start_server(database) for _ in range(2)]
    before = rows(db, "logs")
    request = otlp.request("logs")
    for server in [*servers, *servers]:
        with server.channel() as channel:
            assert Export(channel)(request).SerializeToString() == b""
    once = rows(db, "logs") - before
    for server in servers:
        assert server.daemon.stop() == 0
    other = start_server(database)
    with other.channel() as channel:
        assert Export(channel)(request).SerializeToString() == b""
    assert other.daemon.stop() == 0
    assert rows(db, "logs") - before == once > 0


def test_without_a_window_a_retry_is_stored_again(database, start_server, db):
    """The check above can fail: this is the mechanism switched off."""
    server = start_server(database, {"durability.dedup_window": "0s"})
    before = rows(db, "traces")
    request = otlp.request("traces", [otlp.span(name="twice")])
    with server.channel() as channel:
        for _ in range(2):
            Export(channel)(request)
    assert server.daemon.stop() == 0
    assert rows(db, "traces") - before == 2
