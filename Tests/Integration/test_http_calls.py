# SPDX-License-Identifier: Apache-2.0
"""OTLP/HTTP on the wire: what is answered to what, over HTTP/1.1 and HTTP/2."""

import gzip
import json
import subprocess

from google.rpc.status_pb2 import Status
import pytest

from support import otlp, rebuild, rebuild_metrics
from support.daemon import free_port
from support.normal import assert_same, merge
from support.otlp import REJECTED_FIELDS, RESPONSES, SIGNALS
from support.otlphttp import JSON, PROTOBUF, Connection, RawConnection, head, posted, to_json

PORT = free_port()
SIZE_BYTES_MAX = 1 << 20
STARLING_SETTINGS = {"listen.http": f"127.0.0.1:{PORT}", "limits.request_bytes_max": "1MiB",
                     "http.cors_origins": "https://app.example.com, http://localhost:3000"}
REBUILD = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}
ENCODINGS = pytest.mark.parametrize("encoding", [PROTOBUF, JSON], ids=["protobuf", "json"])
# The status that a request gets for what is wrong with it must be the same in both.
BAD = {PROTOBUF: b"\xff\xff", JSON: b'{"resourceSpans":[{]}'}
EMPTY = {PROTOBUF: b"", JSON: b"{}"}


@pytest.fixture
def connection(starling):
    with Connection(PORT) as connection:
        yield connection


@pytest.fixture
def raw(starling):
    with RawConnection(PORT) as raw:
        yield raw


# --- success ------------------------------------------------------------------------------------

@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("signal", SIGNALS)
@ENCODINGS
def test_what_is_accepted_is_stored(connection, db, signal, encoding, compressed):
    request = otlp.request(signal)
    assert connection.export(signal, request, encoding, compressed) == RESPONSES[signal]()
    assert_same(request, REBUILD[signal](db))


@ENCODINGS
def test_full_success_has_no_partial_success(connection, encoding):
    answer = connection.post("traces", EMPTY[encoding], encoding)
    assert (answer.status, answer.body) == (200, EMPTY[encoding])


@pytest.mark.parametrize("signal", SIGNALS)
@ENCODINGS
def test_partial_success_counts_and_names(connection, db, signal, encoding):
    item = otlp.ITEMS[signal]
    # A NUL cannot be stored in a text.
    bad = {"traces": lambda: item(name="a\0b"), "logs": lambda: item(severity_text="a\0b"),
           "metrics": lambda: item(description="a\0b")}[signal]()
    good = item()
    response = connection.export(signal, otlp.request(signal, [bad, good]), encoding)
    assert getattr(response.partial_success, REJECTED_FIELDS[signal]) == 1, response
    assert "nul" in response.partial_success.error_message.lower(), response
    assert_same(otlp.request(signal, [good]), REBUILD[signal](db))


def test_a_content_type_may_have_parameters(connection, db):
    request = otlp.request("logs")
    answer = connection.post("logs", to_json(request).encode(), "Application/JSON; charset=utf-8")
    assert answer.status == 200 and answer.content_type == JSON
    assert_same(request, rebuild.logs(db))


# --- refusals -----------------------------------------------------------------------------------

@ENCODINGS
def test_bytes_that_are_no_request(connection, encoding):
    answer = connection.post("traces", BAD[encoding], encoding)
    assert answer.content_type == encoding
    assert "not " in answer.error(400)


def test_an_error_in_json_names_its_place(connection):
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{},{"traceId":"xy"}]}]}]}'
    assert connection.post("traces", body, JSON).error(400) == (
        "not valid OTLP/JSON: expected hexadecimal digits, two for a byte "
        "(byte 58, resourceSpans[0].scopeSpans[0].spans[1].traceId)")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/traces/", "/v1/profiles", "/v1/Traces", "/metrics", "/%761/traces"])
@ENCODINGS
def test_other_paths(connection, path, encoding):
    answer = connection.request("POST", path, EMPTY[encoding], {"content-type": encoding})
    assert "/v1/traces" in answer.error(404)
    assert answer.content_type == encoding


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_other_methods(connection, method):
    answer = connection.request(method, "/v1/traces")
    assert "POST" in answer.error(405)
    assert answer.headers["allow"] == "POST"


def test_head_has_no_body(connection):
    answer = connection.request("HEAD", "/v1/traces")
    assert (answer.status, answer.body) == (405, b"")
    assert connection.post("traces", b"").status == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "application/grpc", "",
                                          "application/x-protobuffer", "application/jsonp"])
def test_other_content_types(connection, content_type):
    answer = connection.post("traces", b"{}", content_type)
    assert "application/x-protobuf or application/json" in answer.error(415)


def test_no_content_type(raw):
    raw.send(head(content_type=None, content_length=0))
    assert "content-type" in raw.answer().error(415)


