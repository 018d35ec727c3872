# SPDX-License-Identifier: Apache-2.0
"""starling dead-letters: list, show, replay and purge; the cap; and that a replay stores nothing twice."""

import base64
import json
import signal as signals
import subprocess

import pytest

from conftest import FACT_TABLES, Export
from support import otlp, rebuild, rebuild_metrics
from support.daemon import clean_environment, run
from support.grpcwire import PATHS
from support.locks import blocked, wait_for_blocked
from support.normal import assert_same
from support.otlp import PLACEHOLDER, SIGNALS, with_bytes
from support.waiting import eventually
from test_dead_letters import POISON, refusing

REBUILD = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}


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
    connection.execute(f"TRUNCATE otel_dead_letters, otel_maintenance_log, {', '.join(FACT_TABLES)}")
    yield connection
    connection.close()


@pytest.fixture
def verb(binary, database):
    def call(*arguments, status=0):
        result = run(binary, "dead-letters", *arguments, environment=database.environment)
        assert result.returncode == status, f"{arguments}: {result.stdout}{result.stderr}"
        return json.loads(result.stdout) if "--json" in arguments and result.stdout else result.stdout
    return call


def make_letters(export, db, items):
    """Sends (signal, [item]) that PostgreSQL refuses; the requests, each of one item, in order."""
    with refusing(db):
        for signal, some in items:
            export(otlp.request(signal, some))
    return [otlp.request(signal, [item]) for signal, some in items for item in some]


def poison(signal, count=1):
    return signal, [POISON[signal][2]() for _ in range(count)]


def counts(db):
    """Letters, and items in the tables that the tests write."""
    return tuple(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in (
        "otel_dead_letters", "otel_spans_fact", "otel_logs_fact", "otel_metrics_data_points_number"))


def test_list_and_its_filters(export, db, verb):
    make_letters(export, db, [poison("traces", 2), poison("logs")])
    resource = rebuild.Resource(attributes=otlp.attributes(service__name="shop", tenant__id="acme"))
    export(otlp.request("traces", [otlp.span(trace_id=b"")], resource))
    found = verb("list", "--json")
    assert [letter["signal"] for letter in found] == ["traces", "logs", "traces", "traces"], "newest first"
    assert found == sorted(found, key=lambda letter: -letter["id"])
    newest = found[0]
    assert (newest["service"], newest["tenant"], newest["reason"], newest["sqlstate"]) == (
        "shop", "acme", "invalid_trace_id", None)
    assert newest["request_items"] == 1 and len(newest["request_id"]) == 32 and newest["retries"] == 0

    def ids(*arguments):
        return [letter["id"] for letter in verb("list", "--json", *arguments)]

    every = [letter["id"] for letter in found]
    assert ids("--signal", "logs") == every[1:2]
    assert ids("--reason", "refused_by_postgresql") == every[1:]
    assert ids("--sqlstate", "23514", "--signal", "traces") == every[2:]
    assert ids("--tenant", "acme") == ids("--service", "shop") == every[:1]
    assert ids("--limit", "3") == every[:3]
    assert ids(str(every[3]), str(every[0])) == [every[0], every[3]]
    assert ids("--since", "1h") == every and ids("--until", "1h") == []
    assert ids("--since", newest["dead_lettered_at"]) == every[:1]
    assert ids("--until", "2020-01-01T00:00:00Z") == []
    text = verb("list")
    assert text.splitlines()[0].split()[:3] == ["ID", "WRITTEN", "SIGNAL"] and len(text.splitlines()) == 5


