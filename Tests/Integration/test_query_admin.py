# SPDX-License-Identifier: Apache-2.0
"""Partitions, retention and dead letters over the query API, beside what the verbs and the tables say."""

import json

import pytest

from conftest import Export
from support import otlp
from support.api import api_settings
from support.daemon import run
from support.query import QueryAPI
from support.tokens import Tokens, wait_for_list
from test_dead_letters import POISON, check_constraint


@pytest.fixture(scope="module")
def served(database, start_server):
    settings, api = api_settings()
    server = start_server(database, settings)
    api.wait_ready()
    return server, QueryAPI(api.address)


@pytest.fixture
def query(served):
    return served[1]


@pytest.fixture
def verb(binary, database):
    def said(*arguments):
        result = run(binary, *arguments, "--json", environment=database.environment)
        assert result.returncode == 0, result
        return json.loads(result.stdout)
    return said


@pytest.mark.parametrize("signal", [None, *otlp.SIGNALS])
def test_partitions(query, verb, signal):
    answer = query.get("/api/partitions", {"signal": signal} if signal else {})
    listed = verb("partitions", "list", *(["--signal", signal] if signal else []))
    assert [(one["partition"], one["state"], one["size_bytes"]) for one in answer["partitions"]] == [
        (one["partition"], one["state"], one["bytes"]) for one in listed]
    assert answer["size_bytes"] == sum(one["bytes"] for one in listed) > 0
    assert all(int(one["start_time_unix_nano"]) < int(one["end_time_unix_nano"]) for one in answer["partitions"])
    query.problem(400, "invalid-parameter", "/api/partitions", {"signal": "spans"}, pointer="signal")


def test_retention(query, verb):
    verb("retention", "set", "logs", "--days", "7", "--bytes", "5GiB")
    verb("retention", "set", "logs", "--tenant", "red", "--days", "2")
    found = {one["signal"]: one for one in query.get("/api/retention")["retention"]}
    assert found.keys() == set(otlp.SIGNALS)
    assert (found["logs"]["days"], found["logs"]["bytes"]) == (7, 5 << 30)
    assert found["logs"]["tenants"] == [{"tenant": "red", "days": 2}]
    assert (found["traces"]["days"], found["traces"]["bytes"], found["traces"]["tenants"]) == (30, None, [])
    assert found["logs"]["stored_bytes"] == query.get("/api/partitions", {"signal": "logs"})["size_bytes"]


def test_nobody_changes_anything_without_a_token(query):
    answer = query.request("/api/retention/logs", body={"days": 1}, method="PUT")
    assert answer.status == 403 and "scope admin" in answer.body


def test_setting_retention(database, binary, start_server, verb):
    tokens = Tokens(binary, database)
    reader, admin = tokens.secret("--scope", "read"), tokens.secret("--scope", "admin")
    settings, api = api_settings(**{"auth.required": "true"})
    server = start_server(database, settings)
    as_admin = {"Authorization": f"Bearer {admin}"}
    with database.connect() as db:
        wait_for_list(api, db, **as_admin)
    query = QueryAPI(api.address, **as_admin)

    assert QueryAPI(api.address, Authorization=f"Bearer {reader}").request(
        "/api/retention/metrics", body={"days": 1}, method="PUT").status == 403
    changed = query.request("/api/retention/metrics", body={"days": 9, "bytes": 1 << 40}, method="PUT")
    assert (changed.status, changed.json) == (
        200, {"signal": "metrics", "days": 9, "bytes": 1 << 40, "tenant": None})
    rules = {one["tenant"]: one for one in verb("retention", "get", "metrics")}
    assert (rules[""]["days"], rules[""]["bytes"]) == (9, 1 << 40)
    changed = query.request("/api/retention/metrics", body={"days": 3, "tenant": "blue"}, method="PUT")
    assert (changed.status, changed.json["tenant"]) == (200, "blue")
    assert {one["tenant"]: one["days"] for one in verb("retention", "get", "metrics")} == {"": 9, "blue": 3}
    assert query.request("/api/retention/metrics", body={"tenant": "blue"}, method="PUT").status == 200
    assert query.request("/api/retention/metrics", body={}, method="PUT").status == 200
    assert [(one["tenant"], one["days"], one["bytes"]) for one in verb("retention", "get", "metrics")] == [
        ("", None, None)]

    for body, pointer in [({"days": 0}, "/days"), ({"days": 36_501}, "/days"), ({"bytes": 0}, "/bytes"),
                          ({"bytes": 5, "tenant": "a"}, "/bytes"), ({"tenant": "x" * 201}, "/tenant"),
                          ({"weeks": 1}, "/weeks"), ({"days": "9"}, "/days")]:
        answer = query.request("/api/retention/metrics", body=body, method="PUT")
        assert answer.status == 400, body
        assert [error["pointer"] for error in json.loads(answer.body)["errors"]] == [pointer]
    assert server.daemon.stop() == 0


def test_dead_letters(served, database):
    server, query = served
    table, condition, _ = POISON["traces"]
    with database.connect() as db, server.channel() as channel:
        undo = check_constraint(db, table, condition)
        spans = [otlp.span(trace_state="poison") for _ in range(5)]
        Export(channel)(otlp.request("traces", [*spans, otlp.span()]))
        db.execute(undo)
        stored = db.execute("SELECT dead_letter_id, item_ordinal, size_bytes, message FROM otel_dead_letters "
                            "ORDER BY dead_letter_id DESC").fetchall()
    assert len(stored) == 5
    answer = query.get("/api/dead-letters")
    assert [(int(one["dead_letter_id"]), one["item_ordinal"], one["size_bytes"], one["message"])
            for one in answer["dead_letters"]] == stored
    for one in answer["dead_letters"]:
        assert (one["signal"], one["reason"], one["sqlstate"]) == ("traces", "refused_by_postgresql", "23514")
        assert (one["service"], one["request_item_count"], one["retry_count"]) == ("integration", 6, 0)
        assert one == query.get(f"/api/dead-letters/{one['dead_letter_id']}")
    first = query.get("/api/dead-letters", {"limit": 2, "signal": "traces"})
    cursor = first["pagination"]["next_cursor"]
    second = query.get("/api/dead-letters", {"limit": 3, "signal": "traces", "cursor": cursor})
    assert first["dead_letters"] + second["dead_letters"] == answer["dead_letters"]
    assert not second["pagination"]["has_more"]
    assert query.get("/api/dead-letters", {"signal": "logs"})["dead_letters"] == []
    assert len(query.get("/api/dead-letters", {"service": "integration", "sqlstate": "23514"})["dead_letters"]) == 5
    query.problem(400, "cursor-mismatch", "/api/dead-letters", {"cursor": cursor})
    query.problem(404, "not-found", "/api/dead-letters/9000000")
    query.problem(400, "invalid-parameter", "/api/dead-letters/x", pointer="id")
