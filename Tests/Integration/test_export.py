# SPDX-License-Identifier: Apache-2.0
"""Exports: every row once, in every format, beside what was sent; and what becomes of a stream that is cut."""

import base64
from collections import Counter
import csv
import http.client
import io
import json
import random
import socket
from urllib.parse import urlencode
import zlib

import pytest

from conftest import Export
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from support import otlp, rebuild
from support.api import api_settings
from support.daemon import free_port, run
from support.normal import pieces
from support.otlphttp import JSON, Connection
from support.query import QueryAPI
from support.random_otlp import PROMOTED_BY_TEST, Maker
from support.waiting import PATIENCE_SECONDS, eventually

DAY_NS = 86_400_000_000_000
SECOND_NS = 1_000_000_000
EVERYTHING = {"start_time": otlp.BASE_NS - 10 * DAY_NS, "end_time": otlp.BASE_NS + DAY_NS}
READ = {"spans": rebuild.traces, "logs": rebuild.logs}
SIGNALS = {"spans": "traces", "logs": "logs"}
CASE_COUNT = 40


@pytest.fixture(scope="module")
def overrides(tmp_path_factory):
    """Settings with a promoted attribute of every type."""
    path = tmp_path_factory.mktemp("settings") / "overrides.yaml"
    lines = ["promote:"]
    for signal, pairs in PROMOTED_BY_TEST.items():
        lines += [f"  {signal}:", *(f"    {kind}: [{key}]" for key, kind in pairs)]
    path.write_text("\n".join(lines) + "\n")
    return {"attributes.overrides_file": str(path)}


@pytest.fixture(scope="module")
def served(database, start_server, overrides, binary):
    """A daemon with what it was sent at random: the server, its API, and the requests by list."""
    migrate(binary, database, overrides)
    settings, api = api_settings(**{"query.streams_max": "2", "query.range_max": "60d"} | overrides)
    server = start_server(database, settings)
    api.wait_ready()
    sent = {}
    with server.channel() as channel:
        for name, signal in SIGNALS.items():
            requests = [Maker(random.Random(f"export/{signal}/{number}")).request(signal)
                        for number in range(CASE_COUNT)]
            for request in requests:
                has_time(request)
            export = Export(channel)
            calls = [export.method(request).future(request, timeout=PATIENCE_SECONDS) for request in requests]
            assert [call.result().ByteSize() for call in calls] == [0] * CASE_COUNT
            sent[name] = requests
    yield server, QueryAPI(api.address), sent
    assert server.daemon.stop() == 0, server.daemon.output()


def migrate(binary, database, settings):
    result = run(binary, "migrate", *(f"--set={key}={value}" for key, value in settings.items()),
                 environment=database.environment)
    assert result.returncode == 0, result.stderr


def has_time(request):
    """A record without any time gets that of its arrival, which an export cannot but tell as its own."""
    for envelope in getattr(request, "resource_logs", []):
        for scope in envelope.scope_logs:
            for record in scope.log_records:
                if record.time_unix_nano == record.observed_time_unix_nano == 0:
                    record.observed_time_unix_nano = otlp.BASE_NS


def exported(query, name, kind="ndjson", **others):
    answer = query.request(f"/api/{name}/export", EVERYTHING | {"format": kind} | others)
    assert answer.status == 200, answer
    return answer


def lines(query, name, kind="ndjson", **others):
    body = exported(query, name, kind, **others).body
    assert not body or body.endswith("\n")
    return [json.loads(line) for line in body.split("\n")[:-1]]


def listed(query, name, **filters):
    """All elements of a list, oldest first."""
    found, cursor = [], None
    while True:
        page = query.get(f"/api/{name}", EVERYTHING | filters | {"limit": 1000}
                         | ({"cursor": cursor} if cursor else {}))
        found += page[name]
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            return found[::-1]


def sorted_list(items):
    """Spans of one time are in another order in lists."""
    return sorted(items, key=lambda item: (int(item.get("start_time_unix_nano") or item["time_unix_nano"]),
                                           item["trace_id"] or "", item.get("log_id") or item["span_id"]))


