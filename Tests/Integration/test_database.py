# SPDX-License-Identifier: Apache-2.0
"""What a database can do to its daemon, and what its owner may: refuse a row, time out, drop partitions."""

import grpc
import pytest

from conftest import Export
from support import otlp, rebuild, rebuild_metrics
from support.locks import blocked, wait_for_blocked, waiting_since
from support.normal import assert_same, merge
from support.otlp import REJECTED_FIELDS, SIGNALS
from support.waiting import eventually
from test_outage import assert_retry_info

REBUILD = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}
DAY_NS = 24 * 3600 * 10**9
# Signal -> table, constraint that good items meet, item that breaks it.
POISON = {
    "traces": ("otel_spans_fact", "trace_state IS DISTINCT FROM 'poison'", lambda: otlp.span(trace_state="poison")),
    "logs": ("otel_logs_fact", "severity_text IS DISTINCT FROM 'poison'",
             lambda: otlp.log_record(severity_text="poison")),
    "metrics": ("otel_metrics_data_points_number", "value_int IS DISTINCT FROM -666", lambda: poisonous_point()),
}


def poisonous_point():
    metric = otlp.gauge()
    metric.gauge.data_points[0].as_int = -666
    return metric


@pytest.fixture
def server(database, start_server):
    server = start_server(database, {"database.writers": "1", "database.statement_timeout": "500ms"})
    yield server
    assert server.daemon.stop() == 0, server.daemon.output()


@pytest.fixture
def export(server):
    with server.channel() as channel:
        yield Export(channel)


@pytest.fixture
def poison(request, db):
    """A constraint by which PostgreSQL refuses what the daemon finds nothing wrong with."""
    table, condition, make = POISON[request.param]
    db.execute(f"ALTER TABLE {table} ADD CONSTRAINT poison CHECK ({condition})")
    yield request.param, make
    db.execute(f"TRUNCATE {table}")
    db.execute(f"ALTER TABLE {table} DROP CONSTRAINT poison")


every_signal = pytest.mark.parametrize("poison", SIGNALS, indirect=True)


def assert_rejected(response, signal, count):
    assert getattr(response.partial_success, REJECTED_FIELDS[signal]) == count, response
    assert response.partial_success.error_message


@every_signal
@pytest.mark.parametrize("places", [[0], [5], [9], [0, 1, 9], list(range(10))], ids=str)
def test_rows_that_postgresql_refuses(export, db, poison, places):
    """They are counted, the others are stored, and the next request is none the worse."""
    signal, make = poison
    items = [make() if place in places else otlp.ITEMS[signal]() for place in range(10)]
    good = [item for place, item in enumerate(items) if place not in places]
    assert_rejected(export(otlp.request(signal, items)), signal, len(places))
    after = otlp.request(signal)
    assert export(after).SerializeToString() == b""
    assert_same(merge([otlp.request(signal, good), after]), REBUILD[signal](db))


@every_signal
def test_refused_rows_are_counted_for_their_own_request(export, server, db, poison):
    """Many requests share a transaction; only those with bad rows hear of them."""
    signal, make = poison
    bad = {3: 1, 7: 2, 11: 1}
    requests = [otlp.request(signal, [make() for _ in range(bad.get(number, 0))] + [otlp.ITEMS[signal]()])
                for number in range(15)]
    with blocked(server.database, signal):
        first = export.method(requests[0]).future(otlp.request(signal), timeout=60)
        wait_for_blocked(server.database)
        calls = [export.method(request).future(request, timeout=60) for request in requests]
    assert first.result().SerializeToString() == b""
    for number, call in enumerate(calls):
        if number in bad:
            assert_rejected(call.result(), signal, bad[number])
        else:
            assert call.result().SerializeToString() == b""
    assert db.execute(f"SELECT count(*) FROM {POISON[signal][0]}").fetchone() == (16,)


