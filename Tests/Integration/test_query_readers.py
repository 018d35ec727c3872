# SPDX-License-Identifier: Apache-2.0
"""What those who ask may take of the database, and what they are told when it does not answer."""

import select
import socket

import pytest

from support.api import api_settings
from support.locks import locked
from support.query import QueryAPI
from support.tokens import Tokens
from support.waiting import eventually

OWN_CLUSTER = True
PATH = f"/api/traces/{'ab' * 16}"


@pytest.fixture
def start(database, start_server):
    """Starts a daemon with two readers and a queue of one, and `settings` on top."""
    def started(**settings):
        names, api = api_settings(**{"query.readers": "2", "query.waiting_max": "1"} | settings)
        server = start_server(database, names)
        api.wait_ready()
        return server, api, QueryAPI(api.address)
    return started


def readers(database, condition="true"):
    with database.connect() as observer:
        return observer.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'starling reader' "
            f"AND datname = current_database() AND {condition}").fetchone()[0]


RUNNING = "state = 'active' AND wait_event_type = 'Lock'"


def ask(api):
    """A question that nobody has answered yet: its connection."""
    connection = socket.create_connection(("127.0.0.1", api.address))
    connection.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return connection


def answered(connections):
    """Those on which an answer can be read."""
    return select.select(connections, [], [], 0)[0]


def test_sessions_cannot_write(start, database):
    server, _, query = start()
    query.problem(404, "not-found", PATH)
    assert readers(database) == 1
    assert server.daemon.stop() == 0
    with database.connect() as observer:
        assert observer.execute("SELECT count(*) FROM pg_stat_activity "
                                "WHERE application_name = 'starling reader'").fetchone() == (0,)


@pytest.mark.parametrize("leave", ["close", "half_close"])
def test_who_leaves_cancels_the_query(start, database, leave):
    server, api, query = start()
    with locked(database, ["otel_spans_fact"]):
        connection = ask(api)
        eventually(lambda: readers(database, RUNNING) == 1, "the query to run")
        connection.close() if leave == "close" else connection.shutdown(socket.SHUT_WR)
        eventually(lambda: readers(database, RUNNING) == 0, "the query to be cancelled")
        connection.close()
    # The session lives on.
    query.problem(404, "not-found", PATH)
    assert server.daemon.stop() == 0


def test_more_than_may_wait_are_told_to_come_back(start, database):
    server, api, query = start()
    with locked(database, ["otel_spans_fact"]):
        connections = [ask(api) for _ in range(2)]
        eventually(lambda: readers(database, RUNNING) == 2, "both readers to be busy")
        waiting = [ask(api) for _ in range(3)]
        # One waits, whichever came first; the two others are refused.
        refused = eventually(lambda: len(found := answered(waiting)) == 2 and found, "two to be refused")
        for connection in refused:
            answer = connection.recv(4_096)
            assert answer.startswith(b"HTTP/1.1 503") and b"query.waiting_max" in answer, answer
            assert b"Retry-After: 1" in answer
        # Health and metrics are not in that queue.
        assert api.metrics()["starling_schema_version"] > 0
    for connection in connections + [one for one in waiting if one not in refused]:
        assert connection.recv(100).startswith(b"HTTP/1.1 404")
        connection.close()
    for connection in refused:
        connection.close()
    assert server.daemon.stop() == 0


def test_a_statement_that_takes_too_long(start, database):
    server, _, query = start(**{"query.statement_timeout": "100ms"})
    with locked(database, ["otel_spans_fact"]):
        problem = query.problem(503, "query-timeout", PATH)
        assert "query.statement_timeout" in problem["detail"]
    assert server.daemon.stop() == 0


def test_an_outage(start, database, cluster):
    server, api, query = start()
    query.problem(404, "not-found", PATH)
    cluster.stop()
    problem = query.problem(503, "database-unavailable", PATH)
    assert problem["retry_after"] > 0
    cluster.start()
    eventually(lambda: query.request(PATH).status == 404, "readers to be connected again")
    api.wait_ready()
    assert server.daemon.stop() == 0


def test_a_schema_that_is_not_current(start, database):
    server, _, query = start()
    with database.connect() as connection:
        connection.execute("ALTER TABLE otel_operations_dim RENAME TO elsewhere")
    try:
        assert "starling migrate" in query.problem(503, "migrating", PATH)["detail"]
    finally:
        with database.connect() as connection:
            connection.execute("ALTER TABLE elsewhere RENAME TO otel_operations_dim")
    query.problem(404, "not-found", PATH)
    assert server.daemon.stop() == 0


def test_a_database_of_its_own(start, database, cluster):
    """`query.database_url` with a role that may read one view: what it may not read, it cannot."""
    with database.connect() as connection:
        connection.execute("CREATE ROLE asker LOGIN")
    server, _, query = start(**{"query.database_url": cluster.url(database.name, user="asker")})
    assert "permission denied" in query.problem(500, "failed", PATH)["detail"]
    with database.connect() as connection:
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO asker")
    query.problem(404, "not-found", PATH)
    assert server.daemon.stop() == 0


def test_questions_need_the_scope_read(database, start_server, binary):
    """Without a token, with one for ingest only, and with the right one."""
    tokens = Tokens(binary, database)
    secrets = {scope: tokens.secret("--scope", scope) for scope in ("ingest", "read")}
    of_tenant = tokens.secret("--scope", "read", "--tenant", "acme")
    settings, api = api_settings(**{"auth.required": "true"})
    server = start_server(database, settings)
    api.wait_ready()
    query = QueryAPI(api.address)
    assert query.request(PATH).status == 401
    assert query.request(PATH, Authorization=f"Bearer {secrets['ingest']}").status == 403
    query.problem(404, "not-found", PATH, Authorization=f"Bearer {secrets['read']}")
    # Answers are not limited to a tenant, so whoever is of one gets none.
    refused = query.request(PATH, Authorization=f"Bearer {of_tenant}")
    assert refused.status == 403 and "tenant" in refused.body
    assert server.daemon.stop() == 0
