# SPDX-License-Identifier: Apache-2.0
"""The loss ledger: every item that was received is accounted for, and the facts agree."""

import json
import re

import grpc
import pytest

from conftest import FACT_TABLES, ROOT, Export
from support import otlp, rebuild
from support.daemon import run
from support.locks import blocked, wait_for_blocked
from support.otlp import SIGNALS
from support.waiting import eventually
from test_dead_letters import POISON, refusing

# The queries that docs/operations.md gives.
UNBALANCED, DISAGREEING = re.findall(
    r"```sql\n(.*?);?\n```", (ROOT / "docs/operations.md").read_text().split("## The loss ledger")[1], re.S)[:2]
COUNTS = ("received", "committed", "dead_lettered", "deduplicated", "refused", "replayed")


@pytest.fixture
def db(database):
    connection = database.connect()
    connection.execute(f"TRUNCATE otel_dead_letters, otel_loss_ledger, {', '.join(FACT_TABLES)}")
    yield connection
    connection.close()


@pytest.fixture
def server(database, start_server, db):
    return start_server(database, {"database.writers": "2"})


@pytest.fixture
def export(server):
    with server.channel() as channel:
        yield Export(channel)


def sums(db, group=("signal",)):
    """Group -> counts, without those that are 0."""
    names = ", ".join(group)
    rows = db.execute(f"SELECT {names}, {', '.join(f'sum({name})::int' for name in COUNTS)} FROM otel_loss_ledger "
                      f"GROUP BY {names} ORDER BY {names}").fetchall()
    return {row[0] if len(group) == 1 else row[:len(group)]:
            {name: count for name, count in zip(COUNTS, row[len(group):]) if count} for row in rows}


def end(server):
    """What was noted in memory is written when the daemon ends."""
    assert server.daemon.stop() == 0, server.daemon.output()


def assert_sound(db):
    """Each row balances; and what is committed or replayed is what is in the tables."""
    assert db.execute(UNBALANCED).fetchall() == []
    assert db.execute(DISAGREEING).fetchall() == []
    dead = db.execute("SELECT coalesce(sum(dead_lettered - replayed), 0)::int FROM otel_loss_ledger").fetchone()
    assert db.execute("SELECT count(*)::int FROM otel_dead_letters").fetchone() == dead


def test_committed_dead_and_deduplicated(export, server, db):
    for signal in SIGNALS:
        request = otlp.request(signal, [otlp.ITEMS[signal]() for _ in range(3)])
        for _ in range(2):
            export(request)
        with refusing(db, [signal], "deferred"):
            export(otlp.request(signal, [POISON[signal][2](), otlp.ITEMS[signal]()]))
        bad = {"traces": lambda: otlp.span(trace_id=b""), "logs": lambda: otlp.log_record(time_unix_nano=1),
               "metrics": lambda: otlp.Metric(name="m", gauge={"data_points": [{"time_unix_nano": 1}]})}[signal]
        export(otlp.request(signal, [bad(), otlp.ITEMS[signal](), bad()]))
        export(otlp.request(signal, [bad()]))
    end(server)
    expected = {"received": 3 + 3 + 2 + 3 + 1, "committed": 3 + 1 + 1, "dead_lettered": 1 + 2 + 1, "deduplicated": 3}
    assert sums(db) == {signal: expected for signal in SIGNALS}
    assert_sound(db)


def test_minute_and_source(export, server, db):
    before = db.execute("SELECT date_trunc('minute', now(), 'UTC')").fetchone()[0]
    export(otlp.request("traces"))
    (minute, source), = db.execute("SELECT minute, source FROM otel_loss_ledger").fetchall()
    assert before <= minute <= db.execute("SELECT now()").fetchone()[0] and minute.second == 0
    run_name, writer = source.split("/")
    assert len(run_name) == 16 and writer in ("writer-0", "writer-1")
    end(server)


