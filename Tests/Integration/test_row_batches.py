# SPDX-License-Identifier: Apache-2.0
"""otel_row_batches says of every row of spans and log records which transaction stored it, and no more than that."""

import pytest

from conftest import FACT_TABLES, Export
from support import otlp
from test_dead_letters import POISON, refusing

TIMES = {"traces": "start_time_unix_nano", "logs": "time_unix_nano"}


@pytest.fixture(scope="module", params=["15m", "0"], ids=["ledger", "no ledger"])
def server(database, start_server, request):
    server = start_server(database, {"database.writers": "2", "durability.dedup_window": request.param})
    yield server
    assert server.daemon.stop() == 0, server.daemon.output()


@pytest.fixture
def db(database):
    connection = database.connect()
    connection.execute(f"TRUNCATE otel_dead_letters, otel_row_batches, {', '.join(FACT_TABLES)}")
    yield connection
    connection.close()


def check(db, signal, count):
    """Each row has one batch, by its xmin; each batch as many rows as it says, and their times."""
    table, time = POISON[signal][0], TIMES[signal]
    assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (count,)
    found = db.execute(f"""
        SELECT b.row_count, count(f.*), count(f.*) FILTER (WHERE f.{time} BETWEEN b.first_unix_nano AND b.last_unix_nano)
        FROM otel_row_batches AS b LEFT JOIN {table} AS f ON f.xmin = b.xmin
        WHERE b.signal = '{signal}' GROUP BY b.ctid, b.row_count""").fetchall()
    assert sum(rows for rows, _, _ in found) == count
    assert all(noted == rows == inside for noted, rows, inside in found), found
    return len(found)


@pytest.mark.parametrize("signal", TIMES)
def test_rows_are_noted_with_their_transaction(server, db, signal):
    requests = [otlp.request(signal, [otlp.ITEMS[signal]() for _ in range(5)]) for _ in range(20)]
    with server.channel() as channel:
        export = Export(channel)
        calls = [export.method(request).future(request, timeout=60) for request in requests]
        for call in calls:
            call.result()
    check(db, signal, 100)


@pytest.mark.parametrize("way", ["check", "statement"])
@pytest.mark.parametrize("signal", TIMES)
def test_rows_beside_refused_ones_are_noted_with_their_part(server, db, signal, way):
    """Where PostgreSQL refuses rows, by name or not, the others are stored in subtransactions of their own."""
    make = POISON[signal][2]
    items = [make() if place in (0, 4, 9) else otlp.ITEMS[signal]() for place in range(10)]
    with refusing(db, [signal], way), server.channel() as channel:
        Export(channel)(otlp.request(signal, items))
    assert check(db, signal, 7) > 1
    # The rows are not of the transaction that the batches name: of parts of it.
    assert db.execute("SELECT bool_and(xmin::text <> transaction_id::text), count(DISTINCT transaction_id) "
                      "FROM otel_row_batches").fetchone() == (True, 1)


def test_what_the_daemon_itself_refuses_changes_nothing(server, db):
    with server.channel() as channel:
        Export(channel)(otlp.request("traces", [otlp.span(), otlp.span(trace_id=b""), otlp.span()]))
        Export(channel)(otlp.request("metrics"))
    check(db, "traces", 2)
