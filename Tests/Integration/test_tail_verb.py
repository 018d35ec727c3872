# SPDX-License-Identifier: Apache-2.0
"""`starling tail`: rows as lines for people and for programs, over restarts of the daemon, until it is interrupted."""

import json
import os
import pty
import signal
import socket
import subprocess
import threading

import pytest

from conftest import Export
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from support import otlp
from support.api import api_settings
from support.daemon import clean_environment, run
from support.waiting import PATIENCE_SECONDS, eventually
from test_tail import NAMES, SETTINGS, item, request, resource, send, start, unique

OK, USAGE, UNREACHABLE = 0, 64, 69


@pytest.fixture(scope="module")
def served(database, start_server):
    served = start(database, start_server, SETTINGS)
    yield served
    assert served.server.daemon.stop() == 0


class Verb:
    """One that runs; its lines as they come."""

    def __init__(self, binary, port, *arguments, output=subprocess.PIPE, verb=("tail",)):
        self.process = subprocess.Popen(
            [binary, *verb, *arguments, "--api", f"127.0.0.1:{port}"], stdout=output, stderr=subprocess.PIPE,
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
    """Until there are `count`, and what is stored from now on is theirs: a tail counts before its first look, and the
    look that goes on meanwhile may be without it."""
    eventually(lambda: served.figure("starling_tails") == count, f"{count} tails")
    if count > 0:
        looks = served.figure("starling_tail_looks_total")
        eventually(lambda: served.figure("starling_tail_looks_total") >= looks + 2, "two looks more")


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


@pytest.mark.parametrize("elements", ["spans", "logs"])
def test_a_query_that_goes_on(binary, served, elements):
    """The newest of what there is, oldest first, and what is stored while it starts and after: all once."""
    service = f"follow-{otlp.unique()}"
    before, after = unique(30), unique(40)
    for name in before:
        send(served.server, request(elements, [name], service))
    verb = Verb(binary, served.port, elements, "--service", service, "--since", "5m", "--limit", "10", "--json", "--follow",
                verb=("query",))
    for name in after:
        send(served.server, request(elements, [name], service))
    last = after[-1]
    eventually(lambda: any(last in line for line in verb.lines), f"the last row: {verb.lines}, {verb.notes}")
    found = [json.loads(line)[NAMES[elements]] for line in verb.lines]
    everything = before + after
    # The ten that were newest when it began, whenever that was, and all from there on.
    first = everything.index(found[0])
    assert found == everything[first:] and len(before) - 10 <= first <= len(everything) - 10
    verb.process.send_signal(signal.SIGINT)
    assert verb.end() == OK and not verb.notes
    shown = {row[NAMES[elements]]: row for row in served.query.get(
        f"/api/{elements}", {"start_time": "now-5m", "service": service, "limit": 1000})[elements]}
    assert [json.loads(line) for line in verb.lines] == [shown[name] for name in found]


def test_a_query_that_goes_on_takes_conditions_and_shows_lines(binary, served):
    service = f"follow-{otlp.unique()}"
    send(served.server, request("logs", ["a cat", "a dog"], service))
    verb = Verb(binary, served.port, "--service", service, "--text", "cat", "--follow", verb=("query", "logs"))
    verb.wait_lines(1)
    send(served.server, request("logs", ["another dog", "another cat"], service))
    lines = verb.wait_lines(2)
    assert [line.split("  ")[2:] for line in lines] == [[service, "a cat"], [service, "another cat"]]
    verb.process.send_signal(signal.SIGINT)
    assert verb.end() == OK and not verb.notes


@pytest.mark.parametrize("arguments, words", [
    (["spans", "--to", "now"], "--to"), (["logs", "--until", "now"], "--to"), (["logs", "--cursor", "AQ"], "--cursor"),
    (["spans", "--limit", "0"], "--limit is 0"), (["spans", "--limit", "1001"], "1 to 1000"),
    *(([verb], "query spans --follow") for verb in ("traces", "metrics", "services", "map")),
])
def test_queries_that_cannot_go_on(binary, served, arguments, words):
    result = run(binary, "query", *arguments, "--follow", "--api", f"127.0.0.1:{served.port}")
    assert result.returncode == USAGE and words in result.stderr and not result.stdout, result


def test_a_connection_that_breaks_among_the_first_rows(binary):
    """They have no place of their own: they come again, and are shown once."""
    rows = [json.dumps({"row": {"body": name, "end": True}}).encode() + b"\n" for name in ("a", "b", "c")]
    answers = [rows[:2], [*rows, b'{"cursor":"AQ"}\n']]
    asked = []

    def serve(listener):
        for lines in answers:
            peer, _ = listener.accept()
            with peer:
                asked.append(peer.recv(65536).split()[1].decode())
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
                for line in lines:
                    peer.sendall(b"%x\r\n%s\r\n" % (len(line), line))
                if len(lines) > 2:
                    peer.sendall(b"0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        verb = Verb(binary, listener.getsockname()[1], "--follow", verb=("query", "logs"))
        assert verb.end() == OK
        server.join()
    assert [line.split("  ")[-1] for line in verb.lines] == ["a", "b", "c"] and "trying again" in verb.notes[0]
    assert all("start_time=now-1h&start_limit=20" in target for target in asked) and len(asked) == 2


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
