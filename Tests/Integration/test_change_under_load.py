# SPDX-License-Identifier: Apache-2.0
"""The schema changes while clients send and somebody reads for long: nobody notices.

STARLING_LONG=1 keeps the reader's transaction open for a minute; otherwise it ends when everything that it could
be in the way of has been seen to wait for it.
"""

from collections import namedtuple
import itertools
import os
import re
import signal
import subprocess
import threading
import time

from opentelemetry.proto.resource.v1.resource_pb2 import Resource
import pytest

from conftest import Export, Server, environment
from support import otlp
from support.daemon import Daemon, clean_environment, free_port
from support.otlp import attributes
from support.waiting import PATIENCE_SECONDS, eventually

OWN_CLUSTER = True
HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS
SPANS_PER_REQUEST = 10
READER_SECONDS = 60 if os.environ.get("STARLING_LONG") == "1" else 0
KEYS = {"app.one": "string", "app.two": "int"}
# Longer than a change of the schema may hold a writer up (200 ms), and than the server takes to notice.
LOCK_WAIT_LOGGED_MS = 1000

Ack = namedtuple("Ack", "numbers seconds")


class Client(threading.Thread):
    """Sends numbered spans one request after the other, dated so many hours ago in turns."""

    numbers = itertools.count(1)
    lock = threading.Lock()

    def __init__(self, server, service, hours_ago, stop):
        super().__init__(daemon=True)
        self.server, self.stop = server, stop
        self.hours_ago = itertools.cycle(hours_ago)
        self.resource = Resource(attributes=attributes(service__name=service))
        self.acks = []
        self.failure = None

    def run(self):
        try:
            with self.server.channel() as channel:
                export = Export(channel)
                while not self.stop.is_set():
                    self.send(export)
        except Exception as error:  # whatever it is, the test that waits for it tells
            self.failure = error

    def send(self, export):
        with Client.lock:
            numbers = list(itertools.islice(Client.numbers, SPANS_PER_REQUEST))
        request = otlp.request("traces", [self.span(number) for number in numbers], self.resource)
        began = time.monotonic()
        response = export(request)
        assert response.SerializeToString() == b"", response
        self.acks.append(Ack(numbers, time.monotonic() - began))

    def span(self, number):
        at = otlp.BASE_NS - next(self.hours_ago) * HOUR_NS
        return otlp.span(trace_id=otlp.trace_id(number), span_id=otlp.span_id(number), start_time_unix_nano=at,
                         end_time_unix_nano=at + 1, attributes=attributes(app__one=f"item {number}", app__two=number))

    def wait_for_acks(self, count):
        """`count` more from now on."""
        wanted = len(self.acks) + count
        eventually(lambda: len(self.acks) >= wanted or self.failure, f"{wanted} acknowledgements")
        assert self.failure is None, self.failure


@pytest.fixture
def load(database, binary, scratch):
    """Starts daemons and clients; what is left at the end is stopped."""
    load = Load(database, binary, scratch)
    yield load
    load.stop.set()
    for daemon in load.daemons:
        daemon.kill()


class Load:
    def __init__(self, database, binary, folder):
        self.database, self.binary, self.folder = database, binary, folder
        self.overrides = folder / "attributes.yaml"
        self.overrides.write_text("")
        self.stop = threading.Event()
        self.daemons, self.clients = [], []

    def start(self, interval):
        """A daemon with that interval."""
        port = free_port()
        folder = self.folder / interval
        folder.mkdir()
        # Indexes of the old partitions, built while the reader is there, would keep the drop from its turn.
        sets = [part for key, value in {"partitions.interval": interval, "database.writers": "2",
                                        "partitions.close_after": "60d",
                                        "attributes.overrides_file": self.overrides}.items()
                for part in ("--set", f"{key}={value}")]
        daemon = Daemon(self.binary, ["serve", *sets], environment(self.database, port), folder)
        self.daemons.append(daemon)
        return Server(daemon.start(), port, self.database)

    def send(self, server, service, hours_ago):
        client = Client(server, service, hours_ago, self.stop)
        self.clients.append(client)
        client.start()

    def promote(self):
        """New rules for all daemons, which begin to add the columns."""
        self.overrides.write_text("promote:\n  spans:\n" + "".join(
            f"    {kind}: [{key}]\n" for key, kind in KEYS.items()))
        for daemon in self.daemons:
            daemon.process.send_signal(signal.SIGHUP)

    def wait_for_acks(self, count):
        """Of every client `count` more."""
        for client in self.clients:
            client.wait_for_acks(count)

    def finish(self):
        """What was acknowledged, once everything is."""
        self.stop.set()
        for client in self.clients:
            client.join(PATIENCE_SECONDS)
            assert client.failure is None and not client.is_alive(), client.failure
        return [ack for client in self.clients for ack in client.acks]

    def drop_old(self):
        return subprocess.Popen(
            [self.binary, "partitions", "drop", "--older-than", "20d", "--signal", "traces"],
            env=clean_environment() | self.database.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# What the server knows

def make_old_partitions(db):
    """Three days, three weeks ago, with a row each; their names."""
    today = time.time_ns() // DAY_NS * DAY_NS
    names = []
    for days in (25, 24, 23):
        start = today - days * DAY_NS
        names.append(time.strftime("otel_spans_fact_p%Y%m%d", time.gmtime(start / 1e9)))
        db.execute(f"CREATE TABLE {names[-1]} PARTITION OF otel_spans_fact FOR VALUES FROM ({start}) "
                   f"TO ({start + DAY_NS})")
        db.execute("INSERT INTO otel_spans_fact (start_time_unix_nano, end_time_unix_nano, span_id, resource_id, trace_id) "
                   "VALUES (%s, 0, -1, 1, gen_random_uuid())", [start])
    return names


def partitions(db):
    """Name -> (from, until) of the spans'."""
    found = db.execute("SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_class JOIN pg_inherits ON inhrelid = oid "
                       "WHERE inhparent = 'otel_spans_fact'::regclass").fetchall()
    return {name: tuple(int(number) for number in re.findall(r"'(-?\d+)'", bound)) for name, bound in found}


def columns(db):
    return dict(db.execute("SELECT key, column_name FROM otel_attribute_columns WHERE key = ANY (%s)",
                           [list(KEYS)]).fetchall())


def attempts_to_alter(db):
    """Who waits for the table as a whole now, as (pid, beginning of the statement)."""
    return set(db.execute(
        "SELECT pid, query_start FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND locktype = "
        "'relation' AND mode = 'AccessExclusiveLock' AND datname = current_database()").fetchall())


def detach_waits(db):
    return db.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%DETACH PARTITION%' "
                      "AND state = 'active' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid())").fetchone()[0]


