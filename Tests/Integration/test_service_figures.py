# SPDX-License-Identifier: Apache-2.0
"""Figures of services by minute and hour: what the janitor makes of spans, compared with what was sent."""

import random
import time

import pytest

from support import otlp
from support.api import api_settings
from support.daemon import run
from support.query import QueryAPI
from support.service_calls import PLACES, QUANTILES, by_service, duration, figures, make, nearest_rank
from support.service_graph import EDGE_TABLES, SERVER, Place, Row, requests
from support.service_rounds import DONE, FAILED, HOUR_NS, assert_latencies, hour_ago, one_round, send

STARLING_SETTINGS = {"service_map.enabled": "false"}
MINUTE_NS = otlp.MINUTE_NS
TABLES = ("otel_service_figures", "otel_service_figure_minutes", "otel_service_hour_figures",
          "otel_service_figure_hours")


@pytest.fixture
def figure_db(db):
    db.execute(f"TRUNCATE {', '.join(EDGE_TABLES)}, {', '.join(TABLES)}")
    return db


@pytest.fixture
def round_of(database, start_server):
    return lambda done=DONE: one_round(start_server, database, done=done)


@pytest.fixture
def query(database, start_server):
    """A daemon that looks at nothing by itself."""
    settings, api = api_settings()
    start_server(database, STARLING_SETTINGS | settings)
    api.wait_ready()
    return QueryAPI(api.address)


def stored(connection, table, column):
    rows = connection.execute(
        f"SELECT extract(epoch FROM {column})::int8, tenant, service_namespace, service_name, kind_id, call_count, "
        f"error_count, latency_sum_nanos, latency_buckets FROM {table} "
        f"WHERE {column} IN (SELECT {column} FROM otel_service_figure_{column}s)").fetchall()
    found = {row[:5]: row[5:] for row in rows}
    assert len(found) == len(rows), "figures are there twice"
    return found


def assert_figures(connection, rows):
    """Minutes and hours, as far as there are hours, have what was sent."""
    minutes = stored(connection, "otel_service_figures", "minute")
    assert_same(minutes, figures(rows))
    known = {hour for hour, in connection.execute(
        "SELECT extract(epoch FROM hour)::int8 FROM otel_service_figure_hours")}
    hours = {key: calls for key, calls in figures(rows, HOUR_NS).items() if key[0] in known}
    assert_same(stored(connection, "otel_service_hour_figures", "hour"), hours)
    return known


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, calls in expected.items():
        count, errors, total, packed = found[key]
        assert (count, errors) == (len(calls), sum(row.is_error for row in calls)), key
        durations = list(map(duration, calls))
        assert total == pytest.approx(sum(durations), rel=1e-9)
        assert_latencies(packed, durations)


def assert_marks(connection, rows):
    """What is said about each minute, those without a call too."""
    minutes = connection.execute(
        "SELECT extract(epoch FROM minute)::int8 FROM otel_service_figure_minutes ORDER BY 1").fetchall()
    first = min(row.start_ns for row in rows) // HOUR_NS * 3600
    assert [minute for minute, in minutes] == list(range(first, first + 60 * len(minutes), 60)), "a hole"
    assert_marks_of_each(connection, rows)


