# SPDX-License-Identifier: Apache-2.0
"""What cannot be stored is kept with what it takes to try again, or it is not acknowledged."""

from contextlib import contextmanager
import re

import grpc
import pytest

from conftest import FACT_TABLES, Export
from support import otlp, rebuild, rebuild_metrics
from support.locks import blocked, wait_for_blocked
from support.normal import assert_same, merge
from support.otlp import PLACEHOLDER, REJECTED_FIELDS, REQUESTS, SIGNALS, Span, with_bytes
from support.waiting import eventually
from test_bad_messages import FAULTY, POINT_KINDS, metric_of

# Limits.deadItemCountMax.
FAULTY_COUNT_MAX = 20_000
REBUILD = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}
# Signal -> table, what is true of rows that PostgreSQL is to refuse, a bad item.
POISON = {
    "traces": ("otel_spans_fact", "trace_state = 'poison'", lambda: otlp.span(trace_state="poison")),
    "logs": ("otel_logs_fact", "severity_text = 'poison'", lambda: otlp.log_record(severity_text="poison")),
    "metrics": ("otel_metrics_data_points_number", "value_int = -666", lambda: poisonous_point()),
}


def poisonous_point():
    metric = otlp.gauge()
    metric.gauge.data_points[0].as_int = -666
    return metric


@pytest.fixture(scope="module")
def server(database, start_server):
    server = start_server(database, {"database.writers": "1"})
    yield server
    assert server.daemon.stop() == 0, server.daemon.output()


@pytest.fixture
def export(server):
    with server.channel() as channel:
        yield Export(channel)


@pytest.fixture
def db(database):
    connection = database.connect()
    connection.execute(f"TRUNCATE otel_dead_letters, {', '.join(FACT_TABLES)}")
    yield connection
    connection.close()


def check_constraint(db, table, condition):
    """Names the row."""
    db.execute(f"ALTER TABLE {table} ADD CONSTRAINT poison CHECK (({condition}) IS NOT TRUE) NOT VALID")
    return f"ALTER TABLE {table} DROP CONSTRAINT poison"


def trigger(db, table, condition, when):
    """`when` is what CREATE TRIGGER has between name and EXECUTE. None of them names the row."""
    db.execute(f"""
        CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_LEVEL = 'STATEMENT' THEN
                IF EXISTS (SELECT FROM fresh WHERE {condition}) THEN RAISE 'poison'; END IF;
            ELSIF (SELECT {condition} FROM (SELECT NEW.*) AS row) THEN RAISE 'poison'; END IF;
            RETURN NULL;
        END $$""")
    db.execute(f"CREATE {when.format(table=table)} EXECUTE FUNCTION poison()")
    return "DROP FUNCTION poison CASCADE"


WAYS = {
    "check": check_constraint,
    "after each row": lambda db, table, condition: trigger(
        db, table, condition, "TRIGGER poison AFTER INSERT ON {table} FOR EACH ROW"),
    "statement": lambda db, table, condition: trigger(
        db, table, condition,
        "TRIGGER poison AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT"),
    "deferred": lambda db, table, condition: trigger(
        db, table, condition,
        "CONSTRAINT TRIGGER poison AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"),
}


@contextmanager
def refusing(db, signals=SIGNALS, way="check"):
    """While inside, PostgreSQL refuses bad items."""
    undo = []
    try:
        for signal in signals:
            undo.append(WAYS[way](db, *POISON[signal][:2]))
        yield
    finally:
        for statement in undo:
            db.execute(statement)


def letters(db):
    """(id, request) in order."""
    return [(number, REQUESTS[signal].FromString(request)) for number, signal, request in db.execute(
        "SELECT dead_letter_id, signal, request FROM otel_dead_letters ORDER BY dead_letter_id")]


