# SPDX-License-Identifier: Apache-2.0
"""Signals and the service manager: reload, watchdog, the second SIGTERM."""

import signal

import pytest

from conftest import Export, Server, environment
from support import otlp
from support.daemon import Daemon, free_port
from support.locks import blocked, wait_for_blocked
from support.rawcall import call
from support.grpcwire import frame
from support.waiting import eventually


@pytest.fixture
def configured(binary, database, scratch):
    """A daemon with a file; (server, path of the file)."""
    path, port = scratch / "starling.yaml", free_port()
    path.write_text("log:\n  level: info\n")
    variables = environment(database, port) | {"WATCHDOG_USEC": "1000000"}
    daemon = Daemon(binary, ["serve", "--config", str(path)], variables, scratch)
    try:
        yield Server(daemon.start(), port, database), path
    finally:
        daemon.kill()


def reload(server):
    """SIGHUP; returns when the daemon says that it is done."""
    count = server.daemon.notify.lines.count("READY=1")
    server.daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: server.daemon.notify.lines.count("READY=1") > count, "READY=1 after the reload")
    assert "RELOADING=1" in server.daemon.notify.lines


def assert_serves(server):
    with server.channel() as channel:
        assert Export(channel)(otlp.request("traces")).SerializeToString() == b""


def test_reload_takes_a_new_value_over(configured):
    server, path = configured
    path.write_text("log:\n  level: debug\n")
    reload(server)
    eventually(lambda: "log.level" in server.daemon.stderr(), "the log to say what changed")
    assert_serves(server)
    assert server.daemon.stop() == 0, server.daemon.output()


def test_bad_file_leaves_the_old_values_in_force(configured):
    server, path = configured
    path.write_text("log:\n  level: loud\n")
    reload(server)
    eventually(lambda: "loud" in server.daemon.stderr(), "the mistake in the log")
    assert f"{path}:2" in server.daemon.stderr() and "log.level" in server.daemon.stderr()
    assert_serves(server)
    assert server.daemon.stop() == 0, server.daemon.output()


def test_value_that_needs_a_restart_is_named(configured):
    server, path = configured
    path.write_text("database:\n  writers: 3\n")
    reload(server)
    eventually(lambda: "database.writers" in server.daemon.stderr(), "the key in the log")
    assert "restart" in server.daemon.stderr()
    assert_serves(server)


def test_reload_with_a_connection_in_use(configured):
    server, path = configured
    with server.client() as client:
        for level in ("debug", "info"):
            path.write_text(f"log:\n  level: {level}\n")
            reload(server)
            answer = call(client, server, frame(otlp.request("traces").SerializeToString()))
            assert answer.code == 0 and not client.goaways


def test_watchdog_is_fed(configured):
    server, _ = configured
    eventually(lambda: server.daemon.notify.lines.count("WATCHDOG=1") >= 3, "three signs of life")


def test_no_watchdog_unless_asked_for(start_server, database):
    server = start_server(database)
    for _ in range(3):  # each a turn of the thread that would feed it
        reload(server)
    assert server.daemon.stop() == 0
    assert "WATCHDOG=1" not in server.daemon.notify.lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_signals_drain(configured, number):
    server, _ = configured
    server.daemon.process.send_signal(number)
    assert server.daemon.wait() == 0, server.daemon.output()


def test_second_signal_cuts_the_drain_short(configured, db):
    """It does not wait for the database, and acknowledges nothing."""
    server, _ = configured
    with server.channel() as channel, blocked(server.database):
        waiting = Export(channel).methods["traces"].future(otlp.request("traces"), timeout=60)
        wait_for_blocked(server.database)
        server.daemon.terminate()
        eventually(lambda: "STOPPING=1" in server.daemon.notify.lines, "STOPPING=1")
        server.daemon.terminate()
        server.daemon.wait()
        assert waiting.exception() is not None
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (0,)