def assert_marks_of_each(connection, rows):
    expected = figures(rows)
    minutes = connection.execute(
        "SELECT extract(epoch FROM minute)::int8, span_count, row_count, omitted_row_count, latency_bucket_count "
        "FROM otel_service_figure_minutes ORDER BY 1").fetchall()
    buckets = dict(connection.execute("SELECT extract(epoch FROM minute)::int8, sum(length(latency_buckets)) / 6 "
                                      "FROM otel_service_figures GROUP BY 1").fetchall())
    for minute, span_count, row_count, omitted, bucket_count in minutes:
        assert span_count == sum(row.start_ns // MINUTE_NS * 60 == minute for row in rows)
        assert row_count == sum(key[0] == minute for key in expected) and omitted == 0
        assert bucket_count == buckets.get(minute, 0)


def test_minutes_and_hours(export, figure_db, round_of):
    begin_ns = hour_ago(5)
    rows = make(random.Random("figures"), begin_ns + 20 * MINUTE_NS, 2 * HOUR_NS, 3000)
    send(export, rows)
    round_of()
    known = assert_figures(figure_db, rows)
    assert_marks(figure_db, rows)
    # Three hours with spans, and one without; the last ones of the day may be too new.
    assert {begin_ns // 10**9 + hour * 3600 for hour in range(4)} <= known
    before = [figure_db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES]
    round_of()
    after = [figure_db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES]
    assert all(set(one) <= set(other) for one, other in zip(before[0::2], after[0::2])), "done again after a restart"


def test_views_for_grafana(export, figure_db, round_of):
    rows = make(random.Random("views"), hour_ago(5), 2 * HOUR_NS, 500)
    send(export, rows)
    round_of()
    for view, length_ns in (("service_minutes", MINUTE_NS), ("service_hours", HOUR_NS)):
        expected = {}
        for (moment, _, namespace, service, kind), calls in figures(rows, length_ns).items():
            expected.setdefault((moment, service or None, namespace or None, kind, kind in (2, 5)), []).extend(calls)
        found = figure_db.execute(
            "SELECT extract(epoch FROM time)::int8, service_name, service_namespace, "
            "(SELECT kind_id FROM span_kinds WHERE name = kind), is_entry, sum(call_count), sum(error_count), "
            f"sum(duration_ms_sum) FROM grafana.{view} GROUP BY 1, 2, 3, 4, 5").fetchall()
        assert {row[:5] for row in found} == expected.keys()
        for *key, count, errors, total_ms in found:
            calls = expected[tuple(key)]
            assert (count, errors) == (len(calls), sum(row.is_error for row in calls))
            assert total_ms == pytest.approx(sum(map(duration, calls)) / 1e6)
    # What a failed computation leaves behind does not count.
    figure_db.execute("DELETE FROM otel_service_figure_minutes")
    assert figure_db.execute("SELECT count(*) FROM grafana.service_minutes").fetchone() == (0,)


def test_a_minute_is_not_counted_before_it_is_over(export, figure_db, round_of):
    now_ns = time.time_ns()
    send(export, make(random.Random("open"), now_ns, 1, 20))
    round_of()
    assert figure_db.execute("SELECT count(*) FROM otel_service_figure_minutes WHERE minute >= otel_time(%s)",
                             [now_ns // MINUTE_NS * MINUTE_NS - MINUTE_NS]).fetchone() == (0,)


def test_late_spans(export, figure_db, round_of):
    """Half of the spans first, and the rest when the minutes and their hours are there already."""
    rows = make(random.Random("late"), hour_ago(4), 2 * HOUR_NS, 2000)
    send(export, rows[:1000])
    round_of()
    hours = assert_figures(figure_db, rows[:1000])
    # The looks at 1 and 10 minutes are over, the one at an hour is due.
    figure_db.execute("UPDATE otel_service_edge_minutes SET is_stale = false, "
                      "computed_at = minute + interval '16 minutes'")
    send(export, rows[1000:])
    # A run looks at 120 minutes.
    for _ in range(3):
        round_of()
    assert assert_figures(figure_db, rows) >= hours


def test_spans_of_long_ago(export, figure_db, round_of):
    """As an import brings them, for minutes that the map does not look at any more."""
    rows = make(random.Random("import"), hour_ago(50), 2 * HOUR_NS, 600)
    send(export, rows[:300])
    round_of()
    hours = assert_figures(figure_db, rows[:300])
    send(export, rows[300:])
    round_of()
    assert assert_figures(figure_db, rows) >= hours >= {hour_ago(50) // 10**9, hour_ago(49) // 10**9}
    # Older than the first, where nothing was looked at yet, and newer than the last.
    more = make(random.Random("more"), hour_ago(53), 9 * HOUR_NS, 300)
    send(export, more)
    round_of()
    assert_figures(figure_db, rows + more)
    assert_marks_of_each(figure_db, rows + more)


def test_a_minute_that_fails_is_a_hole(export, figure_db, round_of, query):
    """The others are there, the hole is answered out of its spans, and filled when it can be."""
    begin_ns = hour_ago(4)
    rows = make(random.Random("hole"), begin_ns, 2 * HOUR_NS, 12_000)
    send(export, rows)
    bad_ns = begin_ns + 70 * MINUTE_NS
    figure_db.execute("""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'a minute that cannot be stored'; END $$""")
    figure_db.execute(f"""
        CREATE TRIGGER refuse BEFORE INSERT ON otel_service_figures FOR EACH ROW
        WHEN (NEW.minute = to_timestamp({bad_ns // 10**9})) EXECUTE FUNCTION refuse()""")
    try:
        round_of(done=FAILED)
        bad = [row for row in rows if row.start_ns // MINUTE_NS == bad_ns // MINUTE_NS]
        assert bad
        known = assert_figures(figure_db, [row for row in rows if row not in bad])
        assert begin_ns // 10**9 in known and begin_ns // 10**9 + 3600 not in known
        assert_answer(query, rows, begin_ns, begin_ns + 2 * HOUR_NS)
    finally:
        figure_db.execute("DROP FUNCTION refuse CASCADE")
    round_of()
    assert begin_ns // 10**9 + 3600 in assert_figures(figure_db, rows)
    assert_answer(query, rows, begin_ns, begin_ns + 2 * HOUR_NS)


def test_a_minute_without_a_map_has_figures(export, figure_db, round_of):
    """Its edges cannot be stored; spans that come late for it are counted all the same."""
    begin_ns = time.time_ns() // MINUTE_NS * MINUTE_NS - 40 * MINUTE_NS
    rows = make(random.Random("no map"), begin_ns, 10 * MINUTE_NS, 200)
    caller = Row(PLACES[0], otlp.trace_id(otlp.unique()), otlp.span_id(otlp.unique()), b"", SERVER,
                 rows[0].start_ns, rows[0].start_ns + 9)
    called = Row(PLACES[2], caller.trace_id, otlp.span_id(otlp.unique()), caller.span_id, SERVER,
                 rows[0].start_ns, rows[0].start_ns + 5)
    refusing = """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'an edge that cannot be stored'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON otel_service_minute_edges FOR EACH ROW EXECUTE FUNCTION refuse()"""
    send(export, [*rows[:100], caller, called])
    figure_db.execute(refusing)
    try:
        round_of(done=FAILED)
        assert_figures(figure_db, [*rows[:100], caller, called])
        send(export, rows[100:])
        round_of(done=FAILED)
        minute = rows[0].start_ns // MINUTE_NS
        count, = figure_db.execute("SELECT span_count FROM otel_service_figure_minutes WHERE minute = otel_time(%s)",
                                   [minute * MINUTE_NS]).fetchone()
        assert count == sum(row.start_ns // MINUTE_NS == minute for row in [*rows, caller, called])
    finally:
        figure_db.execute("DROP FUNCTION refuse CASCADE")


def test_what_was_stored_before_there_were_figures(export, figure_db, round_of):
    """As a migrated database is: the map has its minutes, and there are no figures."""
    rows = make(random.Random("before"), hour_ago(6), 3 * HOUR_NS, 500)
    # Older than the map looks back.
    rows += make(random.Random("old"), hour_ago(50), HOUR_NS, 500)
    send(export, rows)
    round_of()
    figure_db.execute(f"TRUNCATE {', '.join(TABLES)}")
    map_before = figure_db.execute("SELECT * FROM otel_service_edge_minutes").fetchall()
    round_of()
    hours = assert_figures(figure_db, rows)
    assert {hour_ago(50) // 10**9, hour_ago(6) // 10**9} <= hours
    assert set(map_before) <= set(figure_db.execute("SELECT * FROM otel_service_edge_minutes").fetchall())


def test_figures_go_with_their_partition(export, figure_db, round_of, binary, database):
    send(export, make(random.Random("gone"), hour_ago(3), HOUR_NS, 200))
    round_of()
    assert all(figure_db.execute(f"SELECT count(*) > 0 FROM {table}").fetchone()[0] for table in TABLES)
    names = figure_db.execute("SELECT inhrelid::regclass::text FROM pg_inherits "
                              "WHERE inhparent = 'otel_spans_fact'::regclass").fetchall()
    dropped = run(binary, "partitions", "drop", *[name for name, in names], environment=database.environment)
    assert dropped.returncode == 0, dropped
    round_of()
    assert [figure_db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in TABLES] == 4 * [(0,)]


def test_figures_of_a_tenant_go_when_its_spans_go(export, figure_db, round_of, binary, database):
    """Figures of three days, red's kept for two."""
    rows = [row for hours in (51, 3) for row in make(random.Random(f"tenants/{hours}"), hour_ago(hours), HOUR_NS, 200)]
    send(export, rows)
    round_of()
    assert_figures(figure_db, rows)
    policy = ("retention", "set", "traces", "--tenant", "red", "--days")
    assert run(binary, *policy, "2", environment=database.environment).returncode == 0
    round_of()
    assert run(binary, *policy, "none", environment=database.environment).returncode == 0
    for table, column in (("otel_service_figures", "minute"), ("otel_service_hour_figures", "hour")):
        old = figure_db.execute(f"SELECT DISTINCT tenant FROM {table} WHERE {column} < now() - interval '1 day'")
        assert old.fetchall() == [("",)], table
        new = figure_db.execute(f"SELECT DISTINCT tenant FROM {table} WHERE {column} > now() - interval '1 day'")
        assert sorted(new.fetchall()) == [("",), ("red",)], table


def test_figures_of_a_minute_are_bounded(export, figure_db, round_of):
    """5,010 services, the first of them called twice: those with the fewest calls are left out, of the hour as well."""
    begin_ns = hour_ago(3)
    rows = []
    for number in [*range(5010), *range(100)]:
        own = otlp.unique()
        rows.append(Row(Place("", "", f"service-{number:04}", 1), otlp.trace_id(own), otlp.span_id(own), b"", SERVER,
                        begin_ns + number, begin_ns + number + 5))
    request = requests(rows)
    whole = request[0]
    for part in request[1:]:
        whole.resource_spans.extend(part.resource_spans)
    export(whole)
    round_of()
    for table in ("otel_service_figure_minutes", "otel_service_figure_hours"):
        marks = figure_db.execute(f"SELECT row_count, omitted_row_count, latency_bucket_count FROM {table} "
                                  "WHERE row_count > 0").fetchall()
        assert marks == [(5000, 10, 5000)], table
    for table in ("otel_service_figures", "otel_service_hour_figures"):
        found = figure_db.execute(f"SELECT service_name, call_count FROM {table} ORDER BY ordinal").fetchall()
        assert found == [(f"service-{number:04}", 2 if number < 100 else 1) for number in range(5000)], table


# What the API makes of them


def assert_answer(query, rows, begin_ns, end_ns):
    """Of more than the 10,000 spans up to which quantiles are exact."""
    assert sum(begin_ns <= row.start_ns < end_ns for row in rows) > 10_000
    answer = query.get("/api/services", {"start_time": begin_ns, "end_time": end_ns})
    assert answer["warnings"] == []
    expected = by_service(rows, begin_ns, end_ns)
    found = {(one["service"], one["namespace"]): one for one in answer["services"]}
    assert found.keys() == expected.keys()
    assert [one["calls"] for one in answer["services"]] == sorted(map(len, expected.values()), reverse=True)
    for key, calls in expected.items():
        one = found[key]
        assert (one["calls"], one["errors"]) == (len(calls), sum(row.is_error for row in calls))
        assert one["error_rate"] == pytest.approx(one["errors"] / one["calls"])
        assert one["calls_per_second"] == pytest.approx(one["calls"] / ((end_ns - begin_ns) / 1e9))
        assert not one["is_estimate"]
        durations = [duration(row) for row in calls]
        for name, share in QUANTILES.items():
            assert int(one[name]) == pytest.approx(nearest_rank(durations, share), rel=0.046), (key, name)
    return answer


@pytest.fixture
def day(export, figure_db, round_of):
    """20,000 spans of four hours, and their figures."""
    begin_ns = hour_ago(7)
    rows = make(random.Random("day"), begin_ns, 4 * HOUR_NS, 20_000)
    send(export, rows)
    round_of()
    return begin_ns, rows


RANGES = [(0, 4 * HOUR_NS), (0, 4 * HOUR_NS + 17), (-5, 3 * HOUR_NS - 1), (30 * MINUTE_NS, 4 * HOUR_NS - 30 * MINUTE_NS),
          (30 * MINUTE_NS + 7, 3 * HOUR_NS + 30 * MINUTE_NS - 9), (1, 4 * HOUR_NS - 1),
          (59 * MINUTE_NS + 1, 4 * HOUR_NS - MINUTE_NS + 1)]


def test_answers_out_of_figures(day, query, figure_db):
    begin_ns, rows = day
    for first, last in RANGES:
        assert_answer(query, rows, begin_ns + first, begin_ns + last)
    # Without any, the same comes out of the spans.
    figure_db.execute("TRUNCATE otel_service_figure_minutes, otel_service_figure_hours")
    for first, last in RANGES[:4]:
        assert_answer(query, rows, begin_ns + first, begin_ns + last)


def test_hours_are_taken_before_minutes_and_minutes_before_spans(day, query, figure_db):
    """Calls that were never made, a thousand more in each row of an hour and a million in each of a minute."""
    begin_ns, rows = day

    def calls(first, last):
        answer = query.get("/api/services", {"start_time": begin_ns + first, "end_time": begin_ns + last})
        return sum(one["calls"] for one in answer["services"])

    def rows_in(table, first, last):
        count, = figure_db.execute(
            f"SELECT count(*) FROM otel_service_{table} WHERE {'hour' if 'hour' in table else 'minute'} >= otel_time(%s) "
            f"AND {'hour' if 'hour' in table else 'minute'} < otel_time(%s)",
            [begin_ns + first, begin_ns + last]).fetchone()
        return count
    first, last = 30 * MINUTE_NS + 7, 3 * HOUR_NS + 30 * MINUTE_NS - 9
    before = calls(first, last)
    figure_db.execute("UPDATE otel_service_hour_figures SET call_count = call_count + 1000")
    figure_db.execute("UPDATE otel_service_figures SET call_count = call_count + 1000000")
    minutes = rows_in("figures", 31 * MINUTE_NS, HOUR_NS) + rows_in(
        "figures", 3 * HOUR_NS, 3 * HOUR_NS + 29 * MINUTE_NS)
    hours = rows_in("hour_figures", HOUR_NS, 3 * HOUR_NS)
    assert min(minutes, hours) > 0
    assert calls(first, last) == before + 1000 * hours + 1_000_000 * minutes


def test_few_spans_are_answered_exactly(day, query):
    begin_ns, rows = day
    last = HOUR_NS
    answer = query.get("/api/services", {"start_time": begin_ns, "end_time": begin_ns + last})
    expected = by_service(rows, begin_ns, begin_ns + last)
    assert 0 < sum(begin_ns <= row.start_ns < begin_ns + last for row in rows) < 10_000
    for one in answer["services"]:
        durations = [duration(row) for row in expected[one["service"], one["namespace"]]]
        for name, share in QUANTILES.items():
            assert one[name] == str(nearest_rank(durations, share))