def assert_kept(response, signal, db, bad):
    """The answer tells the number of bad items and names the first; each stands alone in a letter."""
    partial = response.partial_success
    assert getattr(partial, REJECTED_FIELDS[signal]) == len(bad), response
    found = letters(db)
    assert [request for _, request in found] == [otlp.request(signal, [item]) for item in bad]
    named = re.match(r"(\d+) not stored but kept as dead letters? ([\d, ]+?)(?: and \d+ more)?; the first because (.+)",
                     partial.error_message)
    assert int(named[1]) == len(bad)
    assert [int(number) for number in named[2].split(", ")] == [number for number, _ in found][:3]
    assert len(partial.error_message) <= 512


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("places", [[0], [5], [9], [0, 1, 9], list(range(10))], ids=str)
def test_rows_that_postgresql_refuses(export, db, signal, way, places):
    make = POISON[signal][2]
    items = [make() if place in places else otlp.ITEMS[signal]() for place in range(10)]
    with refusing(db, [signal], way):
        response = export(otlp.request(signal, items))
    assert_kept(response, signal, db, [items[place] for place in places])
    good = [item for place, item in enumerate(items) if place not in places]
    assert_same(otlp.request(signal, good), REBUILD[signal](db))
    (row,) = db.execute(
        "SELECT DISTINCT signal, tenant, service_name, reason, sqlstate, request_item_count, retry_count, "
        "size_bytes = octet_length(request), received_at <= dead_lettered_at, retried_at "
        "FROM otel_dead_letters ORDER BY 1").fetchall()[:1]
    assert row == (signal, "", "integration", "refused_by_postgresql", "23514" if way == "check" else "P0001", 10, 0,
                   True, True, None)
    assert [ordinal for ordinal, in db.execute(
        "SELECT item_ordinal FROM otel_dead_letters ORDER BY dead_letter_id")] == places


@pytest.mark.parametrize(("signal", "name", "make"), FAULTY, ids=[f"{signal} {name}" for signal, name, _ in FAULTY])
def test_items_that_the_daemon_finds(export, db, signal, name, make):
    bad = [make(), make()]
    response = export(otlp.request(signal, [otlp.ITEMS[signal](), bad[0], otlp.ITEMS[signal](), bad[1]]))
    assert_kept(response, signal, db, bad)
    assert db.execute("SELECT count(*) FROM otel_dead_letters WHERE sqlstate IS NULL AND "
                      "reason ~ '^(invalid|time)_'").fetchone() == (2,)


def test_no_more_faulty_items_than_are_kept(export, db):
    """One too many: nothing is kept or stored, and what comes behind it is."""
    good = otlp.request("traces")
    with pytest.raises(grpc.RpcError) as error:
        export(otlp.request("traces", [otlp.span(), *[Span()] * (FAULTY_COUNT_MAX + 1)]))
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert f"more than {FAULTY_COUNT_MAX} of its items cannot be stored" in error.value.details()
    assert "the first because" in error.value.details()
    assert letters(db) == []
    export(good)
    assert_same(good, REBUILD["traces"](db))
    response = export(otlp.request("traces", [Span()] * FAULTY_COUNT_MAX))
    assert response.partial_success.rejected_spans == FAULTY_COUNT_MAX
    assert db.execute("SELECT count(*) FROM otel_dead_letters").fetchone() == (FAULTY_COUNT_MAX,)


@pytest.mark.parametrize("text", [b"a\x00b", b"a\xff", b"\xed\xa0\x80"], ids=["NUL", "ff", "surrogate"])
@pytest.mark.parametrize("place", ["item", "resource"])
def test_text_that_no_column_takes_is_kept_as_it_came(server, db, place, text):
    span = otlp.span(name=PLACEHOLDER) if place == "item" else otlp.span()
    resource = rebuild.Resource(attributes=[otlp.attribute(
        "service.name", PLACEHOLDER if place == "resource" else "shop")])
    wire = with_bytes(otlp.request("traces", [span], resource), text)
    with server.channel() as channel:
        from support.grpcwire import PATHS
        answer = channel.unary_unary(PATHS["traces"])(wire, timeout=30)
    assert otlp.RESPONSES["traces"].FromString(answer).partial_success.rejected_spans == 1
    ((stored, service),) = db.execute("SELECT request, service_name FROM otel_dead_letters").fetchall()
    assert bytes(stored) == wire
    assert (service == "shop") if place == "item" else "\ufffd" in service


