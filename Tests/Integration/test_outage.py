# SPDX-License-Identifier: Apache-2.0
"""The database goes away, comes back, crashes, or stalls: nothing that was acknowledged is missing."""

from dataclasses import dataclass, field
import os
import signal
import threading

import grpc
from google.rpc import status_pb2
import pytest

from conftest import Export
from support import otlp
from support.grpcwire import RETRY_SECONDS_MAX, RETRY_SECONDS_MIN, retry_seconds
from support.locks import blocked, wait_for_blocked
from support.rawcall import assert_healthy
from support.waiting import eventually

OWN_CLUSTER = True
SMALL_BUDGET_BYTES = 16 << 20
RETRYABLE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


@pytest.fixture(autouse=True)
def cluster_runs(cluster):
    """Each test finds and leaves a running cluster."""
    yield
    if cluster.process is None or cluster.process.poll() is not None:
        cluster.process = None
        cluster.start()


@pytest.fixture
def server(cluster_runs, database, start_server):
    server = start_server(database, {"database.writers": "2"})
    yield server
    assert server.daemon.is_running(), f"the daemon died\n{server.daemon.output()}"
    assert server.daemon.stop() == 0, server.daemon.output()


@dataclass
class Load:
    """Clients that send without retrying, and remember what was acknowledged and how the rest ended."""

    server: object
    spans_per_request: int = 5
    acknowledged: set = field(default_factory=set)
    sent: set = field(default_factory=set)
    errors: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)
    threads: list = field(default_factory=list)

    def start(self, thread_count=6):
        self.threads = [threading.Thread(target=self.run) for _ in range(thread_count)]
        for thread in self.threads:
            thread.start()
        return self

    def run(self):
        with self.server.channel() as channel:
            export = Export(channel)
            while not self.stopping.is_set():
                with self.lock:
                    spans = [otlp.span() for _ in range(self.spans_per_request)]
                    ids = {span.span_id for span in spans}
                    self.sent |= ids
                try:
                    response = export(otlp.request("traces", spans), timeout=20)
                    assert response.SerializeToString() == b""
                    with self.lock:
                        self.acknowledged |= ids
                except grpc.RpcError as error:
                    with self.lock:
                        self.errors.append(error)

    def more(self, count):
        """Returns when `count` more spans were acknowledged than now."""
        target = len(self.acknowledged) + count
        eventually(lambda: len(self.acknowledged) >= target, f"{count} more acknowledged spans", seconds=60)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def stored_ids(database):
    with database.connect() as db:
        return [number.to_bytes(8, "big", signed=True)
                for number, in db.execute("SELECT span_id FROM otel_spans_fact")]


def assert_nothing_lost(load, database):
    stored = stored_ids(database)
    missing = load.acknowledged - set(stored)
    assert not missing, f"{len(missing)} of {len(load.acknowledged)} acknowledged spans are missing"
    assert set(stored) <= load.sent
    wrong = {error.code() for error in load.errors} - RETRYABLE
    assert not wrong, [error for error in load.errors if error.code() in wrong][:3]
    for error in load.errors:
        if error.code() == grpc.StatusCode.UNAVAILABLE:
            assert_retry_info(error)


def assert_retry_info(error):
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    assert details is not None, f"UNAVAILABLE without details: {error}"
    status = status_pb2.Status.FromString(details)
    assert status.code == grpc.StatusCode.UNAVAILABLE.value[0]
    assert RETRY_SECONDS_MIN <= retry_seconds(status) <= RETRY_SECONDS_MAX


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT], ids=["immediate", "fast"])
def test_database_restarts_under_load(server, cluster, db, how):
    load = Load(server).start()
    try:
        for _ in range(2):
            load.more(200)
            cluster.restart(how)
        load.more(500)
    finally:
        load.stop()
    assert_nothing_lost(load, server.database)


def test_backends_are_killed_under_load(server, cluster, db):
    """pg_terminate_backend: connections break one at a time while the server stays."""
    load = Load(server).start()
    try:
        for _ in range(5):
            load.more(100)
            with cluster.connect() as other:
                other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s "
                              "AND pid <> pg_backend_pid()", [server.database.name])
        load.more(200)
    finally:
        load.stop()
    assert_nothing_lost(load, server.database)


def test_crash_of_a_backend_under_load(server, cluster, db):
    """SIGKILL to one backend: PostgreSQL throws everybody out and recovers."""
    load = Load(server).start()
    try:
        load.more(200)
        with cluster.connect() as other:
            (pid,) = other.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> %s LIMIT 1",
                                   [server.database.name, db.info.backend_pid]).fetchone()
        os.kill(pid, signal.SIGKILL)
        eventually(cluster.accepts, "PostgreSQL to recover")
        load.more(300)
    finally:
        load.stop()
    assert_nothing_lost(load, server.database)


def test_daemon_is_killed_under_load(cluster_runs, database, start_server, db):
    """SIGKILL: what was acknowledged was committed before."""
    for _ in range(3):
        server = start_server(database)
        load = Load(server).start()
        try:
            load.more(300)
            server.daemon.process.kill()
            server.daemon.process.wait()
        finally:
            load.stop()
        assert load.acknowledged <= set(stored_ids(database))


