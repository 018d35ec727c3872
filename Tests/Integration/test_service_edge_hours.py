# SPDX-License-Identifier: Apache-2.0
"""The service map by hour: what the janitor adds up, and that nobody who asks sees a difference."""

from pathlib import Path
import random
import re
import struct
import time

from opentelemetry.proto.resource.v1.resource_pb2 import Resource
import pytest

from conftest import Database
from support import otlp
from support.api import api_settings
from support.daemon import run
from support.query import QueryAPI
from support.service_graph import (
    EDGE_COLUMNS, EDGE_TABLES, UNDO_EDGE_HOURS, Traces, edges, packed_edges, store_edges, unpacked)
from support.service_rounds import DONE, HOUR_NS, assert_latencies, hour_ago, one_round, send

STARLING_SETTINGS = {"service_map.enabled": "false"}
MINUTE_NS = otlp.MINUTE_NS
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


@pytest.fixture
def edge_db(db):
    db.execute(f"TRUNCATE {', '.join(EDGE_TABLES)}")
    return db


@pytest.fixture
def round_of(database, start_server):
    """Until nothing is left to do."""
    def run_all():
        for _ in range(5):
            if f"{DONE} up to date" in one_round(start_server, database):
                return
        pytest.fail("the service map is behind for ever")
    return run_all


@pytest.fixture
def query(database, start_server):
    """A daemon that looks at nothing by itself."""
    settings, api = api_settings()
    start_server(database, STARLING_SETTINGS | settings)
    api.wait_ready()
    return QueryAPI(api.address)


def traces(name, begin_ns, length_ns, count):
    """Spans, and one at the begin of the hour before, so that every minute from there on is in the map."""
    rows = Traces(random.Random(name), begin_ns, length_ns).make(count)
    return rows + Traces(random.Random(f"{name}, the first"), begin_ns - HOUR_NS, 1).make(1)