@pytest.mark.parametrize("name", SIGNALS)
def test_lines_are_the_elements_of_lists(served, name):
    _, query, sent = served
    found = lines(query, name)
    assert len(found) == sum(pieces(request).total() for request in sent[name])
    assert sorted_list(found) == sorted_list(listed(query, name))
    times = [int(item.get("start_time_unix_nano") or item["time_unix_nano"]) for item in found]
    assert times == sorted(times)
    assert lines(query, name) == found


@pytest.mark.parametrize("name", SIGNALS)
def test_csv_has_the_same(served, name):
    _, query, _ = served
    answer = exported(query, name, "csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.csv"'
    head, *rows = csv.reader(io.StringIO(answer.body, newline=""), strict=True)
    objects = lines(query, name)
    assert head == list(objects[0])
    assert rows == [[cell(key, value, item) for key, value in item.items()] for item in objects]


def cell(name, value, item):
    if value is None and not (name == "body" and item["body_type"]):
        return ""
    if isinstance(value, bool) and name != "body":
        return str(value).lower()
    if isinstance(value, str) and not (name == "body" and item["body_type"] != "string"):
        return value
    return Same(value)


class Same:
    """Equals JSON text of the same value."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, text):
        return json.loads(text) == self.value

    def __repr__(self):
        return json.dumps(self.value)


@pytest.mark.parametrize("name", SIGNALS)
def test_otlp_stores_the_same_again(served, name, cluster, binary, start_server, overrides):
    """What was sent is what a second database holds that got the export."""
    _, query, sent = served
    body = exported(query, name, "otlp-json").body
    other = type(served[0].database)(cluster, f"test_export_{name}")
    cluster.create_database(other.name)
    migrate(binary, other, overrides)
    port = free_port()
    server = start_server(other, overrides | {"listen.http": f"127.0.0.1:{port}"})
    with Connection(port) as connection:
        for line in body.split("\n")[:-1]:
            answer = connection.post(SIGNALS[name], line.encode(), JSON)
            assert answer.status == 200 and json.loads(answer.body) == {}, answer
    wanted = Counter()
    for request in sent[name]:
        wanted.update(pieces(request))
    with other.connect() as db:
        found = pieces(READ[name](db))
    assert list((wanted - found).elements())[:2] == list((found - wanted).elements())[:2] == []
    assert server.daemon.stop() == 0
    cluster.drop_database(other.name)


def test_filters_limits_and_formats(served):
    server, query, _ = served
    service = f"export-{otlp.unique()}"
    resource = otlp.request("traces").resource_spans[0].resource
    resource.attributes[0].value.string_value = service
    spans = [otlp.span(name=f"s{index % 2}", start_time_unix_nano=otlp.BASE_NS + index * SECOND_NS,
                       end_time_unix_nano=otlp.BASE_NS + index * SECOND_NS + index) for index in range(20)]
    with server.channel() as channel:
        Export(channel)(otlp.request("traces", spans[::-1], resource))
    ids = [span.span_id.hex() for span in spans]

    def found(**others):
        body = exported(query, "spans", **{"service": service} | others).body
        return [json.loads(line)["span_id"] for line in body.split("\n")[:-1]]
    assert found() == ids
    assert found(limit=7) == ids[:7]
    assert found(filter="name=s1") == ids[1::2]
    assert found(filter="duration_nanos>=15") == ids[15:]
    # The end is not part of the range.
    assert found(start_time=otlp.BASE_NS + 3 * SECOND_NS, end_time=otlp.BASE_NS + 5 * SECOND_NS) == ids[3:5]
    nothing = exported(query, "spans", "csv", service="nobody").body
    assert nothing.count("\r\n") == 1 and nothing.startswith("trace_id,span_id,")
    for accept, kind in (("text/csv", "text/csv"), ("application/x-ndjson", "application/x-ndjson"),
                         ("text/html, text/csv;q=0.5", "text/csv"), ("*/*", "application/x-ndjson")):
        answer = query.request("/api/logs/export", EVERYTHING | {"limit": 1}, Accept=accept)
        assert answer.headers["Content-Type"].startswith(kind), answer


SEMANTIC_TYPES = {  # keys → type; every value once as text, which may have a column, and once as a number
    ("a",): "internal", ("http.method",): "http", ("http.request.method", "x.http"): "http",
    ("db.system", "http.method"): "db", ("rpc.system", "http.request.method", "a"): "rpc",
    ("messaging.operation.type",): "messaging", ("faas.trigger", "db.system.name"): "faas",
    ("rpc.system.name", "gen_ai.system"): "gen_ai", ("http.method ", "db"): "internal",
}


def test_semantic_types(served):
    """Told by the daemon here, and by the database in lists."""
    server, query, _ = served
    resource = otlp.request("traces").resource_spans[0].resource
    resource.attributes[0].value.string_value = "semantic"
    nested = AnyValue()
    nested.kvlist_value.values.append(otlp.attribute("db.system", "a"))
    spans = [otlp.span(attributes=[otlp.attribute(key, value) for key in keys] + [otlp.attribute("n", nested)])
             for keys in SEMANTIC_TYPES for value in ("\"rpc.system\": ", 5)]
    with server.channel() as channel:
        Export(channel)(otlp.request("traces", spans, resource))
    found = [json.loads(line)["semantic_type"]
             for line in exported(query, "spans", service="semantic").body.split("\n")[:-1]]
    assert found == [kind for kind in SEMANTIC_TYPES.values() for _ in range(2)]
    assert found == [span["semantic_type"] for span in listed(query, "spans", service="semantic")]


@pytest.mark.parametrize("parameters, kind, pointer, status", [
    ({}, "invalid-parameter", "start_time", 400),
    ({"trace_id": "ab" * 16}, "invalid-parameter", "start_time", 400),
    ({"start_time": "now-1h", "format": "xml"}, "invalid-parameter", "format", 400),
    ({"start_time": "now-1h", "limit": 0}, "invalid-parameter", "limit", 400),
    ({"start_time": "now-1h", "cursor": "AQ"}, "invalid-parameter", "cursor", 400),
    ({"start_time": "now-1h", "colour": "red"}, "invalid-parameter", "colour", 400),
    ({"start_time": "now-1h", "filter": "colour=red"}, "invalid-filter", "filter", 400),
    # Also where there is no partition.
    ({"start_time": "946684800000000000", "end_time": "946684801000000000", "filter": "name~("}, "invalid-filter", None,
     400),
    ({"start_time": "now-90d"}, "range-too-wide", "start_time", 422),
])
def test_what_cannot_be_exported(served, parameters, kind, pointer, status):
    _, query, _ = served
    query.problem(status, kind, "/api/spans/export", parameters, pointer=pointer)


@pytest.mark.parametrize("name, field, value", [("spans", "status", "OK"), ("logs", "severity_number", 9),
                                                ("metrics", "type", "gauge")])
def test_a_body_asks_for_the_same(served, name, field, value):
    server, query, _ = served
    with server.channel() as channel:
        Export(channel)(otlp.request("metrics", [otlp.gauge(), otlp.gauge()]))
    place = {"start_time": EVERYTHING["start_time"], "end_time": str(EVERYTHING["end_time"])}
    body = {"time_range": place, "filters": [{"field": field, "operator": "eq", "value": value}]}
    for parameters in ({}, {"format": "csv"}, {"format": "otlp-json"}):
        wanted = exported(query, name, **{field: value} | parameters)
        found = query.request(f"/api/{name}/export", parameters, body)
        assert (found.status, found.body) == (200, wanted.body) and found.body.count("\n") > 1 - bool(parameters)
        for header in ("Content-Type", "Content-Disposition"):
            assert found.headers[header] == wanted.headers[header]
    [line] = query.request(f"/api/{name}/export", body=body | {"pagination": {"limit": 1}}).body.split("\n")[:-1]
    assert line == exported(query, name, **{field: value}).body.split("\n")[0]
    path = f"/api/{name}/export"
    for wrong, kind, pointer in [
            (b"{", "invalid-parameter", None), ({}, "invalid-parameter", "/time_range"),
            ({"time_range": place, "limit": 1}, "invalid-parameter", "/limit"),
            ({"time_range": place, "pagination": {"limit": 0}}, "invalid-parameter", "/pagination/limit"),
            ({"time_range": place, "pagination": {"cursor": "AQ"}}, "invalid-parameter", "/pagination/cursor"),
            ({"time_range": place, "filters": [{"field": "x"}]}, "invalid-filter", "/filters/0"),
            ({"filters": [{"field": "trace_id", "operator": "eq", "value": "ab" * 16}]},
             "invalid-filter" if name == "metrics" else "invalid-parameter", None)]:
        query.problem(400, kind, path, body=wrong, pointer=pointer)
    query.problem(400, "invalid-parameter", path, {"start_time": "now-1h"}, body=body, pointer="start_time")


# What is sent while it is made. The spans are so many, and so large, that no socket holds them.

LARGE_COUNT = 1_000
LARGE_BYTES = 20_000


@pytest.fixture(scope="module")
def large(served):
    """A service whose export has 20 MB."""
    return send_large(served[0], "large-export", lambda: "x" * LARGE_BYTES)


@pytest.fixture(scope="module")
def large_packed(served):
    """One whose export has 15 MB when it is packed."""
    dice = random.Random("packed")
    return send_large(served[0], "large-packed", lambda: base64.b64encode(dice.randbytes(LARGE_BYTES * 3 // 4)).decode())


def send_large(server, name, text):
    resource = otlp.request("traces").resource_spans[0].resource
    resource.attributes[0].value.string_value = name
    with server.channel() as channel:
        for _ in range(0, LARGE_COUNT, 500):
            Export(channel)(otlp.request("traces", [
                otlp.span(attributes=otlp.attributes(text=text())) for _ in range(500)], resource))
    return EVERYTHING | {"service": name}


class Reader:
    """A client that reads as much as it is told to."""

    def __init__(self, query, parameters, headers):
        self.http = http.client.HTTPConnection("127.0.0.1", query.port, timeout=PATIENCE_SECONDS)
        self.http.request("GET", "/api/spans/export?" + urlencode(parameters), headers=headers)
        self.response = self.http.getresponse()

    def read(self, *count):
        return self.response.read(*count)

    def close(self):
        self.http.close()
        self.response.close()


@pytest.fixture
def opened():
    """Opens exports; one that is refused while one of before comes to its end is asked for again."""
    readers = []

    def once(query, parameters, headers):
        reader = Reader(query, parameters, headers)
        if reader.response.status == 200:
            readers.append(reader)
            return reader
        assert reader.response.status == 503, reader.read()
        reader.close()
        return None
    yield lambda query, parameters, **headers: eventually(
        lambda: once(query, parameters, headers), "a place for an export")
    for reader in readers:
        reader.close()


def sessions(database, condition="true"):
    with database.connect() as observer:
        return observer.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'starling export' "
            f"AND datname = current_database() AND {condition}").fetchall()


def open_snapshots(database):
    """Exports that are under way: each is a transaction."""
    return sessions(database, "xact_start IS NOT NULL")


@pytest.mark.parametrize("how", ["close", "shutdown"])
def test_who_leaves_ends_the_export(served, large, opened, how):
    server, query, _ = served
    reader = opened(query, large)
    reader.read(100_000)
    assert len(open_snapshots(server.database)) == 1
    if how == "shutdown":
        reader.http.sock.shutdown(socket.SHUT_WR)
    else:
        reader.close()
    eventually(lambda: not open_snapshots(server.database), "the export to end")
    # The session lives on, outside of the transaction.
    assert opened(query, EVERYTHING | {"limit": 1}).read().count(b"\n") == 1


def test_a_slow_reader_holds_little(served, large, opened):
    """A reader that stops makes the export stop: it does not fetch on, and the daemon does not grow."""
    server, query, _ = served
    reader = opened(query, large)
    before = server.daemon.resident_bytes()
    read = reader.read(1_000)
    stands = Standstill(server.database)
    eventually(stands, "the export to fetch no more")
    assert server.daemon.resident_bytes() - before < 16 << 20
    read += reader.read()
    assert read.count(b"\n") == LARGE_COUNT and read.endswith(b"}\n")


class Standstill:
    """True when an export is in its transaction, and has sent nothing for many looks at it."""

    LOOKS = 40

    def __init__(self, database):
        self.database = database
        self.seen = []

    def __call__(self):
        with self.database.connect() as observer:
            self.seen += observer.execute(
                "SELECT state, state_change FROM pg_stat_activity WHERE application_name = 'starling export' "
                "AND datname = current_database() AND xact_start IS NOT NULL").fetchall()
        last = self.seen[-self.LOOKS:]
        return len(last) == self.LOOKS and len(set(last)) == 1 and last[0][0] == "idle in transaction"


PACKED = {"Accept-Encoding": "gzip"}


@pytest.mark.parametrize("name", SIGNALS)
def test_whoever_takes_it_gets_it_packed(served, name):
    _, query, _ = served
    for kind in ("ndjson", "csv", "otlp-json"):
        plain = exported(query, name, kind)
        packed = query.request(f"/api/{name}/export", EVERYTHING | {"format": kind}, **PACKED)
        assert "Content-Encoding" not in plain.headers and packed.headers["Content-Encoding"] == "gzip"
        assert plain.headers["Vary"] == packed.headers["Vary"] == "accept-encoding"
        assert packed.body == plain.body and packed.body
    nothing = query.request("/api/spans/export", EVERYTHING | {"service": "nobody"}, **PACKED)
    assert (nothing.status, nothing.body, nothing.headers["Content-Encoding"]) == (200, "", "gzip")
    query.problem(400, "invalid-filter", f"/api/{name}/export", EVERYTHING | {"filter": "service~("}, **PACKED)


def test_what_is_packed_comes_as_it_is_made(served, large_packed, opened):
    """Each part can be unpacked when it arrives; what breaks off has no end, and no last words."""
    server, query, _ = served
    eventually(lambda: not open_snapshots(server.database), "exports of before to end")
    reader = opened(query, large_packed, **PACKED)
    assert reader.response.getheader("Content-Encoding") == "gzip"
    unpacking = zlib.decompressobj(wbits=31)
    read = b""
    while read.count(b"\n") < 20:
        read += unpacking.decompress(reader.read(1 << 14))
    with server.database.connect() as observer:
        (pid,), = open_snapshots(server.database)
        observer.execute("SELECT pg_terminate_backend(%s)", (pid,))
    with pytest.raises(http.client.IncompleteRead) as cut:
        reader.read()
    read += unpacking.decompress(cut.value.partial)
    assert not unpacking.eof and not unpacking.unused_data
    *lines, last = read.split(b"\n")
    assert 20 <= len(lines) < LARGE_COUNT and all("trace_id" in json.loads(line) for line in lines)
    assert b"database-unavailable" not in last


def test_no_more_exports_than_may_be(served, large, opened):
    _, query, _ = served
    for _ in range(2):
        opened(query, large)
    problem = query.problem(503, "too-many-queries", "/api/spans/export", large)
    assert "query.streams_max" in problem["detail"] and problem["retry_after"] > 0
    # Short questions have readers of their own.
    assert len(query.get("/api/spans", large | {"limit": 5})["spans"]) == 5


@pytest.mark.parametrize("kind", ["ndjson", "csv", "otlp-json"])
def test_an_error_on_the_way_is_seen(served, large, opened, kind):
    server, query, _ = served
    eventually(lambda: not open_snapshots(server.database), "exports of before to end")
    reader = opened(query, large | {"format": kind})
    read = reader.read(100_000)
    with server.database.connect() as observer:
        (pid,), = open_snapshots(server.database)
        observer.execute("SELECT pg_terminate_backend(%s)", (pid,))
    with pytest.raises(http.client.IncompleteRead) as cut:
        reader.read()
    read += cut.value.partial
    last = read.rstrip(b"\n").split(b"\n")[-1]
    if kind == "ndjson":
        error = json.loads(last)["error"]
        assert error["type"] == "database-unavailable" and error["status"] == 503, error
    else:
        assert b"database-unavailable" not in last
    assert opened(query, large | {"limit": 3}).read().count(b"\n") == 3


def test_head_and_the_end_of_the_daemon(served, large, opened, start_server):
    """HEAD exports nothing; a stream that is under way when the daemon ends is cut."""
    settings, api = api_settings(**{"query.streams_max": "1"})
    server = start_server(served[0].database, settings)
    api.wait_ready()
    query = QueryAPI(api.address)
    answer = query.request("/api/spans/export", large, method="HEAD")
    assert answer.status == 200 and answer.body == ""
    reader = opened(query, large)
    reader.read(1_000)
    server.daemon.terminate()
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        reader.read()
    assert server.daemon.wait() == 0