def test_show(export, server, db, verb, binary):
    span = otlp.span(name=PLACEHOLDER, attributes=[
        otlp.attribute("bytes", b"\x00\xff"), otlp.attribute("nan", float("nan")), otlp.attribute("big", 2**62),
        otlp.attribute("deep", otlp.nested(3))], status={"code": 2}, kind=3, flags=257)
    wire = with_bytes(otlp.request("traces", [span]), b'\x00"\xff')
    with server.channel() as channel:
        channel.unary_unary(PATHS["traces"])(wire, timeout=30)
    (letter,) = verb("list", "--json")
    shown = verb("show", str(letter["id"]), "--json")
    assert {name: shown[name] for name in letter} == letter
    (item,) = shown["item"]["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert item["traceId"] == span.trace_id.hex() and item["spanId"] == span.span_id.hex()
    assert item["startTimeUnixNano"] == str(span.start_time_unix_nano)
    assert item["name"].startswith('\x00"\ufffd') and item["kind"] == 3 and item["status"] == {"code": 2}
    values = {pair["key"]: pair["value"] for pair in item["attributes"]}
    assert base64.b64decode(values["bytes"]["bytesValue"]) == b"\x00\xff"
    assert values["nan"] == {"doubleValue": "NaN"} and values["big"] == {"intValue": str(2**62)}
    assert values["deep"] == {"arrayValue": {"values": [{"arrayValue": {"values": [{"intValue": "1"}]}}]}}
    raw = subprocess.run([binary, "dead-letters", "show", str(letter["id"]), "--raw"], capture_output=True, check=True,
                         env=clean_environment() | server.database.environment)
    assert raw.stdout == wire
    assert "nul_in_text" in verb("show", str(letter["id"]))
    verb("show", "999999999", status=1)


def test_every_kind_of_item_is_shown(export, db, verb):
    make = {"gauge": {"as_int": -1}, "sum": {"as_double": 0.5},
            "histogram": {"bucket_counts": [1, 2], "explicit_bounds": [0.5], "sum": 0.0},
            "exponential_histogram": {"scale": -3, "positive": {"offset": -2, "bucket_counts": [1, 0]}},
            "summary": {"quantile_values": [{"quantile": 0.5, "value": 2.0}]}}
    for kind, fields in make.items():
        metric = otlp.Metric(name=kind)
        getattr(metric, kind).data_points.add(time_unix_nano=1, **fields)
        export(otlp.request("metrics", [metric]))
    shown = [verb("show", str(letter["id"]), "--json") for letter in reversed(verb("list", "--json"))]
    metrics = [item["item"]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0] for item in shown]
    assert [metric["name"] for metric in metrics] == list(make)
    assert metrics[0]["gauge"]["dataPoints"] == [{"timeUnixNano": "1", "asInt": "-1"}]
    assert metrics[2]["histogram"]["dataPoints"] == [
        {"timeUnixNano": "1", "sum": 0.0, "bucketCounts": ["1", "2"], "explicitBounds": [0.5]}]
    assert metrics[3]["exponentialHistogram"]["dataPoints"][0]["positive"] == {
        "offset": -2, "bucketCounts": ["1", "0"]}
    assert metrics[4]["summary"]["dataPoints"][0]["quantileValues"] == [{"quantile": 0.5, "value": 2.0}]


@pytest.mark.parametrize("signal", SIGNALS)
def test_replay_stores_what_is_good_now(export, db, verb, signal):
    requests = make_letters(export, db, [poison(signal, 3)])
    assert verb("replay", "--all", "--dry-run", "--json")["letters"] == 3 and counts(db)[0] == 3
    assert verb("replay", "--signal", signal, "--json") == {
        "dry_run": False, "letters": 3, "stored": 3, "failed": 0, "skipped": 0, "first_failure": None}
    merged = requests[0]
    for request in requests[1:]:
        merged.MergeFrom(request)
    assert_same(merged, REBUILD[signal](db))
    assert counts(db)[0] == 0
    assert verb("replay", "--all", "--json")["letters"] == 0
    assert_same(merged, REBUILD[signal](db))


def test_replay_that_fails_again(export, db, verb):
    """Only what is good goes; the rest keeps its first reason and counts the attempts."""
    make_letters(export, db, [poison("traces", 2), poison("logs", 2)])
    export(otlp.request("traces", [otlp.span(trace_id=b"")]))
    before = verb("list", "--json")
    with refusing(db, ["traces"], "deferred"):
        for attempt in (1, 2):
            result = verb("replay", "--all", "--json", status=1)
            assert result["failed"] == 3 and result["stored"] == (2 if attempt == 1 else 0)
    assert counts(db) == (3, 0, 2, 0)
    after = verb("list", "--json")
    assert [letter["retries"] for letter in after] == [2, 2, 2] and all(letter["retried_at"] for letter in after)
    same = ("id", "reason", "sqlstate", "message", "dead_lettered_at", "received_at")
    kept = {letter["id"]: letter for letter in before}
    for letter in after:
        assert {name: letter[name] for name in same} == {name: kept[letter["id"]][name] for name in same}


def test_replay_into_another_window(binary, database, start_server, db, verb):
    """What was too old when it came, and is not by the settings of now."""
    server = start_server(database, {"partitions.accept_past": "1h"})
    span = otlp.span(start_time_unix_nano=otlp.BASE_NS - 3 * 3600 * 10**9)
    record = otlp.log_record(time_unix_nano=span.start_time_unix_nano)
    with server.channel() as channel:
        for signal, item in (("traces", span), ("logs", record)):
            Export(channel)(otlp.request(signal, [item]))
    assert server.daemon.stop() == 0
    assert counts(db) == (2, 0, 0, 0)
    assert verb("replay", "--all", "--json", "--set", "partitions.accept_past=1h", status=1)["failed"] == 2
    assert verb("replay", "--all", "--json")["stored"] == 2
    assert_same(otlp.request("traces", [span]), rebuild.traces(db))
    assert_same(otlp.request("logs", [record]), rebuild.logs(db))


def test_identical_letters_are_all_stored(export, db, verb):
    """The ledger of exports is not asked: each letter stands for one item that was received."""
    make_letters(export, db, [poison("traces")])
    db.execute("INSERT INTO otel_dead_letters SELECT nextval('otel_dead_letter_id_seq'), signal, tenant, service_name, "
               "reason, sqlstate, message, request_fingerprint, request_item_count, item_ordinal, received_at, "
               "dead_lettered_at, 0, NULL, size_bytes, request FROM otel_dead_letters")
    assert verb("replay", "--all", "--json")["stored"] == 2
    assert counts(db)[:2] == (0, 2)


