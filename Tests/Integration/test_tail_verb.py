# SPDX-License-Identifier: Apache-2.0
"""`starling tail`: rows as lines for people and for programs, over restarts of the daemon, until it is interrupted."""

import json
import os
import pty
import signal
import subprocess
import threading

import pytest

from conftest import Export
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from support import otlp
from support.api import api_settings
from support.daemon import clean_environment, run
from support.waiting import PATIENCE_SECONDS, eventually
from test_tail import SETTINGS, item, request, resource, send, start, unique

OK, USAGE, UNREACHABLE = 0, 64, 69


@pytest.fixture(scope="module")
def served(database, start_server):
    served = start(database, start_server, SETTINGS)
    yield served
    assert served.server.daemon.stop() == 0


class Verb:
    """One that runs; its lines as they come."""

    def __init__(self, binary, port, *arguments, output=subprocess.PIPE):
        self.process = subprocess.Popen(
            [binary, "tail", *arguments, "--api", f"127.0.0.1:{port}"], stdout=output, stderr=subprocess.PIPE,
            text=True, env=clean_environment())
        self.lines, self.notes = [], []
        self.threads = [threading.Thread(target=self.read, args=pair, daemon=True) for pair in (
            (self.process.stdout, self.lines), (self.process.stderr, self.notes)) if pair[0]]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def read(stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    def wait_lines(self, count):
        eventually(lambda: len(self.lines) >= count, f"{count} lines: {self.lines}, {self.notes}")
        return self.lines

    def end(self):
        code = self.process.wait(PATIENCE_SECONDS)
        for thread in self.threads:
            thread.join()
        return code


def wait_tails(served, count):
    eventually(lambda: served.figure("starling_tails") == count, f"{count} tails")


def test_lines_for_people(binary, served):
    wait_tails(served, 0)
    spans, logs = Verb(binary, served.port, "spans"), Verb(binary, served.port, "logs", "--service", "shop")
    wait_tails(served, 2)
    span = item("spans", "GET /cart\n\x1b[31m")
    span.end_time_unix_nano = span.start_time_unix_nano + 12_500_000
    span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR))
    record = item("logs", "no money")
    record.severity_number, record.severity_text = 17, "ERROR"
    send(served.server, otlp.request("traces", [span], resource("shop")), otlp.request("logs", [record], resource("shop")),
         request("logs", ["not wanted"], "bank"), request("logs", ["plain"], "shop"))
    [line] = spans.wait_lines(1)
    assert line.split("  ")[1:] == ["12.5ms", "shop", "GET /cart ?[31m", "ERROR"]
    first, second = logs.wait_lines(2)
    assert first.split("  ")[1:] == ["ERROR", "shop", "no money"]
    assert second.split("  ")[2:] == ["shop", "plain"]
    for verb in (spans, logs):
        verb.process.send_signal(signal.SIGINT)
        assert verb.end() == OK and not verb.notes
    assert len(logs.lines) == 2


def test_lines_for_programs_up_to_a_limit(binary, served):
    [name] = unique()
    send(served.server, request("logs", [name], name))
    verb = Verb(binary, served.port, "logs", "--service", name, "--since", "5m", "--json", "--limit", "3")
    verb.wait_lines(1)
    send(served.server, request("logs", ["second", "third", "fourth"], name))
    assert verb.end() == OK and not verb.notes
    found = [json.loads(line) for line in verb.lines]
    assert [row["body"] for row in found][:2] == [name, "second"] and len(found) == 3
    shown = served.query.get("/api/logs", {"start_time": "now-5m", "service": name})["logs"]
    assert found == shown[::-1][:3]


def test_a_terminal_has_colours(binary, served):
    wait_tails(served, 0)
    terminal, inner = pty.openpty()
    verb = Verb(binary, served.port, "logs", "--limit", "1", output=inner)
    os.close(inner)
    wait_tails(served, 1)
    record = item("logs", "bad")
    record.severity_number, record.severity_text = 21, "FATAL"
    send(served.server, otlp.request("logs", [record], resource("shop")))
    assert verb.end() == OK
    line = os.read(terminal, 4096)
    assert b"\x1b[31mFATAL\x1b[0m  shop  bad" in line and line.startswith(b"\x1b[2m")
    os.close(terminal)


def test_a_restart_of_the_daemon_loses_and_repeats_nothing(binary, database, start_server):
    settings, api = api_settings(**SETTINGS)
    server = start_server(database, settings)
    api.wait_ready()
    names = unique(3)
    verb = Verb(binary, api.address, "logs", "--service", names[0], "--json")
    eventually(lambda: api.metrics()["starling_tails"] == 1, "the tail")
    send(server, request("logs", names[:1], names[0]))
    verb.wait_lines(1)
    assert server.daemon.stop() == 0
    eventually(lambda: verb.notes, "a note")
    server = start_server(database, settings)
    api.wait_ready()
    # Sent before the verb is back, maybe.
    send(server, request("logs", names[1:2], names[0]), request("logs", names[2:], names[0]))
    verb.wait_lines(3)
    assert [json.loads(line)["body"] for line in verb.lines] == names
    verb.process.send_signal(signal.SIGINT)
    assert verb.end() == OK
    assert "trying again" in verb.notes[0]
    assert server.daemon.stop() == 0


def test_what_cannot_be(binary, served):
    def failed(*arguments, port=served.port):
        return run(binary, "tail", *arguments, "--api", f"127.0.0.1:{port}")

    assert failed("metrics").returncode == USAGE
    assert failed("logs", "--limit", "0").returncode == USAGE
    result = failed("logs", "--filter", "nothing=1")
    assert result.returncode == 1 and "nothing" in result.stderr and not result.stdout
    assert failed("logs", port=1).returncode == UNREACHABLE
