# SPDX-License-Identifier: Apache-2.0
"""Partitions and retention: the verbs, and a daemon that does by itself what the policy says."""

import json
import time

import pytest

from conftest import FACT_TABLES, Database, Export
from support import otlp
from support.daemon import run
from support.waiting import eventually
from test_command import BAD_CONFIGURATION, NOWHERE, OK, UNREACHABLE, USAGE, assert_says

DAY_NS = 24 * 3600 * 10**9
TODAY_NS = time.time_ns() // DAY_NS * DAY_NS
SPANS = "otel_spans_fact"


class Verbs:
    """The maintenance verbs against a database of their own."""

    def __init__(self, binary, database):
        self.binary = binary
        self.database = database
        self.db = database.connect()

    def __call__(self, *arguments):
        return run(self.binary, *arguments, environment=self.database.environment)

    def json(self, *arguments):
        result = self(*arguments, "--json")
        assert result.returncode == OK, result
        return json.loads(result.stdout)

    def scalar(self, sql, *parameters):
        return self.db.execute(sql, parameters).fetchone()[0]

    def insert_spans(self, count, time_ns):
        self.db.execute(
            f"INSERT INTO {SPANS} (start_time_unix_nano, end_time_unix_nano, span_id, resource_id, trace_id)"
            " SELECT %s, 0, n, 1, gen_random_uuid() FROM generate_series(1, %s) AS n", (time_ns, count))

    def spans_partitions(self):
        return {partition["partition"]: partition for partition in self.json("partitions", "list", "--signal", "traces")}


@pytest.fixture
def verbs(binary, cluster):
    cluster.create_database("retention")
    database = Database(cluster, "retention")
    assert run(binary, "migrate", environment=database.environment).returncode == OK
    verbs = Verbs(binary, database)
    yield verbs
    verbs.db.close()
    cluster.drop_database("retention")


def name(days_ago):
    """Of the spans' partition of that day."""
    return time.strftime(f"{SPANS}_p%Y%m%d", time.gmtime(TODAY_NS / 1e9 - days_ago * 86400))


# Verbs

@pytest.mark.parametrize("arguments", [
    ["partitions", "drop"], ["partitions", "drop", "a", "--expired"], ["partitions", "drop", "--older-than", "3"],
    ["partitions", "drop", "--expired", "--signal", "logs"], ["partitions", "list", "--signal", "profiles"],
    ["partitions", "ensure", "--past", "-1d"], ["partitions", "ensure", "--ahead", "9999d"],
    ["retention", "set"], ["retention", "set", "traces"], ["retention", "set", "traces", "--days", "0"],
    ["retention", "set", "traces", "--days", "many"], ["retention", "set", "traces", "--bytes", "50GB"],
    ["retention", "set", "traces", "--bytes", "0"], ["retention", "set", "traces", "--tenant", "a"],
    ["retention", "set", "traces", "--tenant", "a", "--days", "1", "--bytes", "1GiB"],
    ["retention", "set", "traces", "--tenant", "", "--days", "1"], ["retention", "get", "spans"]])
def test_wrong_usage(binary, arguments):
    result = run(binary, *arguments, environment=NOWHERE)
    assert result.returncode == USAGE and result.stderr and not result.stdout, result


VERBS = [["partitions", "list"], ["partitions", "ensure"], ["partitions", "drop", "--expired"], ["retention", "get"],
         ["retention", "set", "logs", "--days", "3"]]


@pytest.mark.parametrize("verb", VERBS)
def test_help_and_errors(binary, cluster, verb):
    helped = run(binary, *verb[:2], "--help")
    assert helped.returncode == OK and f"Examples:\n  starling {' '.join(verb[:2])}" in helped.stdout, helped
    assert_says(run(binary, *verb), BAD_CONFIGURATION, r"database\.url")
    assert_says(run(binary, *verb, environment=NOWHERE), UNREACHABLE, r"127\.0\.0\.1")
    cluster.create_database("bare")
    try:
        bare = Database(cluster, "bare")
        assert_says(run(binary, *verb, environment=bare.environment), 1, "starling migrate")
    finally:
        cluster.drop_database("bare")


def test_ensure_and_list(verbs):
    wanted = ["partitions", "ensure", "--past", "1d", "--ahead", "2d"]
    planned = verbs.json(*wanted, "--dry-run")
    assert len(planned) == 4 * len(FACT_TABLES) and not verbs.json("partitions", "list")
    made = verbs(*wanted)
    assert made.returncode == OK and "24 partitions made" in made.stderr
    assert made.stdout.startswith(f"{name(1)} ")
    assert verbs.json(*wanted) == []
    verbs.insert_spans(500, TODAY_NS)
    partitions = verbs.spans_partitions()
    assert list(partitions) == [name(days) for days in (1, 0, -1, -2)]
    today = partitions[name(0)]
    assert today["from"] == time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(TODAY_NS / 1e9))
    assert today["bytes"] == verbs.scalar("SELECT pg_total_relation_size(%s::regclass)", name(0))
    assert {partition["state"] for partition in partitions.values()} == {"live"}
    text = verbs("partitions", "list")
    assert text.stdout.splitlines()[0].split() == ["PARTITION", "FROM", "UNTIL", "ROWS", "SIZE", "STATE"]
    assert len(text.stdout.splitlines()) == 25 and "24 partitions" in text.stderr


