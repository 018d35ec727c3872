# SPDX-License-Identifier: Apache-2.0
"""`starling export` and `starling import`: what goes out of one database comes into another as it was."""

from collections import Counter
import gzip
import json
import os
import random
import struct
import subprocess
import sys

import pytest

from conftest import FACT_TABLES, Export
from support import otlp, rebuild, rebuild_metrics
from support.api import api_settings
from support.daemon import clean_environment, free_port, run
from support.normal import pieces
from support.otlphttp import to_json
from support.random_otlp import Maker
from support.waiting import PATIENCE_SECONDS

OK, FAILED, USAGE, UNREACHABLE = 0, 1, 64, 69
READ = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}
CASE_COUNT = 25
RANGE = ("--from", str(otlp.BASE_NS - 10 * 86_400_000_000_000), "--until", str(otlp.BASE_NS + 86_400_000_000_000))


@pytest.fixture(scope="module")
def source(database, start_server):
    """A daemon with random telemetry; what it was sent."""
    settings, api = api_settings()
    server = start_server(database, settings)
    api.wait_ready()
    sent = {signal: [Maker(random.Random(f"import/{signal}/{number}")).request(signal)
                     for number in range(CASE_COUNT)] for signal in otlp.SIGNALS}
    for request in sent["logs"]:
        has_time(request)
    with server.channel() as channel:
        export = Export(channel)
        for requests in sent.values():
            calls = [export.method(request).future(request, timeout=PATIENCE_SECONDS) for request in requests]
            assert [call.result().ByteSize() for call in calls] == [0] * CASE_COUNT
    return server, api, sent


def has_time(request):
    """A record without any time gets that of its arrival, which an export cannot but tell as its own."""
    for envelope in request.resource_logs:
        for scope in envelope.scope_logs:
            for record in scope.log_records:
                if record.time_unix_nano == record.observed_time_unix_nano == 0:
                    record.observed_time_unix_nano = otlp.BASE_NS


@pytest.fixture(scope="module")
def target(source, cluster, binary, start_server):
    """A second database with a daemon of its own."""
    other = type(source[0].database)(cluster, "test_import_target")
    cluster.create_database(other.name)
    assert run(binary, "migrate", environment=other.environment).returncode == 0
    server = start_server(other, {"limits.request_bytes_max": "1MiB"})
    yield server
    assert server.daemon.stop() == 0, server.daemon.output()
    cluster.drop_database(other.name)


@pytest.fixture
def stored(target):
    """Reads what the target holds; it is empty at first."""
    with target.database.connect() as db:
        db.execute(f"TRUNCATE {', '.join(FACT_TABLES)}")
        yield lambda signal: pieces(READ[signal](db))


def exported(binary, source, *arguments):
    return run(binary, "export", *arguments, "--api", f"127.0.0.1:{source[1].address}")


def imported(binary, target, *arguments, data=None):
    """The finished command, with its summary as `json`."""
    command = [binary, "import", *map(str, arguments), "--endpoint", target.endpoint, "--json"]
    result = subprocess.run(command, input=data, capture_output=True, env=clean_environment(), timeout=120)
    result.json = json.loads(result.stdout) if result.stdout else None
    result.stderr = result.stderr.decode()
    return result


def all_pieces(requests):
    found = Counter()
    for request in requests:
        found.update(pieces(request))
    return found


def item_count(requests):
    return all_pieces(requests).total()


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_round_trip(source, target, stored, binary, tmp_path, signal):
    """Exported to a file, imported from it: the second database holds what the first was sent."""
    path = tmp_path / "all.jsonl"
    result = exported(binary, source, signal, *RANGE, "--format", "otlp-json", "--output", str(path), "--json")
    assert result.returncode == OK, result
    written = json.loads(result.stdout)
    assert written == {"file": str(path), "bytes": path.stat().st_size, "lines": path.read_bytes().count(b"\n")}
    assert os.listdir(tmp_path) == ["all.jsonl"]
    result = imported(binary, target, path)
    assert result.returncode == OK, result
    count = item_count(source[2][signal])
    assert (result.json["sent"], result.json["stored"], result.json["is_complete"]) == (count, count, True)
    assert stored(signal) == all_pieces(source[2][signal])


def requests_of(signal, count=3):
    """Requests that the target does not know yet."""
    return [otlp.request(signal, [otlp.ITEMS[signal]() for _ in range(2)]) for _ in range(count)]


def framed(requests):
    return b"".join(struct.pack(">I", request.ByteSize()) + request.SerializeToString() for request in requests)