@pytest.mark.parametrize("coding", ["zstd", "deflate", "br", "gzip, gzip", "snappy"])
@ENCODINGS
def test_other_content_encodings(connection, encoding, coding):
    answer = connection.post("traces", EMPTY[encoding], encoding, content_encoding=coding)
    assert "gzip" in answer.error(415)
    assert answer.content_type == encoding
    assert answer.headers["accept-encoding"] == "gzip, identity"


@pytest.mark.parametrize("coding", ["identity", "gzip", "x-gzip", "GZIP"])
def test_content_encodings_that_are_served(connection, coding):
    body = b"{}" if coding == "identity" else gzip.compress(b"{}")
    assert connection.post("traces", body, JSON, content_encoding=coding).status == 200


@ENCODINGS
def test_what_is_not_gzip(connection, encoding):
    for body in (b"", b"no gzip", gzip.compress(b"{}")[:-1]):
        assert "gzip" in connection.post("traces", body, encoding, content_encoding="gzip").error(400)


# --- sizes --------------------------------------------------------------------------------------

def padded(size_bytes):
    """An empty request of so many bytes: an unknown key."""
    return b'{"x":"' + b"y" * (size_bytes - 8) + b'"}'


def chunked(body):
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def test_size_with_content_length(connection):
    assert connection.post("traces", padded(SIZE_BYTES_MAX), JSON).status == 200
    with Connection(PORT) as other:
        answer = other.post("traces", padded(SIZE_BYTES_MAX + 1), JSON)
        assert str(SIZE_BYTES_MAX) in answer.error(413)
        assert answer.headers["connection"] == "close"


def test_size_without_content_length(raw):
    raw.send(head(content_type=JSON, transfer_encoding="chunked").encode() + chunked(padded(SIZE_BYTES_MAX)))
    assert raw.answer().status == 200
    raw.send(head(content_type=JSON, transfer_encoding="chunked").encode() + chunked(padded(SIZE_BYTES_MAX + 1)))
    answer = raw.answer()
    assert "limits.request_bytes_max" in answer.error(413)
    assert answer.headers["connection"] == "close"
    assert raw.is_closed()


@ENCODINGS
def test_size_after_inflating(connection, encoding):
    """A gzip bomb: a thousand times as large as it looks."""
    body = gzip.compress(b" " * (1 << 28), 9)
    assert len(body) < SIZE_BYTES_MAX
    answer = connection.post("traces", body, encoding, content_encoding="gzip")
    assert "inflates to more than limits.request_bytes_max" in answer.error(413)


def test_size_as_protobuf(connection):
    """Packed numbers take more bytes than their digits."""
    text = '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"bucketCounts":[%s]}]}}]}]}]}'
    answer = connection.post("metrics", (text % ",".join(["1"] * 140_000)).encode(), JSON)
    assert "as protobuf" in answer.error(413)


def test_large_heads(raw):
    raw.send("POST /v1/traces HTTP/1.1\r\nhost: x\r\n" + f"x: {'y' * 20_000}\r\n\r\n")
    assert "limits.header_list_bytes_max" in raw.answer().error(431)
    assert raw.is_closed()


# --- HTTP/1.1 -----------------------------------------------------------------------------------

def test_connections_are_kept(connection, db):
    requests = [otlp.request("traces") for _ in range(20)]
    for request in requests:
        connection.export("traces", request)
        assert connection.http.sock is not None
        assert connection.post("traces", b"", "text/plain").status == 415
    assert_same(merge(requests), rebuild.traces(db))


def test_requests_in_a_row(raw, db):
    """Pipelined: all are sent before the first answer is read. Answers come in order."""
    requests = [otlp.request("traces") for _ in range(8)]
    raw.send(b"".join(
        posted("traces", request.SerializeToString()) + posted("nothing", b"x") for request in requests))
    for _ in requests:
        assert raw.answer().status == 200
        assert raw.answer().status == 404
    assert_same(merge(requests), rebuild.traces(db))


def test_bodies_in_pieces(raw, db):
    request = otlp.request("traces")
    for byte in posted("traces", request.SerializeToString()):
        raw.send(bytes([byte]))
    assert raw.answer().status == 200
    assert_same(request, rebuild.traces(db))


def test_a_client_that_waits_to_be_told(raw, db):
    request = otlp.request("traces")
    body = request.SerializeToString()
    raw.send(head(content_length=len(body), expect="100-continue"))
    assert raw.head() == ["HTTP/1.1 100 Continue"]
    raw.send(body)
    assert raw.answer().status == 200
    assert_same(request, rebuild.traces(db))


def test_a_client_that_waits_is_spared_its_body(raw):
    raw.send(head(content_length=SIZE_BYTES_MAX + 1, expect="100-continue"))
    answer = raw.answer()
    assert answer.error(413) and answer.headers["connection"] == "close"


@pytest.mark.parametrize("field", ["connection: close", "Connection: Close"])
def test_a_client_that_wants_no_more(raw, field):
    raw.send(head(content_length=0).replace("host: test", f"host: test\r\n{field}"))
    answer = raw.answer()
    assert answer.status == 200 and answer.headers["connection"] == "close"
    assert raw.is_closed()


