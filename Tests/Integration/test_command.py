# SPDX-License-Identifier: Apache-2.0
"""The verbs of the command, their exit statuses, and what they say when something is wrong."""

import os
import re

import grpc
import psycopg
import pytest

from conftest import Database, Export, environment
from support import otlp
from support.daemon import Daemon, free_port, run
from support.waiting import eventually

OK, PENDING, USAGE, UNREACHABLE, BAD_CONFIGURATION = 0, 2, 64, 69, 78
NOWHERE = {"STARLING_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=2"}
SERVED_TABLES = {"traces": ["otel_spans_fact"], "logs": ["otel_logs_fact"],
                 "metrics": ["otel_metrics_data_points_number", "otel_metrics_data_points_histogram"]}


@pytest.fixture
def empty_database(cluster):
    cluster.create_database("empty")
    yield Database(cluster, "empty")
    cluster.drop_database("empty")


def assert_says(result, status, *parts):
    """The exit status, and that standard error has all the parts; nothing on standard output."""
    assert result.returncode == status, f"{result.returncode}\n{result.stdout}{result.stderr}"
    assert not result.stdout, result.stdout
    for part in parts:
        assert re.search(part, result.stderr, re.IGNORECASE), f"{part!r} is not in:\n{result.stderr}"


# Usage

@pytest.mark.parametrize("arguments", [
    ["--no-such-option"], ["no-such-verb"], ["migrate", "--chek"], ["send"], ["send", "profiles"],
    ["send", "traces", "--count", "many"], ["send", "traces", "--compression", "zip"], ["serve", "--set"],
    ["send", "traces", "--resources", "0"], ["send", "traces", "--resources-per-request", "8"],
    ["send", "logs", "--operations", "5"], ["send", "traces", "--points", "number"],
    ["send", "metrics", "--points", "summary"]])
def test_wrong_usage(binary, arguments):
    result = run(binary, *arguments)
    assert result.returncode == USAGE, result
    assert result.stderr and not result.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["send", "--help"], ["--version"]])
def test_help_and_version(binary, arguments):
    result = run(binary, *arguments)
    assert result.returncode == OK and result.stdout and not result.stderr


# Configuration