def test_many_requests_of_all_signals_in_one_transaction(server, db):
    """Poison in several tables at once, and only in some of the requests."""
    requests = []
    for number in range(30):
        signal = SIGNALS[number % 3]
        bad = [POISON[signal][2]() for _ in range(number % 4)]
        requests.append((signal, bad, otlp.request(signal, bad + [otlp.ITEMS[signal]()])))
    with refusing(db), server.channel() as channel:
        export = Export(channel)
        with blocked(server.database):
            first = export.method(requests[0][2]).future(otlp.request("traces"), timeout=60)
            wait_for_blocked(server.database)
            calls = [export.method(request).future(request, timeout=60) for _, _, request in requests]
        first.result()
        for (signal, bad, _), call in zip(requests, calls):
            assert getattr(call.result().partial_success, REJECTED_FIELDS[signal]) == len(bad)
    expected = [otlp.request(signal, [item]).SerializeToString() for signal, bad, _ in requests for item in bad]
    assert sorted(request.SerializeToString() for _, request in letters(db)) == sorted(expected)


def test_retry_of_what_has_dead_letters_writes_no_more(export, db):
    request = otlp.request("traces", [otlp.span(), otlp.span(trace_id=b"")])
    for _ in range(3):
        export(request)
    assert len(letters(db)) == 1
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1,)
    nothing_but_bad = otlp.request("traces", [otlp.span(trace_id=b"")])
    for _ in range(3):
        export(nothing_but_bad)
    assert len(letters(db)) == 2


class TestNoPlaceForThem:
    """Without a letter there is no acknowledgement, and the rows of the request are not there either."""

    @pytest.fixture
    def server(self, database, start_server):
        server = start_server(database, {"database.writers": "1", "database.statement_timeout": "500ms"})
        yield server
        assert server.daemon.stop() == 0, server.daemon.output()

    def check(self, server, db, export, undo):
        request = otlp.request("traces", [otlp.span(), otlp.span(trace_id=b"")])
        with pytest.raises(grpc.RpcError) as caught:
            export(request, timeout=2)
        assert caught.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
        assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (0,)
        undo()
        eventually(lambda: self.is_accepted(export, request), "the retry to be accepted")
        assert len(letters(db)) == 1
        assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1,)

    @staticmethod
    def is_accepted(export, request):
        try:
            export(request)
            return True
        except grpc.RpcError as error:
            assert error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE), error
            return False

    def test_table_is_missing(self, server, db, export):
        db.execute("ALTER TABLE otel_dead_letters RENAME TO elsewhere")
        self.check(server, db, export, lambda: db.execute("ALTER TABLE elsewhere RENAME TO otel_dead_letters"))

    def test_table_is_locked(self, server, db, database, export):
        holder = database.connect()
        holder.execute("BEGIN; LOCK TABLE otel_dead_letters IN ACCESS EXCLUSIVE MODE")
        self.check(server, db, export, holder.close)

    @pytest.mark.parametrize("level", ["ROW", "STATEMENT"])
    def test_table_refuses(self, server, db, export, level):
        db.execute("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'read only'; END $$; "
                   f"CREATE TRIGGER no BEFORE INSERT ON otel_dead_letters FOR EACH {level} EXECUTE FUNCTION no()")
        self.check(server, db, export, lambda: db.execute("DROP FUNCTION no CASCADE"))

    def test_facts_that_refuse_everything(self, server, db, export):
        """A statement that fails without rows says nothing about rows: nothing is thrown away."""
        db.execute("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'read only'; END $$; "
                   "CREATE TRIGGER no BEFORE INSERT ON otel_spans_fact FOR EACH STATEMENT EXECUTE FUNCTION no()")
        self.check(server, db, export, lambda: db.execute("DROP FUNCTION no CASCADE"))
