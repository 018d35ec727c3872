# SPDX-License-Identifier: Apache-2.0
"""A retry never makes a duplicate: whatever fails in between, and whichever daemon it goes to."""

from collections import Counter
import signal
import threading

import grpc
import pytest

from conftest import Export
from support import otlp, rebuild, rebuild_metrics
from support.daemon import free_port
from support.grpcwire import PATHS
from support.locks import blocked, wait_for_blocked
from support.normal import assert_same, merge
from support.otlp import REJECTED_FIELDS, SIGNALS
from support.waiting import eventually

OWN_CLUSTER = True
REBUILD = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}
RETRYABLE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}


@pytest.fixture
def server(database, start_server):
    server = start_server(database, {"database.writers": "2"})
    yield server
    assert server.daemon.stop() == 0, server.daemon.output()


@pytest.fixture
def export(server):
    with server.channel() as channel:
        yield Export(channel)


def accepted(export, request, **options):
    response = export(request, **options)
    assert response.SerializeToString() == b"", response
    return request


@pytest.mark.parametrize("signal", SIGNALS)
def test_second_time_stores_nothing(export, db, signal):
    request = otlp.request(signal)
    for _ in range(3):
        accepted(export, request)
    accepted(export, request, compression=grpc.Compression.Gzip)
    assert_same(request, REBUILD[signal](db))


def test_what_differs_in_anything_is_no_retry(export, db):
    """Same span, other resource; and the same bytes with another field order."""
    span = otlp.span()
    requests = [otlp.request("traces", [span], resource=rebuild.Resource(attributes=otlp.attributes(number=number)))
                for number in range(3)]
    for request in requests:
        accepted(export, request)
    assert_same(merge(requests), rebuild.traces(db))


def test_same_bytes_of_another_signal_are_no_retry(server, db):
    """Envelopes without anything that differs between signals are the same bytes for all three."""
    attributes = otlp.length_delimited(1, otlp.attribute("a", "b").SerializeToString())
    wire = otlp.length_delimited(1, otlp.length_delimited(1, attributes))
    with server.channel() as channel:
        for signal_name in SIGNALS:
            assert channel.unary_unary(PATHS[signal_name])(wire, timeout=30) == b""
            accepted(Export(channel), otlp.request(signal_name))
    counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in (
        "otel_spans_fact", "otel_logs_fact", "otel_metrics_data_points_number")]
    assert counts == [1, 1, 1]


def test_retry_of_a_partial_success(export, db):
    items = [otlp.span(), otlp.span(trace_id=b""), otlp.span()]
    request = otlp.request("traces", items)
    assert getattr(export(request).partial_success, REJECTED_FIELDS["traces"]) == 1
    export(request)
    assert_same(otlp.request("traces", [items[0], items[2]]), rebuild.traces(db))


def test_copies_that_wait_together(export, server, db):
    """In one transaction or in two that overlap: one of them is stored, all are answered."""
    requests = [otlp.request("traces") for _ in range(5)]
    with blocked(server.database):
        calls = [export.method(request).future(request, timeout=60) for request in requests * 6]
        wait_for_blocked(server.database)
    for call in calls:
        assert call.result().SerializeToString() == b""
    assert_same(merge(requests), rebuild.traces(db))


def test_first_attempt_that_was_given_up_and_rolled_back(database, start_server, db):
    """It left no trace in the ledger, so the retry is stored."""
    server = start_server(database, {"database.statement_timeout": "300ms", "database.writers": "1"})
    request = otlp.request("traces")
    with server.channel() as channel:
        export = Export(channel)
        with blocked(database):
            with pytest.raises(grpc.RpcError) as caught:
                export(request, timeout=1)
            assert caught.value.code() in RETRYABLE
        eventually(lambda: is_accepted(export, request), "the retry to be accepted")
    assert_same(request, rebuild.traces(db))
    assert server.daemon.stop() == 0, server.daemon.output()


def is_accepted(export, request):
    try:
        accepted(export, request)
    except grpc.RpcError as error:
        assert error.code() in RETRYABLE, error
        return False
    return True


