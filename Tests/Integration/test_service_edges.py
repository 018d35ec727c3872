# SPDX-License-Identifier: Apache-2.0
"""The service map's table: what the janitor makes of spans, compared with what was sent."""

import random
import time

import pytest

from conftest import Export
from support import otlp
from support.api import api_settings
from support.daemon import run
from support.service_graph import EDGE_TABLES, Traces, edges, packed_edges
from support.service_rounds import DONE, assert_latencies, one_round, send
from support.waiting import eventually

STARLING_SETTINGS = {"service_map.enabled": "false"}
MINUTE_NS = otlp.MINUTE_NS


@pytest.fixture
def edge_db(db):
    db.execute(f"TRUNCATE {', '.join(EDGE_TABLES)}")
    return db


@pytest.fixture
def round_of(database, start_server):
    return lambda: one_round(start_server, database)


def stored(connection):
    return packed_edges(connection, "otel_service_minute_edges", "minute")


def assert_edges(connection, rows):
    expected, found = edges(rows), stored(connection)
    assert found.keys() == expected.keys()
    for key, calls in expected.items():
        count, errors, total, packed = found[key]
        assert (count, errors) == (len(calls), sum(is_error for _, is_error in calls)), key
        durations = [duration for duration, _ in calls]
        assert total == sum(durations)
        assert_latencies(packed, durations)
    minutes = connection.execute("SELECT extract(epoch FROM minute)::int8, span_count, edge_count, omitted_edge_count "
                                 "FROM otel_service_edge_minutes").fetchall()
    for minute, span_count, edge_count, omitted in minutes:
        assert span_count == sum(row.start_ns // MINUTE_NS * 60 == minute for row in rows)
        assert edge_count == sum(key[0] == minute for key in expected) and omitted == 0


def test_the_view_shows_edge_by_edge(export, edge_db, round_of):
    rows = Traces(random.Random("view"), ago(40), 3 * MINUTE_NS).make(200)
    send(export, rows)
    round_of()
    expected = {}
    for (minute, tenant, kind, *names), (calls, errors, total, buckets) in stored(edge_db).items():
        # An empty name is none; a tenant is not told.
        key = (minute, kind, *(name or None for name in names))
        expected.setdefault(key, []).append((calls, errors, total / 1e6, buckets))
    found = {}
    for row in edge_db.execute(
            "SELECT extract(epoch FROM time)::int8, kind, client_namespace, client_service, server_namespace, "
            "server_service, call_count, error_count, duration_ms_sum, latency_buckets FROM grafana.service_edges"):
        found.setdefault(row[:6], []).append(row[6:])
    assert found and {key: sorted(rows) for key, rows in found.items()} == {
        key: sorted(rows) for key, rows in expected.items()}


def ago(minutes):
    """The begin of a minute of the past, not changing within a test."""
    return time.time_ns() // MINUTE_NS * MINUTE_NS - minutes * MINUTE_NS


@pytest.mark.parametrize("seed", range(4))
def test_random_traces(export, edge_db, round_of, seed):
    rows = Traces(random.Random(f"edges/{seed}"), ago(40), 4 * MINUTE_NS).make(300)
    send(export, rows)
    round_of()
    assert_edges(edge_db, rows)
    first, last = (bound // MINUTE_NS for bound in (min(row.start_ns for row in rows), max(
        row.start_ns for row in rows)))
    # From the first span on, every minute that is over is in the map, empty ones too.
    seconds, count = edge_db.execute(
        "SELECT extract(epoch FROM min(minute))::int8, count(*) FROM otel_service_edge_minutes").fetchone()
    assert seconds == first * 60 and count > last - first + 1
    before = edge_db.execute("SELECT * FROM otel_service_minute_edges ORDER BY minute, tenant").fetchall()
    edge_db.execute("UPDATE otel_service_edge_minutes SET is_stale = true")
    round_of()
    assert edge_db.execute("SELECT * FROM otel_service_minute_edges ORDER BY minute, tenant").fetchall() == before


def test_a_minute_is_not_closed_before_it_is_over(export, edge_db, round_of):
    now_ns = time.time_ns()
    rows = Traces(random.Random("open"), now_ns, 1).make(20)
    send(export, rows)
    round_of()
    open_from = now_ns // MINUTE_NS * 60 - 60
    assert not [key for key in stored(edge_db) if key[0] >= open_from]


