# SPDX-License-Identifier: Apache-2.0
"""`starling query` and `starling trace`: tables for people, the answers of the API for programs."""

import json
import socket
import threading

import pytest

from conftest import Export
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from support import otlp
from support.api import api_settings
from support.daemon import free_port, run

OK, FAILED, USAGE, UNREACHABLE = 0, 1, 64, 69


class Verb:
    """The command against one daemon."""

    def __init__(self, binary, port):
        self.binary = binary
        self.port = port

    def run(self, *arguments):
        return run(self.binary, *arguments, "--api", f"127.0.0.1:{self.port}")

    def rows(self, *arguments):
        """The rows of the table, cells by the titles."""
        result = self.run(*arguments)
        assert result.returncode == OK, result
        title, *lines = result.stdout.splitlines()
        names = [name for name in title.split("  ") if name]
        starts = [title.index(name.strip()) for name in names] + [None]
        return [{name.strip(): line[start:end].strip() for name, start, end in zip(names, starts, starts[1:])}
                for line in lines]

    def json(self, *arguments):
        result = self.run(*arguments, "--json")
        assert result.returncode == OK, result
        return json.loads(result.stdout)


@pytest.fixture(scope="module")
def served(database, start_server):
    settings, api = api_settings()
    server = start_server(database, settings)
    api.wait_ready()
    return server, api


@pytest.fixture(scope="module")
def verb(binary, served):
    return Verb(binary, served[1].address)


@pytest.fixture(scope="module")
def trace(served):
    """A root of 100 ms, a child that failed, a grandchild, and a span whose parent is not there."""
    trace_id = otlp.trace_id(otlp.unique())
    root = otlp.span(trace_id=trace_id, name="GET /cart", kind=Span.SPAN_KIND_SERVER)
    start = root.start_time_unix_nano
    root.end_time_unix_nano = start + 100_000_000
    child = otlp.span(trace_id=trace_id, parent_span_id=root.span_id, name="query\x1b[31m",
                      start_time_unix_nano=start + 50_000_000, end_time_unix_nano=start + 75_000_000,
                      status=Status(code=Status.STATUS_CODE_ERROR))
    grandchild = otlp.span(trace_id=trace_id, parent_span_id=child.span_id, name="read",
                           start_time_unix_nano=start + 60_000_000, end_time_unix_nano=start + 60_001_500)
    orphan = otlp.span(trace_id=trace_id, parent_span_id=otlp.span_id(otlp.unique()), name="late",
                       start_time_unix_nano=start + 99_000_000, end_time_unix_nano=start + 100_000_000)
    with served[0].channel() as channel:
        Export(channel)(otlp.request("traces", [orphan, grandchild, child, root]))
    return trace_id.hex()


def test_a_waterfall(verb, trace):
    result = verb.run("trace", trace)
    assert result.returncode == OK and not result.stderr, result
    headline, *lines = result.stdout.splitlines()
    assert headline.startswith(f"trace {trace}, ") and headline.endswith(", 100ms, 4 spans, 1 errors")
    assert [(line[1:41], line[42:51].strip(), line[53:]) for line in lines] == [
        ("=" * 40, "100ms", "integration: GET /cart"),
        (" " * 20 + "=" * 10 + " " * 10, "25.0ms", "  ! integration: query?[31m"),
        (" " * 24 + "=" + " " * 15, "1.50us", "    integration: read"),
        (" " * 39 + "=", "1.00ms", "? integration: late")]


def test_a_trace_for_programs(verb, trace):
    found = verb.json("trace", trace.upper())
    assert found["trace_id"] == trace and len(found["spans"]) == 4


def test_no_such_trace(verb):
    result = verb.run("trace", "ab" * 16)
    assert (result.returncode, result.stdout) == (FAILED, "")
    assert result.stderr == f"starling: there is no trace {'ab' * 16}\n"


@pytest.mark.parametrize("written", ["x", "a b", "%00", "../status", "é"])
def test_what_is_no_trace_id(verb, written):
    result = verb.run("trace", written)
    assert (result.returncode, result.stdout) == (FAILED, "")
    assert "is no trace id" in result.stderr


def test_nobody_answers(binary, trace):
    result = Verb(binary, free_port()).run("trace", trace)
    assert result.returncode == UNREACHABLE and "--api" in result.stderr


