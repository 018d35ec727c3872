# SPDX-License-Identifier: Apache-2.0
"""Several hosts in database.url: one that is away, mute, read-only or dead is passed by for the next."""

from contextlib import contextmanager, suppress
import os
import select
import signal
import socket
from urllib.parse import quote

import pytest

from conftest import Export
from support import balance, otlp
from support.cluster import SUPERUSER, Cluster
from support.exporter import Code, Habits, Load
from support.journal import Journal
from support.waiting import eventually

OWN_CLUSTER = True
PORT = 5432  # of the sockets
SETTINGS = {"database.writers": "2", "database.connect_timeout": "500ms"}


class Hosts:
    """The database of that name on several (host, port), in this order; whatever takes writes is taken."""

    def __init__(self, name, *hosts):
        self.name = name
        names = ",".join(quote(str(host), safe="") for host, _ in hosts)
        ports = ",".join(str(port) for _, port in hosts)
        self.environment = {
            "STARLING_DATABASE_URL": f"postgresql://{SUPERUSER}@/{name}?host={names}&port={ports}"
                                     "&target_session_attrs=read-write"}


def at(cluster):
    return cluster.folder, PORT


@pytest.fixture
def standby(cluster, database, db):
    """A standby of `cluster`, running. `cluster` runs and is an ordinary primary again afterwards."""
    standby = Cluster(primary=cluster)
    try:
        standby.start()
        yield standby
    finally:
        standby.remove()
        if cluster.process is None:
            cluster.start()
        cluster.configure(synchronous_standby_names=None, default_transaction_read_only=None)


@contextmanager
def serving(start_server, hosts, **settings):
    server = start_server(hosts, SETTINGS | settings)
    with server.channel() as channel:
        yield server, Export(channel)
    assert server.daemon.stop() == 0, server.daemon.output()


def stored(cluster, name, span):
    """How often a span is stored there."""
    number = int.from_bytes(span.span_id, "big", signed=True)
    with cluster.connect(name) as connection:
        return connection.execute("SELECT count(*) FROM otel_spans_fact WHERE span_id = %s", [number]).fetchone()[0]


def assert_stores(export, cluster, name):
    span = otlp.span()
    assert export(otlp.request("traces", [span])).SerializeToString() == b""
    assert stored(cluster, name, span) == 1


def test_first_host_is_stopped(standby, cluster, database, start_server):
    standby.stop()
    with serving(start_server, Hosts(database.name, at(standby), at(cluster))) as (_, export):
        assert_stores(export, cluster, database.name)


def test_first_host_is_a_standby(standby, cluster, database, start_server):
    with serving(start_server, Hosts(database.name, at(standby), at(cluster))) as (_, export):
        assert_stores(export, cluster, database.name)


def test_first_host_is_read_only(standby, cluster, database, start_server):
    standby.promote()
    standby.configure(default_transaction_read_only="on")
    with serving(start_server, Hosts(database.name, at(standby), at(cluster))) as (_, export):
        assert_stores(export, cluster, database.name)


def test_primary_becomes_read_only(standby, cluster, database, start_server):
    """SQLSTATE 25006 in a session that exists: the other host is taken, and the client hears nothing of it."""
    standby.promote()
    with serving(start_server, Hosts(database.name, at(cluster), at(standby))) as (_, export):
        assert_stores(export, cluster, database.name)
        cluster.configure(default_transaction_read_only="on")
        span = otlp.span()
        assert export(otlp.request("traces", [span])).SerializeToString() == b""
        assert (stored(cluster, database.name, span), stored(standby, database.name, span)) == (0, 1)


@contextmanager
def mute_host():
    """Accepts connections, by way of the kernel, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


@contextmanager
def swallowing_host():
    """Its queue is full: the kernel drops every SYN, as a host does that is gone from the network."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        try:
            assert not select.select([], fillers[-1:], [], 0)[1], "the queue still has room"
            yield listener.getsockname()
        finally:
            for filler in fillers:
                filler.close()


@pytest.mark.parametrize("host", [mute_host, swallowing_host])
def test_first_host_does_not_answer(host, cluster, database, db, start_server):
    with host() as address, serving(start_server, Hosts(database.name, address, at(cluster))) as (_, export):
        assert_stores(export, cluster, database.name)


def test_backend_hangs(cluster, database, db, start_server):
    """The batch goes over a new connection while the old one still hangs, and the old one adds nothing later."""
    # The first host is nobody, as after a failover.
    hosts = Hosts(database.name, ("/nonexistent", PORT), at(cluster))
    with serving(start_server, hosts, **{"database.writers": "1", "database.statement_timeout": "200ms"}) as (_, export):
        assert_stores(export, cluster, database.name)
        frozen = writers(db)
        send_all(frozen, signal.SIGSTOP)
        span = otlp.span()
        try:
            assert export(otlp.request("traces", [span])).SerializeToString() == b""
            assert stored(cluster, database.name, span) == 1
        finally:
            send_all(frozen, signal.SIGCONT)
    eventually(lambda: not writers(db), "the daemon's sessions to end")
    assert stored(cluster, database.name, span) == 1


def send_all(pids, number):
    """Those of the janitor come and go."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def writers(db):
    return [pid for pid, in db.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend'")]


def test_failover_under_load(standby, cluster, database, start_server, scratch):
    """The primary dies, its synchronous standby takes over: all that was acknowledged is there, once."""
    cluster.configure(synchronous_standby_names="*")
    eventually(lambda: sync_state(cluster) == "sync", "synchronous replication")
    journal = Journal(scratch / "journal")
    with serving(start_server, Hosts(database.name, at(cluster), at(standby))) as (server, export):
        # Its id is none of the numbers of the load.
        before = otlp.request("traces", [otlp.span(span_id=b"\x7f" + bytes(7))])
        export(before)
        load = Load([server.port], journal, "failover", Habits(timeout_seconds=2.0)).start()
        try:
            load.more(1000)
            cluster.stop(signal.SIGQUIT)
            load.more_attempts({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}, 8)
            standby.promote()
            load.more(1000)
            load.finish()
        finally:
            load.abort()
        assert not load.tally.wrong
        # A retry of what only the old primary was told.
        assert export(before).SerializeToString() == b""
    journal.close()
    span = before.resource_spans[0].scope_spans[0].spans[0]
    assert stored(standby, database.name, span) == 1
    number = int.from_bytes(span.span_id, "big", signed=True)
    with standby.connect(database.name) as connection:
        connection.execute("DELETE FROM otel_spans_fact WHERE span_id = %s", [number])  # not in the journal
        found = balance.check(connection, scratch / "journal")
    assert found.acknowledged_count >= 2000
    assert not found.violations, str(found)


def sync_state(cluster):
    with cluster.connect() as connection:
        row = connection.execute("SELECT sync_state FROM pg_stat_replication").fetchone()
        return row and row[0]