BAD_SETTINGS = {
    "value": ("limits.request_bytes_max", "banana", "size|byte|number"),
    "negative": ("limits.request_bytes_max", "-1", "size|byte|number|1KiB"),
    "out of range": ("memory.budget_bytes", "1KiB", "4MiB|4 MiB"),
    "duration": ("limits.request_deadline", "10", "s\\b|unit"),
    "address": ("listen.grpc", "nowhere", "port"),
    "port": ("listen.grpc", "127.0.0.1:99999", "65535|port"),
    "choice": ("durability.ack", "maybe", "commit"),
    "url": ("database.url", "mysql://host/db", "postgresql"),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_bad_value_in_the_file(binary, scratch, name):
    """The message names file and line, key, value and what to do."""
    key, value, remedy = BAD_SETTINGS[name]
    section, _, last = key.partition(".")
    path = scratch / "starling.yaml"
    path.write_text(f"# a comment\n{section}:\n  {last}: '{value}'\n")
    result = run(binary, "serve", "--config", str(path), environment=NOWHERE if section != "database" else {})
    assert_says(result, BAD_CONFIGURATION, re.escape(f"{path}:3"), re.escape(key), re.escape(value), remedy)


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_bad_value_from_flag_and_environment(binary, name):
    key, value, remedy = BAD_SETTINGS[name]
    result = run(binary, "serve", "--set", f"{key}={value}", environment=NOWHERE)
    assert_says(result, BAD_CONFIGURATION, "--set", re.escape(key), re.escape(value), remedy)
    variable = "STARLING_" + key.upper().replace(".", "_")
    result = run(binary, "serve", environment=NOWHERE | {variable: value})
    assert_says(result, BAD_CONFIGURATION, variable, re.escape(key), re.escape(value), remedy)


def test_unknown_key(binary, scratch):
    path = scratch / "starling.yaml"
    path.write_text("listen:\n  grcp: 127.0.0.1:4317\n")
    result = run(binary, "serve", "--config", str(path), environment=NOWHERE)
    assert_says(result, BAD_CONFIGURATION, re.escape(str(path)), r"listen\.grcp", r"listen\.grpc")


def test_every_mistake_is_named_at_once(binary, scratch):
    path = scratch / "starling.yaml"
    path.write_text("listen:\n  grcp: x\nmemory:\n  budget_bytes: much\n")
    result = run(binary, "config", "check", "--config", str(path), "--set", "log.level=loud", environment=NOWHERE)
    assert result.returncode == BAD_CONFIGURATION
    text = result.stdout + result.stderr
    assert all(key in text for key in ("listen.grcp", "memory.budget_bytes", "log.level")), text


def test_file_that_is_missing_or_broken(binary, scratch):
    path = scratch / "starling.yaml"
    for _ in range(2):
        result = run(binary, "serve", "--config", str(path), environment=NOWHERE)
        assert_says(result, BAD_CONFIGURATION, re.escape(str(path)))
        path.write_text("listen: [unclosed\n")


def test_no_database_configured(binary):
    assert_says(run(binary, "serve"), BAD_CONFIGURATION, r"database\.url", "STARLING_DATABASE_URL")


def test_order_of_sources_and_masked_secrets(binary, scratch):
    path = scratch / "starling.yaml"
    path.write_text("database:\n  url: postgresql://user:geheim@host/db\nring:\n  exports_max: 100\n"
                    "batch:\n  rows_max: 100\nserver:\n  loops: 3\n")
    result = run(binary, "config", "print", "--sources", "--config", str(path), "--set", "ring.exports_max=300",
                 environment={"STARLING_RING_EXPORTS_MAX": "200", "STARLING_BATCH_ROWS_MAX": "200"})
    assert result.returncode == OK, result
    assert "geheim" not in result.stdout + result.stderr
    for key, value, source in (("exports_max", "300", "--set"), ("rows_max", "200", "STARLING_BATCH_ROWS_MAX"),
                               ("loops", "3", str(path)), ("request_bytes_max", "64MiB", "default")):
        lines = [line for line in result.stdout.splitlines() if key in line]
        assert any(value in line and source in line for line in lines), result.stdout
    checked = run(binary, "config", "check", "--config", str(path))
    assert checked.returncode == OK, checked


def test_port_that_is_taken(binary, starling):
    """Not even with SO_REUSEPORT: two daemons that share a port by mistake would share the clients."""
    result = run(binary, "serve", environment=environment(starling.database, starling.port), seconds=20)
    assert result.returncode not in (OK, USAGE) and str(starling.port) in result.stderr


# Migrations

def test_migrate(binary, empty_database):
    check = ["migrate", "--check"]
    assert run(binary, *check, environment=empty_database.environment).returncode == PENDING
    with empty_database.connect() as db:
        assert db.execute("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'otel%'").fetchone() == (0,)
    for _ in range(2):
        result = run(binary, "migrate", environment=empty_database.environment)
        assert result.returncode == OK, result
    assert run(binary, *check, environment=empty_database.environment).returncode == OK
    with empty_database.connect() as db:
        assert db.execute("SELECT count(*) > 0 FROM schema_migrations").fetchone() == (True,)
        assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (0,)


@pytest.mark.parametrize("arguments", [["migrate"], ["migrate", "--check"]])
def test_migrate_without_a_database(binary, arguments):
    assert_says(run(binary, *arguments, environment=NOWHERE), UNREACHABLE, r"127\.0\.0\.1")


def test_serve_refuses_a_database_without_tables(binary, empty_database):
    result = run(binary, "serve", environment=environment(empty_database, free_port()), seconds=20)
    assert result.returncode not in (OK, USAGE)
    assert "starling migrate" in result.stderr


# Serving

def test_serve_says_where(starling):
    eventually(lambda: starling.endpoint in starling.daemon.stderr(), "the address in the log")
    assert not starling.daemon.stdout()


def test_port_chosen_by_the_kernel(binary, database, scratch):
    daemon = Daemon(binary, ["serve"], environment(database, 0), scratch)
    try:
        daemon.start()
        found = eventually(lambda: re.search(r"127\.0\.0\.1:(\d+)", daemon.stderr()), "the address in the log")
        with grpc.insecure_channel(f"127.0.0.1:{int(found.group(1))}") as channel:
            assert Export(channel)(otlp.request("traces")).SerializeToString() == b""
        assert daemon.stop() == OK, daemon.output()
    finally:
        daemon.kill()


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_send(binary, starling, db, signal, compression):
    """What it says it sent is in the tables, item for item."""
    count = 2345
    result = run(binary, "send", signal, "--count", str(count), "--connections", "3", "--batch", "100",
                 "--compression", compression, "--endpoint", starling.endpoint, "--seed", "7")
    assert result.returncode == OK, result
    assert re.search(rf"\b{count}\b|2,345|2 345", result.stdout), result.stdout
    stored = sum(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in SERVED_TABLES[signal])
    assert stored == count
    if signal == "traces":
        assert db.execute("SELECT count(DISTINCT (trace_id, span_id)), bool_and(http_route IS NOT NULL), "
                          "bool_and(end_time_unix_nano >= start_time_unix_nano) FROM otel_spans_fact").fetchone() == (
                              count, True, True)


def test_send_to_nobody(binary):
    result = run(binary, "send", "traces", "--count", "1", "--endpoint", f"127.0.0.1:{free_port()}", seconds=150)
    assert result.returncode not in (OK, USAGE)
    assert "127.0.0.1" in result.stderr


def test_listening_on_a_unix_socket(binary, database, scratch, db):
    daemon = Daemon(binary, ["serve"], database.environment | {"STARLING_LISTEN_GRPC": f"unix:{scratch}/otlp"}, scratch)
    try:
        daemon.start()
        with grpc.insecure_channel(f"unix:{scratch}/otlp") as channel:
            assert Export(channel)(otlp.request("traces")).SerializeToString() == b""
        assert daemon.stop() == OK, daemon.output()
    finally:
        daemon.kill()
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1,)
    assert not (scratch / "otlp").exists()