FORMS = {
    "lines": lambda requests: "".join(to_json(request) + "\n" for request in requests).encode(),
    "no last line end": lambda requests: "\n".join(map(to_json, requests)).encode(),
    "pretty": lambda requests: "\n\n".join(
        json.dumps(json.loads(to_json(request)), indent=2) for request in requests).encode(),
    "length-prefixed": framed,
    "one message": lambda requests: b"".join(request.SerializeToString() for request in requests),
}


@pytest.mark.parametrize("form, signal", [
    ("lines", "traces"), ("pretty", "logs"), ("no last line end", "metrics"), ("length-prefixed", "metrics"),
    ("one message", "logs")])
def test_forms(target, stored, binary, tmp_path, form, signal):
    requests = requests_of(signal)
    path = tmp_path / "telemetry"
    path.write_bytes(FORMS[form](requests))
    is_protobuf = form in ("length-prefixed", "one message")
    result = imported(binary, target, path, *(("--signal", signal) if is_protobuf else ()))
    assert result.returncode == OK, result
    assert result.json["stored"] == result.json["sent"] == 6
    assert stored(signal) == all_pieces(requests)


@pytest.mark.parametrize("form, signal", [("lines", "traces"), ("pretty", "logs"), ("length-prefixed", "metrics"),
                                          ("one message", "logs")])
@pytest.mark.parametrize("way", ["file", "standard input", "members"])
def test_packed_forms(target, stored, binary, tmp_path, form, signal, way):
    """Whatever the file is called, and in one member or many."""
    requests = requests_of(signal)
    data = FORMS[form](requests)
    size = len(data) // 7 if way == "members" else len(data)
    packed = b"".join(gzip.compress(data[start:start + size]) for start in range(0, len(data), size))
    path = tmp_path / "telemetry"
    path.write_bytes(packed)
    options = ("--signal", signal) if form in ("length-prefixed", "one message") else ()
    if way == "standard input":
        result = imported(binary, target, "-", *options, data=packed)
    else:
        result = imported(binary, target, path, *options)
    assert result.returncode == OK, result
    assert stored(signal) == all_pieces(requests)