def test_tenants(export, server, db):
    """By resource, also within a request; integers as digits; none, or a value that is no name: empty."""
    request = otlp.request("traces", [otlp.span() for _ in range(2)])
    for value, count in (("acme", 3), (42, 1), ("acme", 1), (True, 1), ("", 1), ("x" * 201, 1)):
        resource = rebuild.Resource(attributes=[otlp.attribute("tenant.id", value)])
        spans = [otlp.span() for _ in range(count)] + [otlp.span(span_id=b"")]
        request.MergeFrom(otlp.request("traces", spans, resource))
    export(request)
    assert sums(db, ("tenant",)) == {
        "": {"received": 2 + 2 + 2, "committed": 4, "dead_lettered": 2},
        "acme": {"received": 4 + 2, "committed": 4, "dead_lettered": 2},
        "42": {"received": 2, "committed": 1, "dead_lettered": 1},
        "(other)": {"received": 2, "committed": 1, "dead_lettered": 1}}
    end(server)
    assert_sound(db)


def test_too_many_tenants(export, server, db):
    request = otlp.request("logs")
    for number in range(2_100):
        resource = rebuild.Resource(attributes=[otlp.attribute("tenant.id", f"tenant {number}")])
        request.MergeFrom(otlp.request("logs", resource=resource))
    export(request)
    end(server)
    found = sums(db, ("tenant",))
    assert len(found) == 1_002 and found["(other)"] == {"received": 1_100, "committed": 1_100}
    assert_sound(db)


def test_refused(database, start_server, db):
    """Deadlines that pass before the rows are stored."""
    server = start_server(database, {"database.writers": "1", "database.statement_timeout": "1s"})
    with server.channel() as channel:
        export = Export(channel)
        with blocked(database):
            first = export.method(otlp.request("traces")).future(otlp.request("traces", [otlp.span()] * 2), timeout=60)
            wait_for_blocked(database)
            with pytest.raises(grpc.RpcError):
                # Time enough for it to arrive, even where the machine has much to do.
                export(otlp.request("traces", [otlp.span() for _ in range(3)]), timeout=3)
        first.result()
        eventually(lambda: sums(db).get("traces", {}).get("refused") == 3, "the notes to be written", 60)
    end(server)
    assert sums(db)["traces"] == {"received": 5, "committed": 2, "refused": 3}
    assert_sound(db)


def test_replayed(binary, database, export, server, db):
    with refusing(db, ["traces"]):
        export(otlp.request("traces", [POISON["traces"][2]() for _ in range(4)]))
    result = run(binary, "dead-letters", "replay", "--all", "--json", environment=database.environment)
    assert json.loads(result.stdout)["stored"] == 4
    end(server)
    assert sums(db) == {"traces": {"received": 4, "dead_lettered": 4, "replayed": 4}}
    assert_sound(db)


def test_window_of_0_has_a_ledger(database, start_server, db):
    server = start_server(database, {"durability.dedup_window": "0"})
    with server.channel() as channel:
        for _ in range(2):
            Export(channel)(otlp.request("traces"))
    end(server)
    assert sums(db) == {"traces": {"received": 2, "committed": 2}}


def test_rows_that_the_database_swallows_are_seen(export, server, db):
    """The balance can fail: a trigger takes rows away without an error."""
    db.execute("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; "
               "CREATE TRIGGER swallow BEFORE INSERT ON otel_spans_fact FOR EACH ROW "
               "WHEN (NEW.trace_state = 'swallow') EXECUTE FUNCTION swallow()")
    try:
        export(otlp.request("traces", [otlp.span(trace_state="swallow"), otlp.span()]))
    finally:
        db.execute("DROP FUNCTION swallow CASCADE")
    end(server)
    assert sums(db)["traces"] == {"received": 2, "committed": 1}
    assert db.execute(UNBALANCED).fetchall()
    assert "another number of rows" in server.daemon.stderr()


def test_ledger_that_cannot_be_written(export, server, db):
    """Nothing is acknowledged without it."""
    db.execute("ALTER TABLE otel_loss_ledger RENAME TO elsewhere")
    try:
        request = otlp.request("traces")
        with pytest.raises(grpc.RpcError):
            export(request, timeout=1)
        assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (0,)
    finally:
        db.execute("ALTER TABLE elsewhere RENAME TO otel_loss_ledger")
    end(server)


def test_entries_of_90_days_are_deleted(database, start_server, db):
    db.execute("INSERT INTO otel_loss_ledger SELECT now() - age::interval, 'logs', '', 'x', 1, 1, 0, 0, 0, 0 "
               "FROM unnest(array['89 days', '91 days']) age")
    server = start_server(database)
    eventually(lambda: db.execute("SELECT count(*) FROM otel_loss_ledger").fetchone() == (1,), "the old one to go")
    end(server)