def overload(server, channel_count=4, calls_per_channel=100, spans=200):
    """Starts far more requests than the daemon may hold; (channels, [(future, span ids)])."""
    channels = [server.channel() for _ in range(channel_count)]
    calls = []
    for channel in channels:
        export = Export(channel)
        for _ in range(calls_per_channel):
            items = [otlp.span(name="x" * 1000) for _ in range(spans)]
            request = otlp.request("traces", items)
            calls.append((export.method(request).future(request, timeout=60), {item.span_id for item in items}))
    return channels, calls


def settle(channels, calls):
    """(acknowledged ids, errors) once every call has ended."""
    acknowledged, errors = set(), []
    for call, ids in calls:
        try:
            assert call.result().SerializeToString() == b""
            acknowledged |= ids
        except grpc.RpcError as error:
            errors.append(error)
    for channel in channels:
        channel.close()
    return acknowledged, errors


def refused(calls):
    return any(call.done() and call.code() == grpc.StatusCode.UNAVAILABLE for call, _ in calls)


def assert_settled(server, acknowledged, errors):
    assert acknowledged and acknowledged <= set(stored_ids(server.database))
    assert errors and {error.code() for error in errors} == {grpc.StatusCode.UNAVAILABLE}
    for error in errors:
        assert_retry_info(error)


@pytest.fixture
def small_server(cluster_runs, database, start_server):
    """A daemon whose memory is soon full."""
    server = start_server(database, {
        "database.writers": "1", "memory.budget_bytes": f"{SMALL_BUDGET_BYTES}B", "limits.request_bytes_max": "4MiB",
        "limits.unpacked_bytes_max": "8MiB", "batch.bytes_max": "2MiB", "limits.request_deadline": "60s",
        "database.statement_timeout": "60s"})
    yield server
    assert server.daemon.stop() == 0, server.daemon.output()


def test_full_while_the_database_stalls(small_server, db):
    """What fits waits and is acknowledged in the end; the rest is told when to come back."""
    with blocked(small_server.database):
        channels, calls = overload(small_server)
        wait_for_blocked(small_server.database)
        eventually(lambda: refused(calls), "a refusal")
        assert_healthy(small_server, SMALL_BUDGET_BYTES)
    acknowledged, errors = settle(channels, calls)
    assert_settled(small_server, acknowledged, errors)


def test_full_while_the_database_is_stopped(small_server, cluster, db):
    cluster.stop()
    channels, calls = overload(small_server)
    eventually(lambda: refused(calls), "a refusal")
    cluster.start()
    acknowledged, errors = settle(channels, calls)
    assert_settled(small_server, acknowledged, errors)
    with small_server.channel() as channel:
        assert Export(channel)(otlp.request("traces")).SerializeToString() == b""


def test_full_while_a_backend_is_frozen(small_server, db):
    """SIGSTOP: the connection stays, nothing moves, libpq must not buffer without end."""
    with small_server.channel() as channel:
        Export(channel)(otlp.request("traces"))
    pids = [pid for pid, in db.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                                       "AND pid <> pg_backend_pid() AND backend_type = 'client backend'")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        channels, calls = overload(small_server)
        eventually(lambda: refused(calls), "a refusal")
        assert_healthy(small_server, SMALL_BUDGET_BYTES)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    acknowledged, errors = settle(channels, calls)
    assert_settled(small_server, acknowledged, errors)


def test_request_waits_for_a_short_outage(server, cluster, db):
    """Stopped and started within the deadline: the client notices nothing but time."""
    with server.channel() as channel:
        export = Export(channel)
        export(otlp.request("traces"))
        cluster.stop()
        request = otlp.request("traces")
        call = export.method(request).future(request, timeout=60)
        cluster.start()
        try:
            assert call.result().SerializeToString() == b""
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert_retry_info(error)
        assert export(otlp.request("traces"), timeout=60).SerializeToString() == b""


def test_start_while_the_database_is_away(cluster, database, start_server):
    """Either it waits for the database, or it ends with 69 so that its supervisor tries again."""
    cluster.stop()
    try:
        try:
            server = start_server(database)
        except AssertionError as error:
            assert "ended with 69" in str(error)
            return
    finally:
        cluster.start()
    with server.channel() as channel:
        assert Export(channel)(otlp.request("traces"), timeout=60).SerializeToString() == b""
    assert server.daemon.stop() == 0, server.daemon.output()


def test_exports_nobody_waits_for_leave_the_ring(database, start_server, cluster, cluster_runs):
    """While the database is away, requests that ran out of time do not keep the slots of others."""
    server = start_server(database, {"ring.exports_max": "16", "database.writers": "1"})
    with server.channel() as channel:
        export = Export(channel)
        export(otlp.request("traces"))
        cluster.stop(signal.SIGQUIT)
        # More than the writer has in hand and the ring has slots for; none of them is stored.
        calls = [export.method(request).future(request, timeout=2)
                 for request in (otlp.request("traces", [otlp.span()]) for _ in range(64))]
        codes = [call.code() for call in calls]
        assert set(codes) == RETRYABLE, codes

        def has_room():
            """A ring that is full says so at once."""
            probe = otlp.request("traces", [otlp.span()])
            call = export.method(probe).future(probe, timeout=2)
            return call.code() == grpc.StatusCode.DEADLINE_EXCEEDED

        eventually(has_room, "room in the ring")
        waiting = otlp.request("traces", [otlp.span()])
        call = export.method(waiting).future(waiting, timeout=60)
        cluster.start()
        assert call.result().SerializeToString() == b""
        assert waiting.resource_spans[0].scope_spans[0].spans[0].span_id in stored_ids(database)
    assert server.daemon.stop() == 0, server.daemon.output()