def test_drop(verbs):
    verbs("partitions", "ensure", "--past", "5d", "--ahead", "0s")
    verbs.insert_spans(1000, TODAY_NS - 5 * DAY_NS)
    size = verbs.scalar("SELECT pg_total_relation_size(%s::regclass)", name(5))
    assert_says(verbs("partitions", "drop", "nonsense"), 1, "nonsense", "partitions list")
    assert verbs.json("partitions", "drop", "--expired") == {"dry_run": False, "bytes_freed": 0, "partitions": []}

    dry = verbs("partitions", "drop", name(5), "--dry-run")
    assert dry.returncode == OK and name(5) in dry.stdout and "would be dropped" in dry.stderr
    assert name(5) in verbs.spans_partitions()
    dropped = verbs.json("partitions", "drop", name(5))
    assert dropped["bytes_freed"] == size > 0
    assert [(one["partition"], one["error"]) for one in dropped["partitions"]] == [(name(5), None)]

    text = verbs("partitions", "drop", "--older-than", "3d", "--signal", "traces")
    assert text.returncode == OK and text.stdout.startswith(f"{name(4)} ") and "KiB freed" in text.stderr
    assert list(verbs.spans_partitions()) == [name(days) for days in (3, 2, 1, 0)]
    log = verbs.db.execute("SELECT object, bytes_freed FROM otel_maintenance_log ORDER BY entry_id").fetchall()
    assert log[0] == (name(5), size) and len(log) == 2
    assert len(verbs.json("partitions", "list", "--signal", "logs")) == 6


def test_get_and_set(verbs):
    policies = verbs.json("retention", "get")
    assert [(one["signal"], one["tenant"], one["days"], one["bytes"]) for one in policies] == [
        (signal, "", 30, None) for signal in otlp.SIGNALS]
    verbs("partitions", "ensure", "--past", "5d")
    setting = ["retention", "set", "traces", "--days", "2", "--bytes", "50GiB"]
    planned = verbs.json(*setting, "--dry-run")
    assert planned["expired"] == [name(5), name(4), name(3)] and planned["expired_bytes"] > 0
    assert verbs.json("retention", "get", "traces")[0]["days"] == 30
    assert verbs.json(*setting)["expired"] == planned["expired"]
    stored = verbs.json("retention", "get", "traces")[0]
    assert (stored["days"], stored["bytes"]) == (2, 50 << 30) and stored["stored_bytes"] > 0
    # What is not given stays; none takes a limit away.
    result = verbs("retention", "set", "traces", "--days", "none")
    assert result.stdout.splitlines()[0] == "traces: any age, at most 50GiB"
    assert verbs.json("partitions", "drop", "--expired", "--dry-run")["partitions"] == []

    for days in ("3", "7"):
        assert verbs("retention", "set", "logs", "--days", days, "--tenant", "acme").returncode == OK
    assert verbs("retention", "get", "logs").stdout.splitlines()[2].split()[:3] == ["logs", "acme", "7"]
    assert "no effect" in verbs("retention", "set", "logs", "--days", "30", "--tenant", "late").stderr
    for tenant in ("acme", "late"):
        verbs("retention", "set", "logs", "--days", "none", "--tenant", tenant)
    assert len(verbs.json("retention", "get", "logs")) == 1


# The daemon

def test_daemon_obeys_the_policy(verbs, start_server):
    verbs("partitions", "ensure", "--past", "5d")
    for days in (5, 1):
        verbs.insert_spans(100, TODAY_NS - days * DAY_NS)
    verbs("retention", "set", "traces", "--days", "2")
    server = start_server(verbs.database, {"partitions.close_after": "0s"})
    eventually(lambda: list(verbs.spans_partitions())[0] == name(2), "expired partitions to go")
    eventually(lambda: [one["state"] for one in verbs.spans_partitions().values()][:3] == ["closed", "closed", "live"],
               "past partitions to be closed")
    assert verbs.scalar(f"SELECT count(*) FROM {SPANS}") == 100
    assert verbs.scalar("SELECT count(*) FROM pg_indexes WHERE tablename = %s AND indexdef LIKE '%%USING gin%%'",
                        name(1)) == 1
    assert verbs.scalar("SELECT count(*) FROM otel_maintenance_log WHERE action = 'drop_partition'"
                        " AND bytes_freed > 0 AND signal = 'traces'") == 3
    assert "partition dropped" in server.daemon.stderr()

    # What would be dropped at once is not accepted; logs are kept for longer.
    old_ns = time.time_ns() - 3 * DAY_NS
    with server.channel() as channel:
        export = Export(channel)
        old_span = otlp.request("traces", [otlp.span(start_time_unix_nano=old_ns, end_time_unix_nano=old_ns)])
        assert export(old_span).partial_success.rejected_spans == 1
        old_log = otlp.request("logs", [otlp.log_record(time_unix_nano=old_ns)])
        assert export(old_log).SerializeToString() == b""
    assert server.daemon.stop() == OK, server.daemon.output()


def test_daemon_takes_a_changed_policy_over(verbs, start_server):
    """Within a minute, without a restart."""
    verbs("partitions", "ensure", "--past", "3d")
    server = start_server(verbs.database)
    eventually(lambda: "closed" in {one["state"] for one in verbs.spans_partitions().values()}, "the first round")
    verbs("retention", "set", "traces", "--days", "1")
    eventually(lambda: list(verbs.spans_partitions())[0] == name(1), "expired partitions to go", seconds=90)
    assert server.daemon.stop() == OK, server.daemon.output()