# up

def connections(state):
    """libpq parameters for the cluster that `up` keeps somewhere under `state`."""
    sockets = [path for path in state.rglob(".s.PGSQL.*") if not path.name.endswith(".lock")]
    return [f"host={path.parent} port={path.name.rsplit('.', 1)[1]}" for path in sockets]


def test_up_end_to_end(binary, scratch):
    """Starts from nothing, stores, stops cleanly, and finds its data again."""
    state = scratch / "state"
    for round_number in (1, 2):
        run_up(binary, scratch, state, round_number)
    assert not connections(state), "PostgreSQL is still there"


def run_up(binary, scratch, state, round_number):
    port = free_port()
    folder = scratch / f"run{round_number}"
    folder.mkdir(mode=0o755)
    daemon = Daemon(binary, ["up", "--state-dir", str(state)], {"STARLING_LISTEN_GRPC": f"127.0.0.1:{port}"}, folder)
    try:
        daemon.start()
        printed = daemon.stdout()
        assert f"127.0.0.1:{port}" in printed, daemon.output()
        assert "OTEL_EXPORTER_OTLP_ENDPOINT" in printed and "OTEL_EXPORTER_OTLP_PROTOCOL" in printed, printed
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert Export(channel)(otlp.request("traces")).SerializeToString() == b""
        with psycopg.connect(printed_connection(printed)) as db:
            assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (round_number,)
            assert db.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connections(state)
        assert daemon.stop() == OK, daemon.output()
    finally:
        daemon.kill()


def printed_connection(text):
    """The connection string for psql out of what `up` prints."""
    found = re.search(r"postgres(?:ql)?://\S+|host=[^\n'\"]+", text)
    assert found, f"no connection string in:\n{text}"
    return found.group().rstrip("'\"")


@pytest.mark.skipif(os.getuid() != 0, reason="only root has another user to drop to")
def test_up_does_not_run_postgres_as_root(binary, scratch):
    port, state = free_port(), scratch / "state"
    daemon = Daemon(binary, ["up", "--state-dir", str(state)], {"STARLING_LISTEN_GRPC": f"127.0.0.1:{port}"}, scratch)
    try:
        daemon.start()
        (pid_file,) = state.rglob("postmaster.pid")
        pid = int(pid_file.read_text().split()[0])
        assert os.stat(f"/proc/{pid}").st_uid != 0
        assert daemon.stop() == OK, daemon.output()
        eventually(lambda: not os.path.exists(f"/proc/{pid}"), "PostgreSQL to end")
    finally:
        daemon.kill()