def test_http_1_0(raw):
    raw.send(head(content_length=0).replace("HTTP/1.1", "HTTP/1.0"))
    assert raw.answer().status == 200
    assert raw.is_closed()


@pytest.mark.parametrize("text", [
    "nonsense\r\n\r\n", "POST /v1/traces HTTP/1.1\r\nno colon\r\n\r\n", "POST /v1/traces HTTP/9.9\r\n\r\n",
    head(content_length="x"), head(content_length=1, transfer_encoding="chunked"),
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_what_is_not_http(raw, starling, text):
    raw.send(text.encode("latin-1"))
    assert raw.answer().status == 400
    assert raw.is_closed()


def test_a_body_that_is_no_chunk(raw):
    raw.send(head(transfer_encoding="chunked") + "nonsense\r\n")
    answer = raw.answer()
    assert "transfer-encoding" in answer.error(400) and answer.headers["connection"] == "close"
    assert raw.is_closed()


def test_no_other_protocol_is_spoken(raw):
    """Java's own client proposes one with each first request; it comes back on another connection."""
    raw.send(posted("traces", otlp.request("traces").SerializeToString(), connection="Upgrade, HTTP2-Settings",
                    upgrade="h2c", http2_settings="AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA"))
    answer = raw.answer()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert raw.is_closed()


# --- CORS ---------------------------------------------------------------------------------------

def preflight(connection, origin):
    return connection.request("OPTIONS", "/v1/traces", headers={
        "origin": origin, "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-custom"})


@pytest.mark.parametrize("origin", ["https://app.example.com", "http://localhost:3000"])
def test_pages_of_allowed_origins(connection, origin):
    answer = preflight(connection, origin)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == "content-type,x-custom"
    for body, status in ((b"{}", 200), (b"x", 400)):
        answer = connection.post("traces", body, JSON, origin=origin)
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == origin
        assert answer.headers["vary"] == "origin"


@pytest.mark.parametrize("origin", ["https://app.example.com:8443", "http://app.example.com", "null",
                                    "https://app.example.com.evil.example", "*"])
def test_pages_of_other_origins(connection, origin):
    answer = preflight(connection, origin)
    assert "http.cors_origins" in answer.error(403)
    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in connection.post("traces", b"{}", JSON, origin=origin).headers


# --- curl ---------------------------------------------------------------------------------------

def curl(*arguments, body=b""):
    """The status, content type and body that curl got, and the version of HTTP."""
    result = subprocess.run(
        ["curl", "-sS", "--max-time", "30", "-w", "\n%{http_code} %{content_type} %{http_version}",
         "--data-binary", "@-", *arguments], input=body, capture_output=True, timeout=60)
    assert result.returncode == 0, result.stderr.decode()
    text, _, last = result.stdout.rpartition(b"\n")
    status, content_type, version = last.decode().split(" ")
    return int(status), content_type, text, version


@pytest.mark.parametrize("option, version", [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")])
@pytest.mark.parametrize("signal", SIGNALS)
@ENCODINGS
def test_curl(starling, db, signal, encoding, option, version):
    request = otlp.request(signal)
    body = to_json(request).encode() if encoding == JSON else request.SerializeToString()
    status, content_type, text, used = curl(
        option, "-H", f"content-type: {encoding}", f"http://127.0.0.1:{PORT}/v1/{signal}", body=body)
    assert (status, content_type, text, used) == (200, encoding, EMPTY[encoding], version)
    assert_same(request, REBUILD[signal](db))


@pytest.mark.parametrize("option", ["--http1.1", "--http2-prior-knowledge"])
def test_curl_hears_of_errors(starling, option):
    address = f"http://127.0.0.1:{PORT}/v1/traces"
    status, content_type, text, _ = curl(option, "-H", "content-type: application/json", address, body=b"[]")
    assert (status, content_type) == (400, JSON)
    assert json.loads(text) == {"code": 3, "message":
                                "not valid OTLP/JSON: the text must be an object (byte 0)"}
    status, content_type, text, _ = curl(
        option, "-H", "content-type: application/x-protobuf", address, body=b"x" * (SIZE_BYTES_MAX + 1))
    assert (status, content_type) == (413, PROTOBUF)
    assert Status.FromString(text).code == 8
    assert curl(option, address, body=b"{}")[0] == 415


def test_large_bodies_over_http2(starling, db):
    """Larger than any window, so that credit has to be given."""
    request = otlp.request("traces", [otlp.span(trace_state="x" * 500) for _ in range(1800)])
    body = request.SerializeToString()
    assert len(body) > 900_000
    status, *_ = curl("--http2-prior-knowledge", "-H", "content-type: application/x-protobuf",
                      f"http://127.0.0.1:{PORT}/v1/traces", body=body)
    assert status == 200
    assert_same(request, rebuild.traces(db))