def waits_of_others(log):
    """Lines about waits for locks that reading or writing rows takes."""
    return re.findall(r".*still waiting for (?:RowExclusiveLock|AccessShareLock) .*", log)


def test_promotion_interval_and_drop_beside_a_reader(load, cluster, database, db, capsys):
    db.execute("ALTER SYSTEM SET log_lock_waits = on")
    db.execute(f"ALTER SYSTEM SET deadlock_timeout = {LOCK_WAIT_LOGGED_MS}")
    db.execute("SELECT pg_reload_conf()")
    old = make_old_partitions(db)
    daily = load.start("1d")
    load.send(daily, "daily", range(0, 72))
    load.send(daily, "daily", range(0, 72))
    load.wait_for_acks(5)

    with database.connect() as reader, reader.transaction():
        began = time.monotonic()
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        seen = count_spans(reader)
        # Another interval comes as a daemon that is started with it, and makes partitions of its own.
        hourly = load.start("1h")
        load.send(hourly, "hourly", range(48, 168))
        load.wait_for_acks(5)
        load.send(daily, "daily", range(48, 168))
        load.promote()
        attempts = set()
        eventually(lambda: attempts.update(attempts_to_alter(db)) or len(attempts) >= 2, "two attempts to add columns")
        drop = load.drop_old()
        eventually(lambda: detach_waits(db), "the drop to wait for the reader")
        load.wait_for_acks(20)
        while time.monotonic() - began < READER_SECONDS:
            assert count_spans(reader) == seen
        assert count_spans(reader) == seen and columns(db) == {}

    drop.communicate(timeout=120)
    # A reader that is longer than its patience leaves the rest to the next attempt, whoever makes it.
    eventually(lambda: not set(old) & set(partitions(db)) or load.drop_old().wait() is None, "the drop", 120)
    eventually(lambda: columns(db).keys() == KEYS.keys(), "the columns")
    eventually(lambda: filling_services(db) == {"daily", "hourly"}, "both daemons to fill the columns")
    eventually(lambda: db.execute("SELECT pg_get_viewdef('otel_span_attrs_int') LIKE '%app_two%'").fetchone()[0],
               "the views")
    load.wait_for_acks(10)
    acks = load.finish()

    check_stored(db, [number for ack in acks for number in ack.numbers])
    assert {until - start for start, until in partitions(db).values()} >= {DAY_NS, HOUR_NS}
    assert waits_of_others(cluster.log.read_text(errors="replace")) == []
    for daemon in load.daemons:
        assert daemon.stop() == 0, daemon.output()
    report(acks, capsys)


def count_spans(connection):
    return connection.execute("SELECT count(*) FROM v_otel_spans_enriched").fetchone()


def filling_services(db):
    return {service for service, in db.execute(
        "SELECT DISTINCT service_name FROM otel_spans_fact JOIN otel_resources_dim USING (resource_id) "
        f"WHERE {' AND '.join(f'{name} IS NOT NULL' for name in columns(db).values())}")}


def check_stored(db, numbers):
    """Each acknowledged item is there once, and both keys are its own, in the column or in jsonb but not in both."""
    stored = db.execute("SELECT span_id, COALESCE(app_one, attributes ->> 'app.one'), "
                        "COALESCE(app_two, (attributes ->> 'app.two')::bigint) FROM otel_spans_fact").fetchall()
    assert sorted(number for number, *_ in stored) == sorted(numbers)
    assert [row for row in stored if row[1:] != (f"item {row[0]}", row[0])] == []
    assert db.execute("SELECT count(*) FROM otel_spans_fact WHERE (app_two IS NULL) <> COALESCE(attributes ? 'app.two', "
                      "false) OR (app_one IS NULL) <> COALESCE(attributes ? 'app.one', false)").fetchone() == (0,)
    # The views tell no difference.
    for condition in ("IS NULL", "IS NOT NULL"):
        shown = db.execute("SELECT span_id, attributes ->> 'app.one', attributes -> 'app.two' FROM v_otel_spans_enriched "
                           f"WHERE span_id IN (SELECT span_id FROM otel_spans_fact WHERE app_two {condition} LIMIT 100)")
        rows = shown.fetchall()
        assert len(rows) == 100 and all(row[1:] == (f"item {row[0]}", row[0]) for row in rows)


def report(acks, capsys):
    ranked = sorted(ack.seconds for ack in acks)
    with capsys.disabled():
        print(f"\n{len(acks)} requests acknowledged, in {1e3 * ranked[len(ranked) // 2]:.0f} ms (median), "
              f"{1e3 * ranked[len(ranked) * 99 // 100]:.0f} ms (99 %), {1e3 * ranked[-1]:.0f} ms (slowest)")