def test_retry_to_another_daemon_and_after_a_restart(database, start_server, db):
    requests = [otlp.request(signal_name) for signal_name in SIGNALS]
    for _ in range(3):
        server = start_server(database)
        with server.channel() as channel:
            for request in requests:
                accepted(Export(channel), request)
        assert server.daemon.stop() == 0, server.daemon.output()
    for request, signal_name in zip(requests, SIGNALS):
        assert_same(request, REBUILD[signal_name](db))


def test_window_of_0_is_off(database, start_server, db):
    server = start_server(database, {"durability.dedup_window": "0"})
    request = otlp.request("traces")
    with server.channel() as channel:
        for _ in range(2):
            accepted(Export(channel), request)
    assert_same(merge([request, request]), rebuild.traces(db))
    assert server.daemon.stop() == 0, server.daemon.output()


class PersistentLoad:
    """Clients that send each request again until it is acknowledged, as SDKs and collectors do."""

    def __init__(self, ports, thread_count=6):
        self.ports = ports
        self.sent, self.unexpected = [], []
        self.acknowledged_count = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=[number]) for number in range(thread_count)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        while not self.stopping.is_set():
            with self.lock:
                spans = [otlp.span() for _ in range(5)]
            request = otlp.request("traces", spans)
            self.sent += [span.span_id for span in spans]
            while not self.attempt(request, self.ports[number % len(self.ports)]):
                number += 1  # the next attempt may go to another daemon
            with self.lock:
                self.acknowledged_count += len(spans)

    def attempt(self, request, port):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            try:
                accepted(Export(channel), request, timeout=10, wait_for_ready=True)
                return True
            except grpc.RpcError as error:
                if error.code() not in RETRYABLE:
                    self.unexpected.append(error)
                return False

    def more(self, count):
        target = self.acknowledged_count + count
        eventually(lambda: self.acknowledged_count >= target, f"{count} more acknowledged spans", seconds=60)

    def stop(self):
        """Returns when everything that was begun is acknowledged."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def assert_exactly_once(load, db_connection):
    assert not load.unexpected, load.unexpected[:3]
    stored = Counter(number.to_bytes(8, "big", signed=True)
                     for number, in db_connection.execute("SELECT span_id FROM otel_spans_fact"))
    assert not (doubled := {key: count for key, count in stored.items() if count > 1}), f"{len(doubled)} are doubled"
    assert set(stored) == set(load.sent) and len(load.sent) == load.acknowledged_count


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT], ids=["immediate", "fast"])
def test_exactly_once_while_the_database_restarts(server, cluster, how):
    clean(server.database)
    load = PersistentLoad([server.port])
    try:
        for _ in range(3):
            load.more(100)
            cluster.restart(how)
        load.more(200)
    finally:
        load.stop()
    with server.database.connect() as connection:
        assert_exactly_once(load, connection)


def test_exactly_once_while_backends_are_killed(server, cluster, db):
    load = PersistentLoad([server.port])
    try:
        for _ in range(20):
            load.more(20)
            with cluster.connect() as other:
                other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s "
                              "AND pid NOT IN (pg_backend_pid(), %s)", [server.database.name, db.info.backend_pid])
    finally:
        load.stop()
    assert_exactly_once(load, db)


def test_exactly_once_while_daemons_are_killed(database, start_server, db):
    """SIGKILL in turn to two daemons on one database; clients try the one, then the other."""
    ports = [free_port(), free_port()]
    servers = [start_server(database, port=port) for port in ports]
    load = PersistentLoad(ports)
    try:
        for turn in range(6):
            load.more(100)
            victim = servers[turn % 2].daemon
            victim.process.kill()
            victim.process.wait()
            servers[turn % 2] = start_server(database, port=ports[turn % 2])
        load.more(100)
    finally:
        load.stop()
    assert_exactly_once(load, db)
    for server in servers:
        assert server.daemon.stop() == 0, server.daemon.output()


def clean(database):
    with database.connect() as connection:
        connection.execute("TRUNCATE otel_spans_fact")