@pytest.mark.parametrize("victim", ["replay", "backend"])
def test_replay_that_is_killed(binary, database, export, db, verb, victim):
    """Rows are copied, COMMIT never comes: the letters stay, and the next replay stores them once."""
    make_letters(export, db, [poison("traces", 5), poison("logs", 5)])
    environment = clean_environment() | database.environment
    with blocked(database, "logs"):
        process = subprocess.Popen([binary, "dead-letters", "replay", "--all"], env=environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for_blocked(database)
        if victim == "replay":
            process.send_signal(signals.SIGKILL)
        else:
            db.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")
        assert process.wait() != 0
        process.communicate()
    eventually(lambda: db.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                                  "AND query LIKE 'COPY%%' AND state = 'active'").fetchone() == (0,), "the end of it")
    assert counts(db)[:3] == (10, 0, 0)
    assert verb("replay", "--all", "--json")["stored"] == 10
    assert counts(db)[:3] == (0, 5, 5)


def test_two_replays_at_once(binary, database, export, db):
    make_letters(export, db, [poison("traces", 20)])
    environment = clean_environment() | database.environment
    with blocked(database):
        replays = [subprocess.Popen([binary, "dead-letters", "replay", "--all", "--json"], env=environment,
                                    stdout=subprocess.PIPE) for _ in range(2)]
        wait_for_blocked(database)
    results = [json.loads(process.communicate()[0]) for process in replays]
    assert sum(result["stored"] for result in results) == 20
    assert counts(db)[:2] == (0, 20)


def test_purge(export, db, verb):
    make_letters(export, db, [poison("traces", 2), poison("logs")])
    assert verb("purge", "--all", "--dry-run", "--json")["letters"] == 3 and counts(db)[0] == 3
    purged = verb("purge", "--signal", "logs", "--json")
    assert purged["letters"] == 1 and purged["bytes"] > 0
    assert "2 dead letters deleted" in verb("purge", "--all")
    assert counts(db)[0] == 0
    assert db.execute("SELECT action, object, signal, (detail->>'rows')::int, detail->>'reason' "
                      "FROM otel_maintenance_log ORDER BY entry_id").fetchall() == [
        ("purge_dead_letters", "otel_dead_letters", None, rows, "request") for rows in (1, 2)]


@pytest.mark.parametrize("arguments", [
    ["replay"], ["purge"], ["purge", "--all", "7"], ["replay", "--all", "--signal", "logs"], ["list", "--limit", "0"],
    ["list", "--since", "yesterday"], ["list", "--signal", "smoke"], ["show"], ["show", "x"],
    ["show", "1", "--raw", "--json"]], ids=" ".join)
def test_wrong_usage(verb, arguments):
    verb(*arguments, status=64)


def test_cap(database, start_server, export, db):
    """The janitor deletes the oldest, and says so."""
    make_letters(export, db, [poison("traces", 1)])
    db.execute("INSERT INTO otel_dead_letters SELECT nextval('otel_dead_letter_id_seq'), signal, tenant, service_name, "
               "reason, sqlstate, message, request_fingerprint, request_item_count, item_ordinal, received_at, "
               "dead_lettered_at, 0, NULL, size_bytes, request FROM otel_dead_letters, generate_series(1, 1499)")
    newest = [number for number, in db.execute(
        "SELECT dead_letter_id FROM otel_dead_letters ORDER BY dead_letter_id DESC LIMIT 1000")]
    server = start_server(database, {"dead_letters.rows_max": "1000"})
    eventually(lambda: counts(db)[0] == 1000, "the purge")
    assert [number for number, in db.execute(
        "SELECT dead_letter_id FROM otel_dead_letters ORDER BY dead_letter_id DESC")] == newest
    eventually(lambda: db.execute("SELECT (detail->>'rows')::int FROM otel_maintenance_log "
                                  "WHERE action = 'purge_dead_letters'").fetchone() == (500,), "the entry in the log")
    assert server.daemon.stop() == 0
    assert "purged" in server.daemon.stderr()


def test_cap_of_bytes(database, start_server, export, db):
    make_letters(export, db, [poison("logs", 1)])
    db.execute("INSERT INTO otel_dead_letters SELECT nextval('otel_dead_letter_id_seq'), signal, tenant, service_name, "
               "reason, sqlstate, message, request_fingerprint, request_item_count, item_ordinal, received_at, "
               "dead_lettered_at, 0, NULL, 300000, request FROM otel_dead_letters, generate_series(1, 9)")
    server = start_server(database, {"dead_letters.bytes_max": "1MiB"})
    eventually(lambda: counts(db)[0] == 3, "the purge")
    assert server.daemon.stop() == 0