def by_hour(rows):
    """`edges` of what was sent, by hour."""
    found = {}
    for (minute, *rest), calls in edges(rows).items():
        found.setdefault((minute // 3600 * 3600, *rest), []).extend(calls)
    return found


def stored(connection):
    """Hours that count."""
    counting = {hour for hour, in connection.execute("SELECT extract(epoch FROM hour)::int8 FROM otel_service_edge_hours")}
    found = packed_edges(connection, "otel_service_hour_edges", "hour")
    return {key: figures for key, figures in found.items() if key[0] in counting}


def assert_hours(connection, rows):
    """What is added up is what was sent; returns the hours, in Unix seconds."""
    hours = {hour: (count, omitted) for hour, count, omitted in connection.execute(
        "SELECT extract(epoch FROM hour)::int8, edge_count, omitted_edge_count FROM otel_service_edge_hours")}
    expected = {key: calls for key, calls in by_hour(rows).items() if key[0] in hours}
    found = stored(connection)
    assert found.keys() == expected.keys()
    for key, calls in expected.items():
        count, errors, total, packed = found[key]
        durations = [duration for duration, _ in calls]
        assert (count, errors) == (len(calls), sum(is_error for _, is_error in calls)), key
        assert total == sum(durations)
        assert_latencies(packed, durations)
    for hour, counts in hours.items():
        assert counts == (sum(key[0] == hour for key in expected), 0)
    return set(hours)


def seconds(time_ns):
    return time_ns // 10**9


def test_hours_are_what_was_sent(export, edge_db, round_of):
    begin_ns = hour_ago(5)
    rows = traces("hours", begin_ns + 20 * MINUTE_NS, 2 * HOUR_NS, 1500)
    send(export, rows)
    round_of()
    known = assert_hours(edge_db, rows)
    # The hour of the first span begins before the first minute of the map, so it is not whole.
    assert {seconds(begin_ns) + hour * 3600 for hour in range(3)} <= known
    assert seconds(begin_ns - HOUR_NS) not in known
    before = {table: edge_db.execute(f"SELECT xmin, hour FROM {table}").fetchall() for table in EDGE_TABLES[3:]}
    round_of()
    for table, had in before.items():
        assert set(had) <= set(edge_db.execute(f"SELECT xmin, hour FROM {table}").fetchall()), "done again"


def test_late_spans_come_into_their_hour(export, edge_db, round_of):
    begin_ns = hour_ago(4)
    rows = traces("late", begin_ns, HOUR_NS, 400)
    shuffled = random.Random("order").sample(rows[:-1], len(rows) - 1)
    early, late = shuffled[: len(rows) // 2] + rows[-1:], shuffled[len(rows) // 2:]
    send(export, early)
    round_of()
    assert seconds(begin_ns) in assert_hours(edge_db, early)
    # As if the last look had been before the one at an hour.
    edge_db.execute("UPDATE otel_service_edge_minutes SET computed_at = minute + interval '16 min'")
    send(export, late)
    round_of()
    # Neighbours of minutes that changed are done in the next run.
    round_of()
    assert seconds(begin_ns) in assert_hours(edge_db, rows)


def test_answers_are_the_same_with_and_without_hours(export, edge_db, round_of, query):
    begin_ns = hour_ago(6)
    rows = traces("answers", begin_ns + 30 * MINUTE_NS, 3 * HOUR_NS, 2000)
    send(export, rows)
    round_of()
    assert len(assert_hours(edge_db, rows)) >= 3
    whole = {"start_time": str(begin_ns), "end_time": str(begin_ns + 4 * HOUR_NS)}
    part = {"start_time": str(begin_ns + 45 * MINUTE_NS), "end_time": str(begin_ns + 3 * HOUR_NS + 7 * MINUTE_NS)}
    service = next(row.place.service for row in rows if row.place.service)
    asked = [whole, part, whole | {"service": service}, part | {"service": service}]

    def answers():
        jaeger = query.get("/jaeger/api/dependencies", {
            "endTs": (begin_ns + 3 * HOUR_NS + 7 * MINUTE_NS) // 10**6, "lookback": 3 * 3600 * 1000})
        return [query.get("/api/service-map", one) for one in asked] + [jaeger]

    def calls(answer):
        return sum(edge["calls"] for edge in answer["edges"]) if "edges" in answer else sum(
            edge["callCount"] for edge in answer["data"])

    last_minute_ns = begin_ns + 3 * HOUR_NS - MINUTE_NS

    def until(end_ns):
        return calls(query.get("/jaeger/api/dependencies", {
            "endTs": end_ns // 10**6, "lookback": (end_ns - begin_ns) // 10**6}))
    sent = sum(len(durations) for (minute, _, kind, *_), durations in edges(rows).items()
               if kind in ("call", "message") and begin_ns <= minute * 10**9 <= last_minute_ns)
    # A minute that begins with the end of the range is in it, and so its hour is whole.
    assert until(last_minute_ns) == sent > until(last_minute_ns - MINUTE_NS)
    with_hours = answers()
    assert all(answer["edges"] and not answer["warnings"] for answer in with_hours[:-1]) and with_hours[-1]["data"]
    assert {edge["calls"] for edge in with_hours[0]["edges"]} != {1}
    # An hour that is read says so: twice as much comes out of twice as much.
    packed = dict(edge_db.execute("SELECT hour::text || tenant, edges FROM otel_service_hour_edges"))
    for key, edges_of_hour in packed.items():
        twice = b"".join(struct.pack(">5q", edge, 2 * calls, *rest)
                         for edge, calls, *rest in struct.iter_unpack(">5q", edges_of_hour))
        edge_db.execute("UPDATE otel_service_hour_edges SET edges = %s WHERE hour::text || tenant = %s", [twice, key])
    assert all(calls(twice) > calls(once) for twice, once in zip(answers(), with_hours))
    edge_db.execute("DELETE FROM otel_service_edge_hours")
    without_hours = answers()
    assert with_hours == without_hours


def test_more_edges_than_an_answer_has(export, edge_db, round_of, query):
    """1,500 peers over two minutes of an hour: the answer has the 1,000 with most calls, and says so."""
    begin_ns = hour_ago(4)
    spans = [otlp.span(kind=3, start_time_unix_nano=begin_ns + (number % 2) * MINUTE_NS + number,
                       end_time_unix_nano=begin_ns + (number % 2) * MINUTE_NS + number + 5000,
                       attributes=otlp.attributes(server__address=f"host-{number % 1500:04}"))
             for number in range(1500 + 1000)]
    export(otlp.request("traces", spans))
    export(otlp.request("traces", [otlp.span(start_time_unix_nano=begin_ns - HOUR_NS,
                                             end_time_unix_nano=begin_ns - HOUR_NS)]))
    round_of()
    answer = query.get("/api/service-map", {"start_time": str(begin_ns), "end_time": str(begin_ns + HOUR_NS)})
    assert [(edge["server"], edge["calls"]) for edge in answer["edges"]] == [
        (f"external:/host-{number:04}", 2) for number in range(1000)]
    assert answer["warnings"] == ["there are more edges; these 1000 have the most calls"]


def test_hours_and_names_go_with_their_partition(export, edge_db, round_of, binary, database):
    rows = traces("gone", hour_ago(3), HOUR_NS, 100)
    send(export, rows)
    round_of()
    assert assert_hours(edge_db, rows)
    # Of a day without a partition: it goes, and what nobody else has of its names.
    day_before_ns = hour_ago(48)
    store_edges(edge_db, [(day_before_ns, "", "call", "gone", "too", 7)])
    round_of()
    assert names_of(edge_db) == {key[2:] for key in edges(rows)}
    partitions = [name for name, in edge_db.execute("SELECT inhrelid::regclass::text FROM pg_inherits "
                                                    "WHERE inhparent = 'otel_spans_fact'::regclass")]
    dropped = run(binary, "partitions", "drop", *partitions, environment=database.environment)
    assert dropped.returncode == 0, dropped
    round_of()
    for table in EDGE_TABLES:
        assert edge_db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


def test_hours_of_a_tenant_go_when_its_spans_go(export, edge_db, round_of, binary, database):
    """The same hour today and two days before, red's kept for two."""
    made = run(binary, "partitions", "ensure", "--past", "3d", environment=database.environment)
    assert made.returncode == 0, made
    rows = traces("tenants", hour_ago(3), HOUR_NS, 100)
    send(export, rows)
    round_of()
    assert assert_hours(edge_db, rows)
    tenants = "SELECT tenant, count(*) FROM otel_service_hour_edges GROUP BY tenant"
    hours = dict(edge_db.execute(tenants).fetchall())
    assert hours.keys() == {"", "red"}
    edge_db.execute("INSERT INTO otel_service_hour_edges SELECT hour - interval '2 days', tenant, edges, latency_buckets "
                    "FROM otel_service_hour_edges")
    policy = ("retention", "set", "traces", "--tenant", "red", "--days")
    assert run(binary, *policy, "2", environment=database.environment).returncode == 0
    round_of()
    assert run(binary, *policy, "none", environment=database.environment).returncode == 0
    assert dict(edge_db.execute(tenants).fetchall()) == {"": 2 * hours[""], "red": hours["red"]}
    assert assert_hours(edge_db, rows)


def names_of(connection):
    return set(connection.execute(f"SELECT {', '.join(EDGE_COLUMNS[1:])} FROM otel_service_edges_dim").fetchall())


def test_names_that_are_long_together(export, edge_db, round_of):
    """Five names of 200 characters of four bytes each are longer than an index takes."""
    begin_ns = time.time_ns() // MINUTE_NS * MINUTE_NS - 10 * MINUTE_NS
    long = ["\N{MUSICAL SYMBOL G CLEF}" * 199 + str(number) for number in range(2)]
    trace_id, parent = otlp.trace_id(otlp.unique()), otlp.span_id(otlp.unique())
    for number, (span_id, parent_id) in enumerate([(parent, b""), (otlp.span_id(otlp.unique()), parent)]):
        span = otlp.span(kind=2, trace_id=trace_id, span_id=span_id, parent_span_id=parent_id,
                         start_time_unix_nano=begin_ns, end_time_unix_nano=begin_ns + 5)
        export(otlp.request("traces", [span], Resource(attributes=otlp.attributes(
            service__name=long[number], service__namespace=long[number]))))
    round_of()
    found = packed_edges(edge_db, "otel_service_minute_edges", "minute")
    assert [(*key[1:], calls) for key, (calls, *_) in found.items()] == [
        ("", "call", long[0], long[0], long[1], long[1], 1)]


def old_table():
    text = (MIGRATIONS / "0011_service_edges.sql").read_text()
    return re.search(r"CREATE TABLE otel_service_edges \(.*?\n\);", text, re.DOTALL)[0]


def test_edges_of_an_older_version_are_taken_over(binary, cluster):
    cluster.create_database("older_edges")
    database = Database(cluster, "older_edges")
    chance = random.Random("older")
    try:
        assert run(binary, "migrate", environment=database.environment).returncode == 0
        rows = []
        for minute in range(20):
            for ordinal in range(1, 40):
                buckets = sorted(chance.sample(range(79, 336), chance.randint(1, 5)))
                counts = [chance.randint(1, 1000) for _ in buckets[1:]]
                counts.append(10_000 - ordinal - sum(counts))
                rows.append((MINUTE_NS // 10**9 * (29_000_000 + minute), ordinal, chance.choice(["", "red"]), "call", "",
                             f"client-{chance.randint(1, 5)}", "shop", f"server-{ordinal}", sum(counts), 1,
                             5e9 + ordinal, buckets, counts))
        with database.connect() as db:
            db.execute(UNDO_EDGE_HOURS + "DELETE FROM schema_migrations WHERE version >= 15")
            db.execute(old_table())
            for row in rows:
                db.execute(f"INSERT INTO otel_service_edges VALUES (to_timestamp(%s), {', '.join(['%s'] * 10)}, %s::int2[], "
                           "%s::int4[])",
                           row)
        assert run(binary, "migrate", environment=database.environment).returncode == 0
        with database.connect() as db:
            found = packed_edges(db, "otel_service_minute_edges", "minute")
        assert [(*key, *figures[:3], unpacked(figures[3])) for key, figures in found.items()] == [
            (*row[:1], *row[2:11], list(zip(row[11], row[12])))
            for row in sorted(rows, key=lambda row: (row[0], row[2], row[1]))]
    finally:
        cluster.drop_database("older_edges")