def test_packed_bytes_that_come_one_by_one(target, stored, binary):
    requests = requests_of("traces", 1)
    command = [binary, "import", "-", "--endpoint", target.endpoint, "--json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                          env=clean_environment()) as process:
        for byte in gzip.compress(FORMS["lines"](requests)):
            process.stdin.write(bytes([byte]))
        process.stdin.close()
        assert json.loads(process.stdout.read())["stored"] == 2
    assert process.returncode == OK
    assert stored("traces") == all_pieces(requests)


def test_a_packed_file_that_cannot_be_read_on(target, stored, binary, tmp_path):
    """Cut off anywhere, or damaged: what came before is stored, and the place is named."""
    requests = requests_of("traces", 3)
    line, *others = (FORMS["lines"]([request]) for request in requests)
    first, rest = gzip.compress(line), gzip.compress(b"".join(others))
    path = tmp_path / "day.jsonl.gz"
    for size in (len(first) + 1, len(first) + 9, len(first) + len(rest) // 2, len(first) + len(rest) - 1):
        path.write_bytes((first + rest)[:size])
        result = imported(binary, target, path)
        assert result.returncode == FAILED and result.json["is_complete"] is False, result
        assert f"{path}, byte {size} as it is packed: the file ends within gzip data; was it cut off?" in result.stderr
        assert result.json["sent"] == result.json["stored"] >= 2
    # The checksum at the end.
    damaged = bytearray(first + rest)
    damaged[-7] ^= 1
    path.write_bytes(damaged)
    result = imported(binary, target, path)
    assert result.returncode == FAILED and result.json["is_complete"] is False, result
    assert f"{path}, byte " in result.stderr and "as it is packed: the gzip data is damaged" in result.stderr
    path.write_bytes(first + b"rubbish")
    result = imported(binary, target, path)
    assert result.returncode == FAILED and f"{path}, byte {len(first) + 2} as it is packed: the gzip" in result.stderr
    # All of them were one and the same request to the daemon, or at least the first.
    assert stored("traces").total() >= 2


# By a small process: the size of who starts a program counts as that of the program at first.
MEASURED = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def test_what_is_unpacked_is_not_held(target, stored, binary, tmp_path):
    """32 MiB that take 32 KB: as much memory as without them."""
    sizes = []
    for number, blank in enumerate((0, 32 << 20)):
        [request] = requests_of("logs", 1)
        path = tmp_path / f"{number}.gz"
        path.write_bytes(gzip.compress(b" " * blank + to_json(request).encode()))
        result = run(sys.executable, "-c", MEASURED, binary, "import", path, "--endpoint", target.endpoint)
        assert result.returncode == OK, result
        sizes.append(int(result.stdout.splitlines()[-1]) << 10)
    assert stored("logs").total() == 4
    assert sizes[1] - sizes[0] < 8 << 20, sizes


def test_a_packed_export(source, target, binary, tmp_path):
    """Written packed, and read back as it is."""
    plain, packed = tmp_path / "plain.jsonl", tmp_path / "all.jsonl.gz"
    for path in (plain, packed):
        result = exported(binary, source, "traces", *RANGE, "--format", "otlp-json", "--output", str(path), "--json")
        assert result.returncode == OK, result
        written = json.loads(result.stdout)
        assert (written["bytes"], written["lines"]) == (plain.stat().st_size, plain.read_bytes().count(b"\n"))
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert packed.stat().st_size < plain.stat().st_size / 2 and len(os.listdir(tmp_path)) == 2
    result = imported(binary, target, packed)
    assert (result.returncode, result.json["stored"]) == (OK, item_count(source[2]["traces"])), result
    empty = tmp_path / "empty.gz"
    result = exported(binary, source, "logs", *RANGE, "--service", "nobody", "--output", str(empty))
    assert result.returncode == OK and gzip.decompress(empty.read_bytes()) == b""
    assert result.stderr == f"{empty} has 0 lines, 0 bytes\n"


def test_several_files_and_standard_input(target, stored, binary, tmp_path):
    first, second, third = requests_of("logs")
    for name, request in (("a", first), ("b", second)):
        (tmp_path / name).write_text(to_json(request))
    (tmp_path / "empty").write_text("\n")
    result = imported(binary, target, tmp_path / "a", "-", tmp_path / "empty", tmp_path / "b",
                      data=to_json(third).encode())
    assert result.returncode == OK, result
    assert stored("logs") == all_pieces([first, second, third])


def test_again_within_the_window_is_not_stored_twice(target, stored, binary, tmp_path):
    requests = requests_of("traces")
    path = tmp_path / "twice.jsonl"
    path.write_bytes(FORMS["lines"](requests))
    for _ in range(2):
        assert imported(binary, target, path).returncode == OK
    assert stored("traces") == all_pieces(requests)


def test_what_is_rejected_is_said(target, stored, binary, tmp_path):
    """Spans that cannot be stored: the rest is, and the file and line are named."""
    good, bad = requests_of("traces", 2)
    bad.resource_spans[0].scope_spans[0].spans[0].trace_id = b"short"
    path = tmp_path / "some.jsonl"
    path.write_text(to_json(good) + "\n" + to_json(bad) + "\n")
    result = imported(binary, target, path)
    assert result.returncode == FAILED, result
    assert (result.json["stored"], result.json["rejected"], result.json["failed"]) == (3, 1, 0)
    assert f"{path}, line 2: 1 of 2 spans were rejected: " in result.stderr
    assert stored("traces").total() == 3


def test_a_request_that_is_too_large(target, stored, binary, tmp_path):
    large = otlp.request("logs", [otlp.log_record(severity_text="x" * (2 << 20))])
    small, = requests_of("logs", 1)
    path = tmp_path / "large.jsonl"
    path.write_text(to_json(small) + "\n" + to_json(large) + "\n")
    result = imported(binary, target, path)
    assert result.returncode == FAILED, result
    assert (result.json["stored"], result.json["failed"]) == (2, 1)
    assert f"{path}, line 2: 1 log records were not stored: grpc-status 8" in result.stderr


BROKEN = {  # what comes behind a line that is whole, options, and what is said
    "cut off": (b'{"resourceSpans": [{}', (), "line 2: the file ends within the object that begins here"),
    "open string": (b'{"resourceSpans": [{"a\n"', (), "line 2: a string does not end on its line"),
    "an export as NDJSON": (b'{"trace_id": "ab", "resourceSpans ": 1}\n', (), "line 2: the object has none of res"),
    "wrong type": (b'{"resourceSpans": 7}\n', (), "line 2: not valid OTLP/JSON"),
    "wrong signal": (b"", ("--signal", "logs"), "line 1: it holds spans, and --signal is logs"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_read_on(target, stored, binary, tmp_path, name):
    data, options, reason = BROKEN[name]
    path = tmp_path / "broken"
    path.write_bytes(to_json(otlp.request("traces")).encode() + b"\n" + data)
    result = imported(binary, target, path, *options)
    assert result.returncode == FAILED, result
    assert f"{path}, {reason}" in result.stderr, result.stderr
    assert result.json["is_complete"] is False
    # What came before is stored.
    assert result.json["stored"] == result.json["sent"] == stored("traces").total() == (0 if options else 1)


FOREIGN = {
    "gzip twice": (gzip.compress(gzip.compress(b"{}")), "byte 0: it is packed with gzip twice; unpack it once"),
    "text, packed": (gzip.compress(b"hello"), "byte 0: it is neither OTLP/JSON nor an OTLP message"),
    "begin of gzip": (b"\x1f\x8b", "byte 2 as it is packed: the file ends within gzip data; was it cut off?"),
    "no gzip": (b"\x1f\x8b\x07\x00", "byte 4 as it is packed: the gzip data is damaged"),
    "text": (b"hello", "byte 0: it is neither OTLP/JSON nor an OTLP message"),
    "no protobuf": (b"\x0a\xff\xff", "byte 0: it is no OTLP message of traces"),
    "too long": (b"\x07\xff\xff\xff", "byte 0: the request that begins here has more than 64MiB"),
    "cut length": (b"\x00\x00", "byte 0: the file ends within a length"),
    "cut message": (b"\x00\x00\x00\x05\x0a", "byte 0: the file ends within the message of 5 bytes"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_is_something_else(target, binary, tmp_path, name):
    data, reason = FOREIGN[name]
    path = tmp_path / "foreign"
    path.write_bytes(data)
    result = imported(binary, target, path, "--signal", "traces")
    assert result.returncode == FAILED and result.json["sent"] == 0, result
    assert f"{path}, {reason}" in result.stderr, result.stderr


def test_protobuf_needs_its_signal(target, binary, tmp_path):
    path = tmp_path / "telemetry.binpb"
    path.write_bytes(framed(requests_of("traces", 1)))
    result = imported(binary, target, path)
    assert result.returncode == FAILED and "give --signal traces, logs or metrics" in result.stderr, result


def test_nobody_answers(binary, tmp_path, target):
    path = tmp_path / "a.jsonl"
    path.write_text(to_json(otlp.request("traces")))
    port = free_port()
    result = run(binary, "import", str(path), "--endpoint", f"127.0.0.1:{port}", "--give-up-after", "1")
    assert result.returncode == UNREACHABLE, result
    assert f"nobody answers on 127.0.0.1:{port}" in result.stderr
    missing = imported(binary, target, tmp_path / "missing")
    assert missing.returncode == FAILED and "cannot be opened: No such file" in missing.stderr


def test_an_export_that_breaks_off(source, binary, tmp_path):
    """The file keeps the name of a part, and the command fails."""
    server, api, _ = source
    resource = otlp.request("traces").resource_spans[0].resource
    resource.attributes[0].value.string_value = "cut"
    with server.channel() as channel:
        Export(channel)(otlp.request("traces", [
            otlp.span(attributes=otlp.attributes(text="x" * 20_000)) for _ in range(1_000)], resource))
    fifo = tmp_path / "spans.part"
    os.mkfifo(fifo)
    command = [binary, "export", "spans", *RANGE, "--service", "cut", "--output", str(tmp_path / "spans"),
               "--api", f"127.0.0.1:{api.address}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=clean_environment(), text=True) as export:
        with open(fifo, "rb") as part:
            assert part.read(100_000)
            with server.database.connect() as db:
                db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                           "WHERE application_name = 'starling export' AND datname = current_database()")
            rest = part.read()
        error = export.stderr.read()
    assert export.returncode == FAILED
    assert json.loads(rest.rstrip(b"\n").split(b"\n")[-1])["error"]["type"] == "database-unavailable"
    assert "is not whole" in error and "broke off after" in error
    assert os.listdir(tmp_path) == ["spans.part"]


@pytest.mark.parametrize("arguments, code, text", [
    (("spans", "--limit", "0"), USAGE, "--limit is 0"),
    (("spans", "--json"), USAGE, "give --output as well"),
    (("spans", "--format", "xml"), USAGE, "xml"),
    (("spans", "--filter", "colour=red"), FAILED, "colour"),
    (("spans", "--output", "/nowhere/file"), FAILED, "cannot open /nowhere/file.part: No such file"),
])
def test_wrong_exports(source, binary, arguments, code, text):
    result = exported(binary, source, *arguments)
    assert result.returncode == code and text in result.stderr, result


def test_an_export_of_nothing_and_a_limit(source, binary, tmp_path):
    result = exported(binary, source, "logs", *RANGE, "--service", "nobody")
    assert (result.returncode, result.stdout, result.stderr) == (OK, "", "")
    result = exported(binary, source, "logs", *RANGE, "--limit", "3")
    assert result.returncode == OK and result.stdout.count("\n") == 3
    path = tmp_path / "one"
    result = exported(binary, source, "logs", *RANGE, "--limit", "1", "--output", str(path))
    assert result.returncode == OK and result.stderr == f"{path} has 1 line, {path.stat().st_size} bytes\n"