def test_something_else_answers(binary, trace):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4_096)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n<html>")
        thread = threading.Thread(target=answer)
        thread.start()
        result = Verb(binary, listener.getsockname()[1]).run("trace", trace)
        thread.join()
    assert result.returncode == FAILED and "JSON object" in result.stderr


def test_traces(verb, trace):
    rows = verb.rows("query", "traces", "--since", "2h", "--filter", "status=error", "--filter", "name~^query")
    (row,) = [row for row in rows if row["TRACE ID"] == trace]
    assert {key: row[key] for key in ("DURATION", "SPANS", "ERRORS", "SERVICE", "ROOT")} == {
        "DURATION": "100ms", "SPANS": "4", "ERRORS": "1", "SERVICE": "integration", "ROOT": "GET /cart"}
    assert row["TIME"].endswith("Z")


def test_spans_page_by_page(verb, trace):
    arguments = ["query", "spans", "--since", "2h", "--filter", f"trace_id={trace}", "--limit", "3"]
    result = verb.run(*arguments)
    assert result.returncode == OK and len(result.stdout.splitlines()) == 4
    more = result.stderr.strip().rsplit(" ", 1)
    assert more[0] == "there is more: --cursor"
    assert [row["NAME"] for row in verb.rows(*arguments, "--cursor", more[1])] == ["GET /cart"]


def test_spans_that_are_slow(verb, trace):
    found = verb.json("query", "spans", "--since", "2h", "--filter", "duration_nanos>=25ms",
                      "--filter", "duration_nanos<1s", "--service", "integration")
    assert {"GET /cart", "query\x1b[31m"} == {
        span["name"] for span in found["spans"] if span["trace_id"] == trace}


def test_logs(verb, served):
    text = f"connection {otlp.unique()} refused\nby peer"
    records = [otlp.log_record(severity_number=number, severity_text=name, body=otlp.any_of(text))
               for number, name in ((9, "INFO"), (17, "ERROR"))]
    with served[0].channel() as channel:
        Export(channel)(otlp.request("logs", records))
    arguments = ["query", "logs", "--since", "2h", "--text", text.split("\n")[0]]
    assert [(row["SEVERITY"], row["SERVICE"], row["BODY"]) for row in verb.rows(*arguments)] == [
        (name, "integration", text.replace("\n", " ")) for name in ("ERROR", "INFO")]
    (row,) = verb.rows(*arguments, "--filter", "severity_number>=ERROR")
    assert row["SEVERITY"] == "ERROR"


def test_a_filter_that_is_none(verb):
    result = verb.run("query", "spans", "--filter", "colour=red")
    assert result.returncode == FAILED and 'there is no field "colour"' in result.stderr


def test_services(verb, trace):
    rows = verb.rows("query", "services", "--since", "2h")
    (row,) = [row for row in rows if row["SERVICE"] == "integration"]
    assert (int(row["CALLS"]), row["P50"]) >= (1, "")
    found = verb.json("query", "services", "--since", "2h")
    assert [service["calls"] for service in found["services"]] == [int(row["CALLS"]) for row in rows]


def test_metrics(verb, served):
    name = f"verbs.{otlp.unique()}"
    with served[0].channel() as channel:
        Export(channel)(otlp.request("metrics", [
            otlp.gauge(name, unit="By", description="How much\nthere is")]))
    assert verb.rows("query", "metrics", "--prefix", name) == [
        {"NAME": name, "TYPE": "gauge", "UNIT": "By", "TEMPORALITY": "", "DESCRIPTION": "How much there is"}]


def test_a_map_that_is_not_there_yet(verb):
    result = verb.run("query", "map", "--since", "2h")
    assert result.returncode == OK and "nobody called anybody" in result.stderr


def test_nothing_is_found(verb):
    result = verb.run("query", "metrics", "--prefix", "no such")
    assert (result.returncode, result.stdout, result.stderr) == (OK, "", "no metric was found\n")


@pytest.mark.parametrize("arguments, words", [
    (["services", "--since", "soon"], "now-soon"),
    (["services", "--since", "1h", "--from", "now-1h"], "--since and --from"),
    (["metrics", "--limit", "0"], "limit"),
    (["metrics", "--limit", "x"], "--limit"),
    (["nothing"], "query <subcommand>"),
])
def test_mistakes(verb, arguments, words):
    result = verb.run("query", *arguments)
    assert result.returncode in (FAILED, USAGE) and words in result.stderr and not result.stdout, result