def test_late_spans(export, edge_db, round_of):
    """Half of the spans first, and the rest when the map has the minutes already."""
    begin_ns = ago(100)
    rows = Traces(random.Random("late"), begin_ns, 3 * MINUTE_NS).make(200)
    shuffled = random.Random("order").sample(rows, len(rows))
    early, late = shuffled[: len(rows) // 2], shuffled[len(rows) // 2:]
    send(export, early)
    round_of()
    assert_edges(edge_db, early)
    # The looks at 1 and 10 minutes are over, the one at an hour is due.
    look_back(edge_db, 15)
    send(export, late)
    round_of()
    stale = edge_db.execute("SELECT count(*) FROM otel_service_edge_minutes WHERE is_stale").fetchone()
    assert stale[0] > 0
    round_of()
    assert edge_db.execute("SELECT count(*) FROM otel_service_edge_minutes WHERE is_stale").fetchone() == (0,)
    assert_edges(edge_db, rows)


def look_back(connection, minutes):
    """As if the last look had been so long after the end of each minute."""
    connection.execute("UPDATE otel_service_edge_minutes SET is_stale = false, computed_at = minute + "
                       "make_interval(mins => %s)", (minutes + 1,))


def test_a_look_at_what_has_not_changed_computes_nothing(export, edge_db, database, start_server, round_of):
    send(export, Traces(random.Random("still"), ago(90), MINUTE_NS).make(50))
    round_of()
    look_back(edge_db, 15)
    due = "SELECT count(*)::int FROM otel_service_edge_minutes WHERE minute <= now() - interval '61 min'"
    due_before = edge_db.execute(due).fetchone()[0]
    edges_before = edge_db.execute("SELECT xmin, * FROM otel_service_minute_edges ORDER BY minute, tenant").fetchall()
    settings, api = api_settings()
    server = start_server(database, {"log.level": "debug"} | settings)
    eventually(lambda: DONE in server.daemon.output(), "the second look")
    unchanged = api.metrics()['starling_service_map_minutes_total{result="unchanged"}']
    assert 20 < due_before <= unchanged <= edge_db.execute(due).fetchone()[0]
    assert edge_db.execute("SELECT xmin, * FROM otel_service_minute_edges ORDER BY minute, tenant").fetchall() == edges_before
    assert server.daemon.stop() == 0


def test_two_daemons(export, edge_db, database, start_server):
    """Both look at once; the map is the same, and no edge is there twice."""
    rows = Traces(random.Random("two"), ago(60), 10 * MINUTE_NS).make(400)
    send(export, rows)
    pair = [start_server(database, {"log.level": "debug"}) for _ in range(2)]
    eventually(lambda: any(DONE in server.daemon.output() for server in pair), "the first look of one of them")
    for server in pair:
        assert server.daemon.stop() == 0
    assert_edges(edge_db, rows)


def test_minutes_go_with_their_partition(export, edge_db, round_of, binary, database):
    rows = Traces(random.Random("gone"), ago(30), 2 * MINUTE_NS).make(40)
    send(export, rows)
    round_of()
    assert stored(edge_db)
    names = edge_db.execute("SELECT inhrelid::regclass::text FROM pg_inherits "
                            "WHERE inhparent = 'otel_spans_fact'::regclass").fetchall()
    dropped = run(binary, "partitions", "drop", *[name for name, in names], environment=database.environment)
    assert dropped.returncode == 0, dropped
    round_of()
    assert not stored(edge_db)
    assert edge_db.execute("SELECT count(*) FROM otel_service_edge_minutes").fetchone() == (0,)


def test_edges_of_a_tenant_go_when_its_spans_go(export, edge_db, round_of, binary, database):
    """Edges of three days, red's kept for two."""
    made = run(binary, "partitions", "ensure", "--past", "3d", environment=database.environment)
    assert made.returncode == 0, made
    send(export, Traces(random.Random("tenants"), ago(30), MINUTE_NS).make(40))
    round_of()
    now = stored(edge_db).keys()
    assert {key[1] for key in now} == {"", "red"}
    edge_db.execute("INSERT INTO otel_service_minute_edges SELECT minute - interval '2 days', tenant, edges, "
                    "latency_buckets FROM otel_service_minute_edges")
    two_days = 2 * 24 * 3600
    old = {(key[0] - two_days, *key[1:]) for key in now}
    assert stored(edge_db).keys() == now | old
    policy = ("retention", "set", "traces", "--tenant", "red", "--days")
    assert run(binary, *policy, "2", environment=database.environment).returncode == 0
    round_of()
    assert run(binary, *policy, "none", environment=database.environment).returncode == 0
    assert stored(edge_db).keys() == now | {key for key in old if key[1] == ""}


def test_edges_of_a_minute_are_bounded(export, edge_db, round_of):
    """2,100 peers, called twice, once and once: those with the fewest calls are left out."""
    begin_ns = ago(20)
    spans = [otlp.span(kind=3, start_time_unix_nano=begin_ns + number, end_time_unix_nano=begin_ns + number + 5,
                       attributes=otlp.attributes(server__address=f"host-{number % 2100:04}"))
             for number in range(2100 + 1500)]
    export(otlp.request("traces", spans))
    round_of()
    minute = edge_db.execute("SELECT edge_count, omitted_edge_count FROM otel_service_edge_minutes WHERE span_count > 0"
                             ).fetchall()
    assert minute == [(2000, 100)]
    peers = [(key[-1], calls) for key, (calls, *_) in stored(edge_db).items()]
    assert peers == [(f"host-{number:04}", 2 if number < 1500 else 1) for number in range(2000)]