def test_statement_that_times_out_is_tried_again(export, server, db):
    """The lock outlasts several statement timeouts; the request is stored once, when it is gone."""
    request = otlp.request("traces")
    with blocked(server.database):
        call = export.method(request).future(request, timeout=60)
        wait_for_blocked(server.database)
        first = waiting_since(server.database)
        eventually(lambda: (waiting_since(server.database) or first) > first, "another attempt")
    assert call.result().SerializeToString() == b""
    assert_same(request, rebuild.traces(db))


def test_dropped_partition_is_made_again(export, db):
    assert export(otlp.request("traces")).SerializeToString() == b""
    partitions = db.execute("SELECT DISTINCT tableoid::regclass::text FROM otel_spans_fact").fetchall()
    for partition, in partitions:
        db.execute(f"DROP TABLE {partition}")
    request = otlp.request("traces")
    assert export(request).SerializeToString() == b""
    assert_same(request, rebuild.traces(db))


def test_times_around_midnight(export, db):
    """The last nanosecond of a day and the first of the next, in their own partitions."""
    midnight = otlp.BASE_NS // DAY_NS * DAY_NS
    spans = [otlp.span(start_time_unix_nano=time_ns) for time_ns in (midnight - 1, midnight)]
    request = otlp.request("traces", spans)
    assert export(request).SerializeToString() == b""
    assert_same(request, rebuild.traces(db))
    assert db.execute("SELECT count(DISTINCT tableoid) FROM otel_spans_fact").fetchone() == (2,)


def test_partitions_are_made_ahead_and_there_is_no_default(server, db):
    query = ("SELECT count(*), count(*) FILTER (WHERE pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT') "
             "FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = %s::regclass")
    for table in ("otel_spans_fact", "otel_logs_fact", "otel_metrics_data_points_summary"):
        eventually(lambda table=table: db.execute(query, [table]).fetchone()[0] >= 8, f"a week of {table}")
        assert db.execute(query, [table]).fetchone()[1] == 0


def test_interval_that_changes_between_runs(database, start_server, db):
    """Partitions that exist keep their length; new ones fit between them."""
    requests = []
    for interval in ("1d", "1h", "7d", "6h", "1d"):
        server = start_server(database, {"partitions.interval": interval})
        with server.channel() as channel:
            for days in (0, 9, 10, 16, 17, 18, 24):
                spans = [otlp.span(start_time_unix_nano=otlp.BASE_NS - days * DAY_NS - hours * DAY_NS // 24)
                         for hours in (0, 1, 5, 11)]
                requests.append(otlp.request("traces", spans))
                assert Export(channel)(requests[-1]).SerializeToString() == b""
        assert server.daemon.stop() == 0, server.daemon.output()
    assert_same(merge(requests), rebuild.traces(db))


def test_database_that_turns_read_only(export, server, db):
    """As after a failover to a standby: nothing is lost, nothing is refused for good."""
    assert export(otlp.request("traces")).SerializeToString() == b""
    name = server.database.name

    def set_read_only(value):
        db.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
        db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                   "WHERE datname = %s AND pid <> pg_backend_pid()", [name])

    set_read_only("on")
    try:
        request = otlp.request("traces")
        call = export.method(request).future(request, timeout=60)
        with pytest.raises(grpc.RpcError) as caught:
            export(otlp.request("traces"), timeout=2)
        assert caught.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
    finally:
        set_read_only("off")
    try:
        assert call.result().SerializeToString() == b""
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert_retry_info(error)
    eventually(lambda: is_stored(export), "the database to be written to again")


def is_stored(export):
    try:
        return export(otlp.request("traces")).SerializeToString() == b""
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert_retry_info(error)
        return False


def test_own_deadline_where_the_client_sets_none(database, start_server, db):
    """Java and .NET send no grpc-timeout."""
    server = start_server(database, {"database.writers": "1", "limits.request_deadline": "500ms"})
    with server.channel() as channel, blocked(database):
        export = Export(channel)
        with pytest.raises(grpc.RpcError) as caught:
            export(otlp.request("traces"), timeout=None)
        assert caught.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
    assert server.daemon.stop() == 0, server.daemon.output()
